"""Frames on which something else looked like the object are kept for good (DAM4SAM)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.errors import UserError
from robustvos.sam2.memory import Memory, Reach
from robustvos.sam2.memory_policies.base import (
    Candidates,
    MemoryPolicy,
    Pick,
    PolicyBank,
    free_slots,
    placed_in_slots,
)
from robustvos.sam2.memory_policies.box_filter import box_iou, box_of_mask

_SIZES = 10  # of the latest masks, whose median a mask is compared with

Mask = NDArray[np.bool_]


class DAM4SAM(MemoryPolicy):
    """Distractor-aware memory: recent appearances, and frames that tell the object from what resembles it.

    *Recent appearances*: the last frame, and before it every ``stride``-th; frames on which nothing was found are passed
    over. *Distractors*: a frame is kept like a prompted one if SAM 2 proposes another mask for it that is far from the one
    taken (the box of both together has an IoU of at most ``apart_below`` with the box of the one), while the one taken is
    trusted: predicted IoU above ``iou_above``, area within ``steady`` of the median of the last ten, and more than
    ``interval`` frames since the last that was kept. Prompted and kept frames are at most ``kept``: the first and the
    latest; each beyond the first takes a slot from the recent ones.

    The defaults are those of the public code, which compares boxes at full resolution; here they are those of the
    low-resolution masks.

    Args:
        stride: Between recent appearances.
        kept: Prompted and distractor frames, at most.
        iou_above: Limit of predicted IoU.
        steady: Range of the area, in medians of the last ten.
        interval: Frames.
        apart_below: Limit of the IoU of boxes; negative: no frame is kept.

    Raises:
        UserError: If a setting is out of range.

    Source: Videnovic et al., A Distractor-Aware Memory for Visual Object Tracking with SAM2, CVPR 2025;
    github.com/jovanavidenovic/DAM4SAM.
    """

    def __init__(
        self,
        stride: int = 5,
        kept: int = 4,
        iou_above: float = 0.8,
        steady: tuple[float, float] = (0.8, 1.2),
        interval: int = 5,
        apart_below: float = 0.7,
    ) -> None:
        if stride < 1 or kept < 2:
            raise UserError(f"stride {stride} and kept {kept}: give at least 1 and 2")
        self.stride, self.kept, self.iou_above = stride, kept, iou_above
        self.steady, self.interval, self.apart_below = steady, interval, apart_below

    def bank(self, reach: Reach, max_conditioning: int | None = None) -> PolicyBank:
        """See :class:`MemoryPolicy`."""
        return DAM4SAMBank(self, reach, min(self.kept, max_conditioning or self.kept))


class DAM4SAMBank(PolicyBank):
    """The memory of one object."""

    def __init__(self, settings: DAM4SAM, reach: Reach, max_conditioning: int) -> None:
        super().__init__(reach, max_conditioning)
        self._settings = settings
        self._areas: deque[int] = deque(maxlen=_SIZES)
        self._visible: set[int] = set()
        self._last_kept: int | None = None
        self._seen, self._distracted = False, False  # what was picked last

    def pick(self, proposed: Sequence[Candidates]) -> list[Pick]:
        """See :class:`PolicyBank`."""
        found, settings = proposed[0], self._settings
        masks = (found.masks > 0).cpu().numpy()
        mask, area = masks[found.best], int(masks[found.best].sum())
        if area:
            self._areas.append(area)
        self._seen = area > 0
        low, high = settings.steady
        self._distracted = (
            area > 0
            and len(self._areas) > 1
            and float(found.ious[found.best]) > settings.iou_above
            and low <= area / float(np.median(self._areas)) <= high
            and nearest_box_iou(mask, [m for i, m in enumerate(masks) if i != found.best]) <= settings.apart_below
        )
        return [Pick(0, found.best)]

    def remember_paths(self, frame: int, memories: Sequence[Memory]) -> None:
        """See :class:`PolicyBank`."""
        waited = self._last_kept is None or frame - self._last_kept > self._settings.interval
        keeps = self._distracted and waited
        if keeps:
            self._last_kept = frame
        elif self._seen:
            self._visible.add(frame)
        self.remember(frame, memories[0], conditioning=keeps)

    def _forget(self, now: int) -> None:
        stride, slots = self._settings.stride, self._reach.spatial_slots
        self._visible &= self.recent.keys()
        strided = [frame for frame in sorted(self._visible) if frame % stride == 0][-slots:]
        self._visible = {*strided, *sorted(self._visible)[-1:]}
        self.keep_only(now, self._visible)

    def view(self, now: int) -> tuple[dict[int, Memory], dict[int, Memory]]:
        """See :class:`robustvos.sam2.memory.MemoryBank`."""
        slots = free_slots(now, self._reach, self.conditioning)
        count = min(len(slots), max(0, self._reach.spatial_slots - len(self.conditioning)))
        frames = strided_frames(self._visible, self._settings.stride, count)
        return self.conditioning, placed_in_slots(slots, [self.recent[t] for t in frames], self.pointers_at(now))


def strided_frames(visible: set[int], stride: int, count: int) -> list[int]:
    """The latest of ``visible``, and the latest multiples of ``stride`` before it: at most ``count``, oldest first.

    >>> strided_frames({3, 5, 10, 15, 17}, 5, 3)
    [10, 15, 17]
    """
    latest = max(visible, default=None)
    if latest is None or count < 1:
        return []
    before = [frame for frame in sorted(visible) if frame < latest and frame % stride == 0]
    return [*before[max(0, len(before) - count + 1) :], latest]


def nearest_box_iou(mask: Mask, others: Sequence[Mask]) -> float:
    """The least IoU of a mask's box with the box of it and the largest piece of another mask beside it; 1: none is apart."""
    own, least = box_of_mask(mask), 1.0
    for other in others:
        rest = other & ~mask
        if rest.any():
            least = min(least, box_iou(own, box_of_mask(mask | largest_piece(rest))))
    return least


def largest_piece(mask: Mask) -> Mask:
    """The connected piece with the most pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    largest: Mask = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return largest
