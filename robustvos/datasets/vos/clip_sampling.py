"""Which frames of which video make a training clip: a function of seed, epoch and number, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import lru_cache

from torch.utils.data import DistributedSampler

from robustvos.datasets.vos.set_weights import WeightedTurns
from robustvos.errors import DataNotFound
from robustvos.files.naming import name_some
from robustvos.seeding import numpy_rng
from robustvos.video.layouts import SequenceRecord


@dataclass(frozen=True)
class Window:
    """Some frames of a video, in order.

    Attributes:
        source: Name of the dataset.
        record: The video's files.
        frames: Indices of the frames; the first one is annotated.
    """

    source: str
    record: SequenceRecord
    frames: tuple[int, ...]


class ClipSampler:
    """Windows of equal length into the videos of one or several datasets.

    Every video is visited once, in random order, before any is visited again; with weights, this holds within each set.

    Args:
        videos: Dataset and files of each video.
        frames: Length of a window.
        stride: 1 for consecutive frames, 2 for every second one, ...
        annotated_only: Count annotated frames alone: consecutive ones are then as far apart as the annotations.
        seed: Of everything drawn.
        weights: How often each dataset is drawn, by name; None: as often as it has videos.

    Attributes:
        videos: Those that are long enough.
        too_short: Names of the others.

    Raises:
        DataNotFound: If no video is long enough, or none of a dataset that has a weight.
    """

    def __init__(
        self,
        videos: Sequence[tuple[str, SequenceRecord]],
        frames: int,
        stride: int = 1,
        annotated_only: bool = True,
        seed: int = 0,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.frames, self.stride, self.annotated_only, self.seed = frames, stride, annotated_only, seed
        long_enough = [bool(self._starts(record)) for _, record in videos]
        self.videos = tuple(video for video, kept in zip(videos, long_enough, strict=True) if kept)
        self.too_short = tuple(video[1].name for video, kept in zip(videos, long_enough, strict=True) if not kept)
        if not self.videos:
            raise DataNotFound(self._describe_too_short([record for _, record in videos]))
        self._turns = None if weights is None else WeightedTurns(weights, seed)
        self._sets = {name: tuple(video for video in self.videos if video[0] == name) for name in weights or ()}
        for name, kept in self._sets.items():
            if not kept:
                own = [record for source, record in videos if source == name]
                raise DataNotFound(f"{name}: {self._describe_too_short(own)}, or leave {name} out of roots and weights")

    @property
    def notes(self) -> tuple[str, ...]:
        """A line on the videos that are too short, if there are any."""
        if not self.too_short:
            return ()
        left_out = (
            f"{len(self.too_short)} of {len(self.videos) + len(self.too_short)} videos are too short for a clip of"
        )
        return (f"{left_out} {self.frames} and are left out of training: {name_some(self.too_short)}",)

    def _describe_too_short(self, records: Sequence[SequenceRecord]) -> str:
        longest = max((len(self._usable(record)) for record in records), default=0)
        kind = "annotated frames" if self.annotated_only else "frames"
        return (
            f"none of {len(records)} video(s) has a clip of {self.frames} {kind} at "
            f"stride {self.stride}; the longest has {longest}; lower --data.train.frames or --data.train.stride"
        )

    def windows(self, epoch: int, number: int) -> Iterator[Window]:
        """Candidates for clip ``number`` of ``epoch``, best first: starts in its own video, then in the next ones.

        A later one is for the case that the former shows no object; those of other sets come last, if there are weights.
        """
        for source, record in self._visits(epoch, number):
            starts = self._starts(record)
            shuffled = numpy_rng("start", self.seed, epoch, number, source, record.name).permutation(len(starts))
            usable = self._usable(record)
            for start in (starts[i] for i in shuffled):
                yield Window(source, record, tuple(usable[start : start + self._span : self.stride]))

    def _visits(self, epoch: int, number: int) -> Iterator[tuple[str, SequenceRecord]]:
        if self._turns is None:
            yield from self._in_turn(self.videos, epoch, number)
            return
        own, before = self._turns.of(epoch, number)
        yield from self._in_turn(self._sets[own], epoch, before, own)
        yield from (video for video in self.videos if video[0] != own)

    def _in_turn(
        self, videos: Sequence[tuple[str, SequenceRecord]], epoch: int, number: int, *of: str
    ) -> Iterator[tuple[str, SequenceRecord]]:
        turn, place = divmod(number, len(videos))
        order = _permutation(self.seed, epoch, turn, len(videos), *of)
        for step in range(len(videos)):
            yield videos[order[(place + step) % len(videos)]]

    @property
    def _span(self) -> int:
        return (self.frames - 1) * self.stride + 1

    def _usable(self, record: SequenceRecord) -> list[int]:
        annotated = record.annotation_paths
        return [t for t in range(len(annotated)) if annotated[t] is not None or not self.annotated_only]

    def _starts(self, record: SequenceRecord) -> list[int]:
        """Positions among the usable frames at which a window may start."""
        usable = self._usable(record)
        ends = len(usable) - self._span + 1
        return [i for i in range(max(0, ends)) if record.annotation_paths[usable[i]] is not None]


class EpochSampler(DistributedSampler[int]):
    """Numbers that no other epoch has: ``epoch * len(dataset)`` and those that follow, dealt out to the processes.

    Lightning tells it the epoch, and leaves it alone where it would put a sampler of its own.

    Args:
        dataset: Whose length is that of an epoch, over all processes.
        processes: How many there are.
        process: Which of them this is.
    """

    def __init__(self, dataset: Sized, processes: int = 1, process: int = 0) -> None:
        super().__init__(dataset, num_replicas=processes, rank=process, shuffle=False)  # type: ignore[arg-type]
        self.clips = len(dataset)

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.clips
        return (first + i for i in super().__iter__())


@lru_cache(maxsize=32)
def _permutation(seed: int, epoch: int, turn: int, count: int, *of: str) -> tuple[int, ...]:
    return tuple(numpy_rng("order", seed, epoch, turn, *of).permutation(count).tolist())
