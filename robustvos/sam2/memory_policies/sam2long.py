"""Several memories of one object grow side by side, and the likeliest goes on (SAM2Long)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from robustvos.errors import UserError
from robustvos.sam2.memory import Memory, MemoryBank, Reach
from robustvos.sam2.memory_policies.base import (
    Candidates,
    MemoryPolicy,
    Pick,
    PolicyBank,
    free_slots,
    latest,
    placed_in_slots,
)

_LEAST = 1e-5  # added to a predicted IoU before its logarithm is taken


class SAM2Long(MemoryPolicy):
    """A memory tree.

    On every frame each of up to ``paths`` memories proposes its masks. A mask's score is the sum of the logarithms of
    predicted IoU along its memory. The ``paths`` masks with the highest scores go on, each with the memory that proposed it;
    where no memory is sure of the object (no presence further than ``unsure_below`` from 0), only masks whose predicted IoU
    differs in the second decimal, so that the memories stay different. A memory looks back at the latest frames with
    predicted IoU above ``iou_above`` and presence above 0, and at the last frame; keys of more certain frames are weighted
    more, between ``weights``.

    The defaults are the paper's. There the path is chosen when the video is over; here,
    where frames come one by one, the answer on a frame is that of the path that leads then. It takes about ``paths`` times as
    long as SAM 2.

    Args:
        paths: Memories, at most.
        iou_above: Limit of predicted IoU.
        unsure_below: Of presence, a logit, whatever its sign.
        weights: Least and greatest factor of a memory's keys.

    Raises:
        UserError: If there would be no path.

    Source: Ding et al., SAM2Long, ICCV 2025, arXiv 2410.16268; github.com/Mark12Ding/SAM2Long.
    """

    def __init__(
        self,
        paths: int = 3,
        iou_above: float = 0.3,
        unsure_below: float = 2.0,
        weights: tuple[float, float] = (0.95, 1.05),
    ) -> None:
        if paths < 1:
            raise UserError(f"paths is {paths}; give 1 or more")
        self.paths, self.iou_above, self.unsure_below, self.weights = paths, iou_above, unsure_below, weights

    def bank(self, reach: Reach, max_conditioning: int | None = None) -> PolicyBank:
        """See :class:`MemoryPolicy`."""
        return SAM2LongBank(self, reach, max_conditioning)


class Path(MemoryBank):
    """One of the memories.

    Attributes:
        score: Sum of logarithms of predicted IoU.
        sure: Presence of each frame, prompted ones 10.
        good: Frames worth looking back at.
    """

    def __init__(self, reach: Reach, max_conditioning: int | None) -> None:
        super().__init__(reach, max_conditioning)
        self.score = 0.0
        self.sure: dict[int, float] = {}
        self.good: set[int] = set()

    def copy(self) -> Path:
        """Another that remembers the same."""
        other = Path(self._reach, self._max_conditioning)
        other.conditioning, other.recent = dict(self.conditioning), dict(self.recent)
        other.score, other.sure, other.good = self.score, dict(self.sure), set(self.good)
        return other

    def _forget(self, now: int) -> None:
        self.good = set(latest(self.good & self.recent.keys(), self._reach.spatial_slots - 1))
        self.keep_only(now, self.good | {now - 1})
        self.sure = {frame: value for frame, value in self.sure.items() if frame in self.recent}

    def frames(self, now: int) -> list[int]:
        """Tracked frames whose features are looked at, oldest first."""
        slots = free_slots(now, self._reach, self.conditioning)
        return latest(self.good | ({now - 1} & self.recent.keys()), len(slots))

    def view(self, now: int) -> tuple[dict[int, Memory], dict[int, Memory]]:
        """See :class:`robustvos.sam2.memory.MemoryBank`."""
        chosen = [self.recent[frame] for frame in self.frames(now)]
        slots = free_slots(now, self._reach, self.conditioning)
        return self.conditioning, placed_in_slots(slots, chosen, self.pointers_at(now))


class SAM2LongBank(PolicyBank):
    """The memories of one object."""

    def __init__(self, settings: SAM2Long, reach: Reach, max_conditioning: int | None) -> None:
        super().__init__(reach, max_conditioning)
        self._settings = settings
        self._grown: list[Path] = [Path(reach, max_conditioning)]
        self._picked: list[tuple[int, float, float]] = []  # path, predicted IoU, presence
        self._now = 0
        self.paths = self._grown

    def pick(self, proposed: Sequence[Candidates]) -> list[Pick]:
        """See :class:`PolicyBank`."""
        scored = [
            (path.score + math.log(float(iou) + _LEAST), Pick(p, k), float(iou), found.presence)
            for p, (path, found) in enumerate(zip(self._grown, proposed, strict=True))
            for k, iou in enumerate(found.ious)
        ]
        scored.sort(key=lambda entry: -entry[0])
        sure = max(abs(found.presence) for found in proposed) > self._settings.unsure_below
        chosen = scored[: self._settings.paths] if sure else list(self._different(scored))
        self._picked = [(pick.path, iou, presence) for _, pick, iou, presence in chosen]
        return [pick for _, pick, _, _ in chosen]

    def _different(
        self, scored: Sequence[tuple[float, Pick, float, float]]
    ) -> Iterator[tuple[float, Pick, float, float]]:
        """Those whose predicted IoU (negative where the object is taken to be away) differs in two decimals."""
        seen: set[float] = set()
        paths: set[int] = set()
        left = []
        for entry in scored:
            value = round(entry[2] if entry[3] > 0 else -entry[2], 2)
            if value in seen:
                left.append(entry)
            elif len(seen) < self._settings.paths:
                seen.add(value)
                paths.add(entry[1].path)
                yield entry
        missing = self._settings.paths - len(seen)
        for entry in left:  # masks that are alike: rather those of memories that would end
            if missing and entry[1].path not in paths:
                missing -= 1
                paths.add(entry[1].path)
                yield entry

    def weights(self, path: int) -> tuple[list[float], list[float]] | None:
        """See :class:`PolicyBank`; the surer of the object a frame is, the more."""
        low, high = self._settings.weights
        if low == high == 1:
            return None
        grown, now = self._grown[path], self._now
        frames = [10.0] * len(grown.conditioning) + [grown.sure[t] for t in grown.frames(now)]
        read = sorted(grown.pointers_at(now), reverse=True)  # as SAM 2 reads them: by age
        pointers = [10.0] * len(grown.conditioning) + [grown.sure.get(t, 10.0) for t in read]
        return ranked(frames, low, high), ranked(pointers, low, high)

    def remember(self, frame: int, memory: Memory, conditioning: bool) -> None:
        """A frame that was prompted: every memory has it."""
        self._now = frame + 1
        for path in self._grown:
            path.remember(frame, memory, conditioning)
            if not conditioning:
                path.sure[frame] = 10.0
        self._mirror()

    def remember_paths(self, frame: int, memories: Sequence[Memory]) -> None:
        """See :class:`PolicyBank`."""
        self._now = frame + 1
        grown = []
        for (parent, iou, presence), memory in zip(self._picked, memories, strict=True):
            path = self._grown[parent].copy()
            path.score += math.log(iou + _LEAST)
            path.sure[frame] = presence
            if iou > self._settings.iou_above and presence > 0:
                path.good.add(frame)
            path.remember(frame, memory, conditioning=False)
            grown.append(path)
        self._grown[:] = grown
        self._mirror()

    def _mirror(self) -> None:
        """What corrections look back at is the memory that leads."""
        self.conditioning, self.recent = self._grown[0].conditioning, self._grown[0].recent


def ranked(values: Sequence[float], low: float, high: float) -> list[float]:
    """Weights between ``low`` and ``high``, evenly spaced in the order of ``values``; 1 for a single one.

    >>> ranked([3.0, -1.0, 10.0], 0.95, 1.05)
    [1.0, 0.95, 1.05]
    """
    if len(values) < 2:
        return [1.0] * len(values)
    order = sorted(range(len(values)), key=values.__getitem__)
    weights = [0.0] * len(values)
    for rank, place in enumerate(order):
        weights[place] = low + (high - low) * rank / (len(values) - 1)
    return weights
