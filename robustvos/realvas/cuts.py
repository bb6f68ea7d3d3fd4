"""Shot cuts: where two neighbouring frames have nothing in common."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import cv2
import numpy as np

_BINS = 8
_SIDE = 120


def find_shots(frames: Iterable[np.ndarray], threshold: float = 0.5) -> list[tuple[int, int]]:
    """Split a video at its cuts.

    A cut is a pair of frames whose colour histograms differ by more than ``threshold`` of their pixels, and by more than
    four times what neighbouring frames differ by at most: a flicker or a large mover is not one.

    Args:
        frames: Each ``(H, W, 3)`` uint8 RGB.
        threshold: Share of pixels, in (0, 1).

    Returns:
        ``(start, stop)`` of each shot, ``stop`` outside; none if there is no frame.
    """
    previous: np.ndarray | None = None
    steps: list[float] = []
    for frame in frames:
        current = _histogram(frame)
        if previous is not None:
            steps.append(float(np.abs(current - previous).sum()) / 2)
        previous = current
    if previous is None:
        return []
    cuts = [t + 1 for t, step in enumerate(steps) if step > threshold and step > 4 * _around(steps, t)]
    edges = [0, *cuts, len(steps) + 1]
    return list(itertools.pairwise(edges))


def _histogram(frame: np.ndarray) -> np.ndarray:
    every = max(1, max(frame.shape[:2]) // _SIDE)
    small = np.ascontiguousarray(frame[::every, ::every])
    counts = cv2.calcHist([small], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3).ravel()
    shares: np.ndarray = counts / counts.sum()
    return shares


def _around(steps: list[float], t: int, reach: int = 5) -> float:
    """The median of the steps near ``t``, itself left out."""
    near = steps[max(0, t - reach) : t] + steps[t + 1 : t + 1 + reach]
    return float(np.median(near)) if near else 0.0
