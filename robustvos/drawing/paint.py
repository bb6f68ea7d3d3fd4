"""Paint one mask over a frame, in the box that it lies in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class PaintedMask:
    """A mask that is not empty, and the part of the frame that it lies in.

    Attributes:
        mask: ``(H, W)`` uint8, 0 and 1, of the whole frame.
        box: Left, top, right, bottom, the latter two not included.
        colour: RGB.
    """

    mask: np.ndarray
    box: tuple[int, int, int, int]
    colour: tuple[int, int, int]

    @classmethod
    def of(cls, mask: np.ndarray, colour: tuple[int, int, int]) -> PaintedMask:
        """Of a ``(H, W)`` bool mask."""
        levels = np.ascontiguousarray(mask).view(np.uint8)
        left, top, width, height = cv2.boundingRect(levels)
        return cls(levels, (left, top, left + width, top + height), colour)

    def paint(self, canvas: np.ndarray, alpha: float) -> None:
        """Blend the colour over ``canvas (3, H, W)`` uint8, by a table of what becomes of each of the 256 levels."""
        part, where = self._part(0)
        levels = np.arange(256, dtype=np.float32) * np.float32(1 - alpha)
        for channel, value in zip(canvas, self.colour, strict=True):
            table = np.rint(levels + np.float32(value) * np.float32(alpha)).clip(0, 255).astype(np.uint8)
            np.copyto(channel[part], cv2.LUT(channel[part], table), where=where)

    def outline(self, canvas: np.ndarray, thickness: int) -> None:
        """Colour the pixels of the mask within ``thickness`` of its outside; the frame's border is not an outside."""
        part, inside = self._part(thickness)
        square = np.ones((2 * thickness + 1,) * 2, np.uint8)
        rim = inside & ~cv2.erode(inside.view(np.uint8), square).view(bool)  # beyond the array everything is inside
        for channel, value in zip(canvas, self.colour, strict=True):
            channel[part][rim] = value

    def _part(self, margin: int) -> tuple[tuple[slice, slice], np.ndarray]:
        """The box with a margin, as far as the frame goes, and the mask in it."""
        left, top, right, bottom = self.box
        part = slice(max(0, top - margin), bottom + margin), slice(max(0, left - margin), right + margin)
        return part, self.mask[part].view(bool)
