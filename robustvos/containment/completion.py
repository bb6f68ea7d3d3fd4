"""While an object goes into a container: its whole mask where a part of it is seen, and its way to rest when none is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from robustvos.containment.mask_warp import Mask, signed_distance, warp_distance

Shift = tuple[float, float]
_EQUAL = 0.25
"""Scores that differ by less than this times the side of the visible part, in pixels, count as equal: contours tremble by
about as much. Of equal places the expected one is taken."""
_FASTEST = 6.0


def align_to_visible(
    whole: Mask, visible: Mask, occluder: Mask | None, expected: Shift = (0.0, 0.0), reach: int = 40
) -> Shift:
    """The shift that brings a whole mask to where its visible part says that it is.

    Every whole shift up to ``reach`` from the expected one is scored: visible pixels that it covers, less pixels that it
    covers though the object is not seen there and nothing hides it.

    Args:
        whole: ``(H, W)`` bool, the object when all of it was seen.
        visible: ``(H, W)`` bool, what is seen of it now; not empty.
        occluder: ``(H, W)`` bool, what may hide it now; None: anything that is not visible may be hidden.
        expected: ``(x, y)`` shift in pixels to start from, which also decides between shifts that fit alike.
        reach: Pixels.

    Returns:
        ``(x, y)``, whole pixels away from ``expected``.
    """
    gain = visible.astype(np.float32)
    if occluder is not None:
        gain -= (~visible & ~occluder).astype(np.float32)
    # What the object covers where it is not seen costs a little, so that it is not pushed deeper than need be.
    gain -= 1e-3 * (~visible).astype(np.float32)
    moved = warp_distance(signed_distance(whole), _shift_matrix(expected)) > 0
    x, y, w, h = cv2.boundingRect(moved.astype(np.uint8))
    if w == 0:
        return expected
    template = moved[y : y + h, x : x + w].astype(np.float32)
    padded = np.pad(gain, reach, constant_values=-1e-3)[y : y + h + 2 * reach, x : x + w + 2 * reach]
    scores = fftconvolve(padded, template[::-1, ::-1], mode="valid")
    rows, columns = np.nonzero(scores >= scores.max() - _EQUAL * (1 + np.sqrt(visible.sum())))
    nearest = np.argmin((rows - reach) ** 2 + (columns - reach) ** 2)
    return expected[0] + float(columns[nearest] - reach), expected[1] + float(rows[nearest] - reach)


@dataclass(frozen=True)
class RestPath:
    """A mask on its eased way from one pose to another: middle and size change, its shape does from one to the other.

    Attributes:
        start: ``(H, W)`` bool.
        end: ``(H, W)`` bool.
        rate: Speed at the start, in multiples of that which reaches the end at even speed. Above 1 a thing that comes fast
            slows down; otherwise it starts and ends gently.
    """

    start: Mask
    end: Mask
    rate: float = 0.0

    def at(self, share: float) -> Mask:
        """The mask when ``share`` of the time, in [0, 1], is over."""
        if share >= 1:
            return self.end
        rate = min(self.rate, _FASTEST)
        eased = 1 - (1 - share) ** rate if rate > 1 else share * share * (3 - 2 * share)
        (first, size), (last, other) = _pose(self.start), _pose(self.end)
        middle, scale = first + eased * (last - first), size * (other / size) ** eased
        forth = _similarity(first, middle, scale / size)
        back = _similarity(last, middle, scale / other)
        blend = (1 - eased) * warp_distance(signed_distance(self.start), forth) * (scale / size)
        blend += eased * warp_distance(signed_distance(self.end), back) * (scale / other)
        return np.asarray(blend > 0)


def _pose(mask: Mask) -> tuple[NDArray[np.float64], float]:
    """Middle ``(x, y)`` and square root of the area."""
    return np.argwhere(mask)[:, ::-1].mean(0), float(np.sqrt(mask.sum()))


def _similarity(source: NDArray[np.float64], target: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    shift = target - scale * source
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1.0]])


def _shift_matrix(shift: Shift) -> NDArray[np.float64]:
    return np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])


def moved_by(mask: Mask, shift: Shift) -> Mask:
    """``(H, W)`` bool moved by ``(x, y)`` pixels."""
    return np.asarray(warp_distance(signed_distance(mask), _shift_matrix(shift)) > 0)
