"""Strokes of brush and eraser, piece by piece as they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from robustvos.errors import BadPrompt
from robustvos.web.annotation import Annotation, Mark

_LARGEST = 1000.0


@dataclass(frozen=True)
class Piece:
    """A part of a stroke.

    Attributes:
        stroke: Which stroke; all its pieces are one step to undo.
        number: Which piece of it, from 0: one that comes twice, because an answer was lost, is painted once.
        points: ``(x, y)`` in pixels of the frame; begins where the piece before ended.
        radius: Of the brush, in pixels.
        erase: Take away instead.
    """

    stroke: str
    number: int
    points: Sequence[tuple[float, float]]
    radius: float
    erase: bool = False


class Brush:
    """Paints strokes into an annotation; a stroke that is never finished is as far as it came."""

    def __init__(self, annotation: Annotation) -> None:
        self.annotation = annotation
        self._seen: dict[str, int] = {}

    def paint(self, frame: int, object_id: int, piece: Piece) -> None:
        """Paint a piece.

        Raises:
            BadPrompt: If it has no points, or numbers that are none.
        """
        values = np.asarray(piece.points, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != 2 or not len(values) or not np.isfinite(values).all():
            raise BadPrompt("a stroke needs points x, y")
        if not 0 < piece.radius <= _LARGEST:
            raise BadPrompt(f"a brush of {piece.radius} pixels cannot be drawn with")
        with self.annotation.lock:
            if piece.number <= self._seen.get(piece.stroke, -1):
                return
            mask = self.annotation.ids(frame) == object_id
            drawn = stroke_mask(values, piece.radius, self.annotation.size)
            mask = mask & ~drawn if piece.erase else mask | drawn
            self.annotation.set_mask(frame, object_id, mask, Mark(painted=True), tag=f"stroke {piece.stroke}")
            self._seen[piece.stroke] = piece.number


def stroke_mask(points: np.ndarray, radius: float, size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool, what a round brush covers along ``(N, 2)`` points.

    >>> int(stroke_mask(np.array([[5.0, 5.0]]), 0.5, (11, 11)).sum())
    1
    """
    canvas = np.zeros(size, np.uint8)
    height, width = size
    clipped = np.clip(points, -4 * _LARGEST, 4 * _LARGEST + max(height, width)).round().astype(np.int32)
    if radius >= 1:
        for x, y in clipped[:: max(1, len(clipped) // 512)]:
            cv2.circle(canvas, (int(x), int(y)), round(radius), 1, -1)
        for (x0, y0), (x1, y1) in pairwise(clipped):
            cv2.line(canvas, (int(x0), int(y0)), (int(x1), int(y1)), 1, max(1, round(2 * radius)))
    else:
        cv2.polylines(canvas, [clipped.reshape(-1, 1, 2)], False, 1, 1)
    x, y = clipped[-1]
    cv2.circle(canvas, (int(x), int(y)), round(radius) if radius >= 1 else 0, 1, -1)
    return canvas.astype(bool)
