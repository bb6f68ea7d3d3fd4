"""Frames as OpenCV wants them: ``(H, W, 3)`` uint8, RGB, contiguous."""

from __future__ import annotations

import cv2
import numpy as np
from torch import Tensor

ANALYSIS_SIDE = 480
"""Longest side in pixels at which videos are searched; distances given in pixels of this size scale with it."""


def to_array(frame: Tensor) -> np.ndarray:
    """``(3, H, W)`` uint8 as ``(H, W, 3)``."""
    picture: np.ndarray = cv2.merge([plane.numpy() for plane in frame])
    return picture


def shrink_factor(size: tuple[int, int], longest: int) -> float:
    """By what ``(H, W)`` is multiplied so that no side exceeds ``longest``; at most 1."""
    return min(1.0, longest / max(size))


def shrink(picture: np.ndarray, longest: int = ANALYSIS_SIDE) -> np.ndarray:
    """A picture, or a float plane, with no side above ``longest``; pixels are averaged, or interpolated if few meet."""
    factor = shrink_factor(picture.shape[:2], longest)
    if factor == 1.0:
        return picture
    how = cv2.INTER_AREA if factor < 0.6 else cv2.INTER_LINEAR  # at this size a third of the time
    return cv2.resize(picture, shrunk_size(picture.shape[:2], longest)[::-1], interpolation=how)


def shrunk_size(size: tuple[int, int], longest: int = ANALYSIS_SIDE) -> tuple[int, int]:
    """``(H, W)`` of what :func:`shrink` returns; no side below 1."""
    factor = shrink_factor(size, longest)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool at another ``size``; a pixel is set where at least half of it is covered."""
    if mask.shape == size:
        return mask
    area = size[0] < mask.shape[0]
    share = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA if area else cv2.INTER_LINEAR)
    return share >= 0.5


def grey(picture: np.ndarray) -> np.ndarray:
    """``(H, W)`` uint8 luma."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def evenly(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` indices of ``count``, evenly spread, ends included.

    >>> evenly(10, 4)
    [0, 3, 6, 9]
    """
    if count <= wanted:
        return list(range(count))
    return [int(i) for i in np.linspace(0, count - 1, wanted).round()]


def box_of(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """``x0, y0, x1, y1`` around the pixels of ``(H, W)`` bool, the last two outside; None if there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def grow_box(box: tuple[int, int, int, int], margin: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box with ``margin`` more pixels on each side, within ``(H, W)``."""
    height, width = size
    return max(0, box[0] - margin), max(0, box[1] - margin), min(width, box[2] + margin), min(height, box[3] + margin)


def disc(radius: float) -> np.ndarray:
    """Structuring element: a disc, for ``cv2.erode`` and its kin; one pixel for a radius below 1."""
    side = 2 * int(radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """``(H, W)`` bool with everything set that no path of unset pixels joins to the border."""
    padded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(padded, None, (0, 0), 2)
    filled: np.ndarray = padded[1:-1, 1:-1] != 2
    return filled
