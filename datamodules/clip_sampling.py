"""Which frames of which video make a training clip: a function of seed, epoch and number, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import lru_cache

from torch.utils.data import DistributedSampler

from robustvos.errors import DataNotFound
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

    Every video is visited once, in random order, before any is visited again.

    Args:
        videos: Dataset and files of each video.
        frames: Length of a window.
        stride: 1 for consecutive frames, 2 for every second one, ...
        annotated_only: Count annotated frames alone: consecutive ones are then as far apart as the annotations.
        seed: Of everything drawn.

    Attributes:
        videos: Those that are long enough.
        too_short: Names of the others.

    Raises:
        DataNotFound: If no video is long enough.
    """

    def __init__(
        self,
        videos: Sequence[tuple[str, SequenceRecord]],
        frames: int,
        stride: int = 1,
        annotated_only: bool = True,
        seed: int = 0,
    ) -> None:
        self.frames, self.stride, self.annotated_only, self.seed = frames, stride, annotated_only, seed
        long_enough = [bool(self._starts(record)) for _, record in videos]
        self.videos = tuple(video for video, kept in zip(videos, long_enough, strict=True) if kept)
        self.too_short = tuple(video[1].name for video, kept in zip(videos, long_enough, strict=True) if not kept)
        if not self.videos:
            longest = max((len(self._usable(record)) for _, record in videos), default=0)
            kind = "annotated frames" if annotated_only else "frames"
            raise DataNotFound(
                f"none of {len(videos)} video(s) has a clip of {frames} {kind} at "
                f"stride {stride}; the longest has {longest}; lower --data.train.frames or --data.train.stride"
            )

    def windows(self, epoch: int, number: int) -> Iterator[Window]:
        """Candidates for clip ``number`` of ``epoch``, best first: starts in its own video, then in the next ones.

        A later one is for the case that the former shows no object.
        """
        turn, place = divmod(number, len(self.videos))
        order = _permutation(self.seed, epoch, turn, len(self.videos))
        for step in range(len(self.videos)):
            source, record = self.videos[order[(place + step) % len(self.videos)]]
            starts = self._starts(record)
            shuffled = numpy_rng("start", self.seed, epoch, number, source, record.name).permutation(len(starts))
            usable = self._usable(record)
            for start in (starts[i] for i in shuffled):
                yield Window(source, record, tuple(usable[start : start + self._span : self.stride]))

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


class EpochSampler(DistributedSampler):
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


@lru_cache(maxsize=8)
def _permutation(seed: int, epoch: int, turn: int, count: int) -> tuple[int, ...]:
    return tuple(numpy_rng("order", seed, epoch, turn).permutation(count).tolist())
