"""Motion decides which mask is believed, and doubtful frames are not looked back at (SAMURAI)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustvos.errors import UserError
from robustvos.sam2.memory import Memory, Reach
from robustvos.sam2.memory_policies.base import (
    Candidates,
    MemoryPolicy,
    Pick,
    PolicyBank,
    free_slots,
    latest,
    placed_in_slots,
)
from robustvos.sam2.memory_policies.box_filter import Array, BoxFilter, box_iou, box_of_mask


class SAMURAI(MemoryPolicy):
    """Motion-gated memory.

    A Kalman filter follows the object's box. Once ``stable_frames`` frames in a row were believed, the mask with the highest
    ``motion_weight * IoU with the expected box + (1 - motion_weight) * predicted IoU`` is taken instead of that with the
    highest predicted IoU. Spatial memories are those of the latest frames whose predicted IoU, presence and motion score are
    above their limits, and of the last frame in any case; object pointers are SAM 2's own.

    Args:
        motion_weight: Of the motion score.
        stable_frames: Frames until motion is trusted.
        stable_iou: A frame is believed if its predicted IoU is above this.
        iou_above: Limit of predicted IoU for memories.
        presence_above: Limit of presence, a logit.
        motion_above: Limit of the motion score, where there is one.

    The defaults are those of the public configuration for Hiera-B+ (the large one has a motion weight of .15). Differs from
    the public code in that each object has a filter of its own, boxes are those of the low-resolution masks, and the first
    tracked frame may be looked back at like any other.

    Raises:
        UserError: If a setting is out of range.

    Source: Yang et al., SAMURAI, arXiv 2411.11922; github.com/yangchris11/samurai.
    """

    def __init__(
        self,
        motion_weight: float = 0.25,
        stable_frames: int = 15,
        stable_iou: float = 0.3,
        iou_above: float = 0.5,
        presence_above: float = 0.0,
        motion_above: float = 0.0,
    ) -> None:
        if not 0 <= motion_weight <= 1:
            raise UserError(f"motion_weight is {motion_weight:g}; it is a share, between 0 and 1")
        if stable_frames < 1:
            raise UserError(f"stable_frames is {stable_frames}; give 1 or more")
        self.motion_weight, self.stable_frames, self.stable_iou = motion_weight, stable_frames, stable_iou
        self.iou_above, self.presence_above, self.motion_above = iou_above, presence_above, motion_above

    def bank(self, reach: Reach, max_conditioning: int | None = None) -> PolicyBank:
        """See :class:`MemoryPolicy`."""
        return SAMURAIBank(self, reach, max_conditioning)


class SAMURAIBank(PolicyBank):
    """The memory of one object."""

    def __init__(self, settings: SAMURAI, reach: Reach, max_conditioning: int | None) -> None:
        super().__init__(reach, max_conditioning)
        self._settings = settings
        self._filter: BoxFilter | None = None
        self._stable = 0
        self._believed = False  # what was picked last
        self._good: set[int] = set()  # frames worth looking back at

    def pick(self, proposed: Sequence[Candidates]) -> list[Pick]:
        """See :class:`PolicyBank`."""
        settings, found = self._settings, proposed[0]
        masks = (found.masks > 0).cpu().numpy()
        boxes = [box_of_mask(mask) for mask in masks]
        ious = found.ious.float().cpu().numpy().astype(np.float64)
        chosen, motion = found.best, None
        if self._filter is None or self._stable == 0:
            self._begin(boxes[chosen] if masks[chosen].any() else None)
        else:
            expected = self._filter.predict()
            if self._stable >= settings.stable_frames:
                scores = np.array([box_iou(expected, box) for box in boxes])
                weighted = settings.motion_weight * scores + (1 - settings.motion_weight) * ious
                chosen = int(weighted.argmax())
                motion = float(scores[chosen])
            if ious[chosen] > settings.stable_iou and masks[chosen].any():
                self._filter.update(boxes[chosen])
                self._stable += 1
            else:
                self._stable = 0
        self._believed = (
            float(ious[chosen]) > settings.iou_above
            and found.presence > settings.presence_above
            and (motion is None or motion > settings.motion_above)
        )
        return [Pick(0, chosen)]

    def _begin(self, box: Array | None) -> None:
        """Follow the box from here; None: the mask is empty, and there is nothing to follow yet."""
        self._filter, self._stable = (None, 0) if box is None else (BoxFilter(box), 1)

    def remember_paths(self, frame: int, memories: Sequence[Memory]) -> None:
        """See :class:`PolicyBank`."""
        if self._believed:
            self._good.add(frame)
        super().remember_paths(frame, memories)

    def _forget(self, now: int) -> None:
        self._good = set(latest(self._good & self.recent.keys(), self._reach.spatial_slots - 1))
        self.keep_only(now, self._good | {now - 1})

    def view(self, now: int) -> tuple[dict[int, Memory], dict[int, Memory]]:
        """See :class:`robustvos.sam2.memory.MemoryBank`."""
        slots = free_slots(now, self._reach, self.conditioning)
        frames = latest(self._good | ({now - 1} & self.recent.keys()), len(slots))
        return self.conditioning, placed_in_slots(slots, [self.recent[t] for t in frames], self.pointers_at(now))
