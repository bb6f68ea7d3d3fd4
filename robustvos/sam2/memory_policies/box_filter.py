"""A Kalman filter of a box that keeps its velocity: centre, aspect and height."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_POSITION, _VELOCITY = 1 / 20, 1 / 160  # deviations, in heights of the box
_ASPECT, _ASPECT_PACE, _ASPECT_SEEN = 1e-2, 1e-5, 1e-1
_LEAST_HEIGHT = 1.0  # pixels: a box of one row has height 0, and without deviations nothing could be solved


class BoxFilter:
    """Where a box is and how it moves, from boxes ``x0, y0, x1, y1`` that are found, in pixels.

    Args:
        box: The first one.

    >>> follow = BoxFilter(np.array([0.0, 0.0, 10.0, 20.0]))
    >>> for step in range(1, 30):
    ...     _ = follow.predict()
    ...     follow.update(np.array([2.0 * step, 0.0, 10.0 + 2 * step, 20.0]))
    >>> follow.predict().round().astype(int).tolist()  # -0.0 on some machines
    [60, 0, 70, 20]

    Source: the noise of DeepSORT (Wojke et al., ICIP 2017), which SAMURAI uses.
    """

    def __init__(self, box: Array) -> None:
        self._mean = np.concatenate([_measured(box), np.zeros(4)])
        height = self._height()
        place, pace = 2 * _POSITION * height, 10 * _VELOCITY * height
        self._spread = np.diag(np.square([place, place, _ASPECT, place, pace, pace, _ASPECT_PACE, pace]))

    def predict(self) -> Array:
        """Go on by a frame; the box that is expected there."""
        height = self._height()
        place, pace = _POSITION * height, _VELOCITY * height
        step = np.eye(8) + np.eye(8, k=4)
        self._mean = step @ self._mean
        noise = np.diag(np.square([place, place, _ASPECT, place, pace, pace, _ASPECT_PACE, pace]))
        self._spread = step @ self._spread @ step.T + noise
        return self.box

    def update(self, box: Array) -> None:
        """Take the box that was found on this frame."""
        place = _POSITION * self._height()
        seen = self._spread[:4, :4] + np.diag(np.square([place, place, _ASPECT_SEEN, place]))
        gain = np.linalg.solve(seen, self._spread[:, :4].T).T
        self._mean = self._mean + gain @ (_measured(box) - self._mean[:4])
        self._spread = self._spread - gain @ seen @ gain.T

    def _height(self) -> float:
        """What deviations are measured in."""
        return max(float(self._mean[3]), _LEAST_HEIGHT)

    @property
    def box(self) -> Array:
        """``x0, y0, x1, y1``."""
        middle, (aspect, height) = self._mean[:2], self._mean[2:4]
        half = np.array([aspect * height, height]) / 2
        return np.concatenate([middle - half, middle + half])


def box_of_mask(mask: NDArray[np.bool_]) -> Array:
    """``x0, y0, x1, y1`` of the first and last pixels of an ``(H, W)`` bool mask; zeros if it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.zeros(4)
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float64)


def box_iou(a: Array, b: Array) -> float:
    """Of two boxes; 0 where both have no area.

    >>> box_iou(np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2]))
    0.3333333333333333
    """
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    whole = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common
    return common / whole if whole > 0 else 0.0


def _measured(box: Array) -> Array:
    width, height = box[2:] - box[:2]
    middle = (box[:2] + box[2:]) / 2
    return np.array([middle[0], middle[1], width / height if height > 0 else 0.0, height])
