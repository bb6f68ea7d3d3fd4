"""Binary images as Python integers, one bit a pixel, for exact morphology at word speed.

Bit ``y * stride + x`` is pixel ``(x, y)``. A shift by 1 moves the image by one column, a shift by ``stride`` by one
row; and, or and count work on 30 pixels at a time. ``stride`` exceeds the width, so that what leaves a row at one side
falls into the gap and not into the next row.
"""

from __future__ import annotations

import math

import numpy as np


def pack(image: np.ndarray, stride: int) -> int:
    """Pack ``(H, W)`` bool; ``stride`` is at least ``W``."""
    height, width = image.shape
    padded = np.zeros((height, stride), dtype=bool)
    padded[:, :width] = image
    return int.from_bytes(np.packbits(padded, bitorder="little").tobytes(), "little")


def dilate_by_disk(bits: int, stride: int, radius: float) -> int:
    """Every pixel within ``radius`` of a set pixel, and possibly pixels in the gap between rows.

    The disk is a stack of horizontal runs. From its top towards its middle the runs grow, so each is grown out of the
    one before; the upper and the lower half are stacked up on the way.

    Args:
        bits: The image; no pixel may be set in the last ``floor(radius)`` columns of the stride.
        stride: Bits from one row to the next.
        radius: In pixels, at least 0; exact for any number.

    Returns:
        The dilated image. Pixels may lie above the last row, never below the first.
    """
    run, half_width = bits, 0
    downward = upward = 0
    for half in _half_widths(radius):
        while half_width < half:
            # A run grows gaplessly by at most its own length.
            step = min(half - half_width, 2 * half_width + 1)
            run |= run << step | run >> step
            half_width += step
        downward = downward << stride | run
        upward = upward >> stride | run
    return downward | upward


def _half_widths(radius: float) -> list[int]:
    """Largest ``x`` with ``x^2 + y^2 <= radius^2`` for each ``y`` from the disk's top to its middle.

    >>> _half_widths(2)
    [0, 1, 2]
    """
    return [math.isqrt(math.floor(radius * radius) - y * y) for y in range(math.floor(radius), -1, -1)]
