"""What the grey levels of a mask mean: object ids, or how much of a pixel one object covers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

WHITE = 255
_ALMOST_WHITE = 240
_NEARLY_BLACK = 16  # what JPEG leaves around an edge on black
_FLAT_SHARE = 0.5
_MANY_LEVELS = 16
_STEP = 8
_STEPPED_SHARE = 0.7


def is_soft(values: np.ndarray) -> bool:
    """Whether a map is one white object with soft edges (anti-aliased, resized, blurred, through JPEG), and not a map of ids.

    A map of ids is flat: an object's pixels have neighbours of its own number, and only its border has others. Between the
    black and the white of a soft mask lie levels that ring one another: hardly a pixel is among its like, or, where the edge is
    wide, neighbours differ by little. Ids that are low (1 to 16) or whose objects are flat are never taken for soft, whatever
    void (255) lies around them.

    Args:
        values: ``(H, W)`` uint8.

    >>> ramp = np.array([0, 0, 0, 0, 90, 200, 255, 255, 255, 255], dtype=np.uint8)
    >>> is_soft(np.tile(ramp, (8, 1))), is_soft(np.repeat(np.tile(ramp, (8, 1)), 4, axis=1))
    (True, False)
    """
    levels = np.flatnonzero(cv2.calcHist([values], [0], None, [256], [0, 256]))
    telling = int(((levels > _NEARLY_BLACK) & (levels < WHITE)).sum())
    if not telling or levels[-1] < _ALMOST_WHITE:
        return False
    if telling >= _MANY_LEVELS and _steps_are_small(values):
        return True
    square = np.ones((3, 3), np.uint8)
    flat = (cv2.erode(values, square) == cv2.dilate(values, square)).astype(np.uint8)
    flat = cv2.dilate(flat, square).astype(bool)  # every pixel of a 3x3 square of one level
    has_inside = bool((flat & (values >= _ALMOST_WHITE)).any())
    return (has_inside or telling >= _MANY_LEVELS) and float(flat[(values > 0) & (values < WHITE)].mean()) < _FLAT_SHARE


def _steps_are_small(values: np.ndarray) -> bool:
    """Whether most neighbours that differ, and are neither black nor white, differ by a few levels."""
    small = differing = 0
    wide = values.astype(np.int16)
    for one, other in ((wide[:, 1:], wide[:, :-1]), (wide[1:], wide[:-1])):
        step = np.abs(one - other)
        differing += int((step > 0).sum())
        small += int(((step > 0) & (step <= _STEP) & (one > 0) & (other > 0)).sum())
    return differing > 0 and small / differing > _STEPPED_SHARE


def bits_of_png(path: Path) -> int:
    """Bits of a greyscale PNG's numbers, 1 to 16; 8 for any other file.

    Pillow spreads 2 and 4 bits over 0 to 255: an id of 1 would become 85 or 17.

    Source: PNG specification, 11.2.2 (IHDR).
    """
    with path.open("rb") as file:
        header = file.read(26)
    is_grey = header[:8] == b"\x89PNG\r\n\x1a\n" and header[12:16] == b"IHDR" and header[25] == 0
    return header[24] if is_grey else 8


def is_grey_ramp(image: Image.Image) -> bool:
    """Whether a palette image is a greyscale one in disguise: every index looks as its number."""
    palette = image.getpalette() if image.mode == "P" else None
    return palette is not None and palette == [index for index in range(len(palette) // 3) for _ in range(3)]
