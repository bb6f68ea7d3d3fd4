"""The convex hull of what is seen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.systems.completion.base import Mask, WholeMemory


class CompleteConvex(WholeMemory):
    """The convex hull of what is seen of an occluded object; where nothing is seen, its last whole mask."""

    def place(self, frame: NDArray[np.uint8], seen: Mask, whole: Mask) -> Mask:
        """See :class:`WholeMemory`."""
        if not seen.any():
            return whole
        points = np.argwhere(seen)[:, ::-1].astype(np.int32)
        filled = cv2.fillConvexPoly(np.zeros(seen.shape, np.uint8), cv2.convexHull(points), 1)
        return np.asarray(filled, dtype=bool)
