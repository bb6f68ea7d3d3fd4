"""The last whole mask, carried by what hides it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.systems.completion.base import Mask, WholeMemory, shifted

_NEW: Any = None
"""Where OpenCV writes a result: a new array. Its type stubs know no None."""


class FollowOccluder(WholeMemory):
    """An occluded object moves as what is seen of it or, where nothing is, as the pixels that stand in its place.

    The second is right inside of a container that is carried, and wrong behind a thing that passes. Motion from frame to
    frame is the median optical flow (DIS; Kroeger et al., ECCV 2016) over those pixels.
    """

    def __init__(self, whole_above: float = 0.9) -> None:
        super().__init__(whole_above)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before = np.zeros((0, 0), np.uint8)
        self._seen_before = np.zeros((0, 0), bool)
        self._moved = np.zeros(2)

    def keep(self, frame: NDArray[np.uint8], seen: Mask) -> None:
        """See :class:`WholeMemory`."""
        self._before, self._seen_before, self._moved = _grey(frame), seen, np.zeros(2)

    def place(self, frame: NDArray[np.uint8], seen: Mask, whole: Mask) -> Mask:
        """See :class:`WholeMemory`."""
        grey = _grey(frame)
        looked_at = self._seen_before if seen.any() and self._seen_before.any() else shifted(whole, self._moved)
        if looked_at.any():
            flow = self._flow.calc(self._before, grey, _NEW)
            self._moved = self._moved + np.median(flow[looked_at], axis=0)
        self._before, self._seen_before = grey, seen
        return shifted(whole, self._moved)


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(H, W)`` of ``(3, H, W)``."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY))
