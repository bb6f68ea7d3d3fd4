"""How much a tracked part looks like itself in the reference: as a whole, and around single points."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def likeness(
    reference: NDArray[Any], rectified: NDArray[Any], part: NDArray[np.bool_], window: int = 15, share: float = 0.75
) -> float:
    """How much a rectified part looks like the reference: local correlations, of which the best are believed.

    A hand that passes hides some windows and leaves the others alike; a container that was lost leaves none. So the
    figure is a high quantile of the normalised cross-correlations of small windows, of those with texture.

    Args:
        reference: ``(h, w)`` uint8.
        rectified: ``(h, w)`` uint8, the frame brought to the reference's pixels.
        part: ``(h, w)`` bool, pixels that count.
        window: Side of a window, pixels.
        share: Which quantile; 0.75 believes the part if a quarter of it looks alike.

    Returns:
        In [-1, 1]; NaN if no window has texture.
    """
    a, b = reference.astype(np.float32), rectified.astype(np.float32)

    def mean(image: NDArray[Any]) -> NDArray[Any]:
        return cv2.boxFilter(image, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REFLECT)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    inner = cv2.erode(part.astype(np.uint8), np.ones((window // 2, window // 2), np.uint8), borderValue=0) > 0
    chosen = inner & (var_a > 16)
    if not chosen.any():
        return float("nan")
    correlation = (mean(a * b) - mean_a * mean_b) / np.sqrt(np.maximum(var_a * var_b, 1.0))
    return float(np.quantile(correlation[chosen], share))


def patch_likeness(
    a: NDArray[Any], at: NDArray[Any], b: NDArray[Any], there: NDArray[Any], side: int = 11
) -> NDArray[np.float32]:
    """``(P,)`` normalised cross-correlations of the surroundings of points of two pictures."""
    if len(at) == 0:
        return np.zeros(0, np.float32)
    step = np.arange(side, dtype=np.float32) - side // 2
    patches = []
    for picture, points in ((a, at), (b, there)):
        columns = np.repeat(points[:, :1] + step, side, axis=0)
        rows = (points[:, 1:] + step).reshape(-1, 1) + np.zeros((1, side), np.float32)
        taken = cv2.remap(picture.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        flat = taken.reshape(len(points), -1)
        patches.append(flat - flat.mean(1, keepdims=True))
    scale = np.linalg.norm(patches[0], axis=1) * np.linalg.norm(patches[1], axis=1)
    return np.asarray((patches[0] * patches[1]).sum(1) / np.maximum(scale, 1.0), np.float32)
