"""Carry a mask along a homography, to a fraction of a pixel: its signed distance is warped, not its bits."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def signed_distance(mask: Mask) -> NDArray[np.float32]:
    """Distance of each pixel's middle to the contour of ``(H, W)`` bool, pixels: positive inside, negative outside.

    >>> signed_distance(np.array([[0, 1, 1]], bool)).tolist()
    [[-0.5, 0.5, 1.5]]
    """
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(mask, inside - 0.5, 0.5 - outside).astype(np.float32)


def warp_distance(distance: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """A signed distance map moved by ``matrix``, a homography; far outside where nothing is known.

    Its values keep the pixels of where they come from; only their sign means something where ``matrix`` scales.
    """
    height, width = distance.shape
    flags = cv2.INTER_LINEAR
    moved = cv2.warpPerspective(distance, matrix, (width, height), flags=flags, borderValue=-float(height + width))
    return np.asarray(moved, np.float32)


def warp_mask(mask: Mask, matrix: NDArray[np.float64]) -> Mask:
    """``(H, W)`` bool moved by a homography from its pixels to those of the new frame.

    >>> square = np.zeros((9, 9), bool)
    >>> square[2:5, 2:5] = True
    >>> warp_mask(square, np.array([[1, 0, 3], [0, 1, 2], [0, 0, 1.0]])).nonzero()[1].tolist()
    [5, 6, 7, 5, 6, 7, 5, 6, 7]
    """
    return np.asarray(warp_distance(signed_distance(mask), np.asarray(matrix, np.float64)) > 0)


def overlap(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks; 1 if both are empty."""
    union = np.count_nonzero(a | b)
    return 1.0 if union == 0 else float(np.count_nonzero(a & b) / union)
