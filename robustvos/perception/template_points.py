"""Points followed by looking for the patch around them, as it was when they were given."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from robustvos.errors import UserError
from robustvos.perception.frames import check_frame, to_grey
from robustvos.perception.points import PointTracker, PointTracks


class TemplateMatching(PointTracker):
    """The place, near where the point was last, that correlates best with the patch around it on its query frame.

    Blind to brightness and contrast, so that it holds on where light changes; without drift, because the patch is never
    renewed; it finds a point again that was hidden, as long as that is near. It knows translations alone: what turns or grows
    is lost.

    Args:
        patch: Side of the patch in pixels, odd, at least 5.
        reach: How far a point may move from one frame to the next, in pixels.
        likeness: Lowest normalised correlation, in (0, 1).

    Raises:
        UserError: If an argument is out of range.

    Source: normalised cross-correlation, Lewis, Vision Interface 1995; the fraction of a pixel from a parabola.
    """

    name = "template"

    def __init__(self, patch: int = 21, reach: int = 16, likeness: float = 0.8) -> None:
        if patch < 5 or patch % 2 == 0 or reach < 1 or not 0 < likeness < 1:
            raise UserError(
                f"template: patch {patch}, reach {reach}, likeness {likeness:g}; give an odd number from 5, at least 1, and "
                "in (0, 1)"
            )
        self.patch, self.reach, self.likeness = patch, reach, likeness

    def follow(self, frames: Sequence[Tensor], queries: Tensor, size: tuple[int, int]) -> PointTracks:
        """See the base class."""
        start = queries[:, 0].long().numpy()
        points = np.tile(queries[:, 1:].numpy().astype(np.float32), (len(frames), 1, 1))
        visible = np.zeros(points.shape[:2], dtype=bool)
        patches: dict[int, np.ndarray] = {}
        for t in range(len(frames)):
            check_frame(frames[t], size)
            grey = to_grey(frames[t])
            for index in np.flatnonzero(start < t).tolist():
                found = self._find(grey, patches[index], points[t - 1, index])
                points[t, index] = points[t - 1, index] if found is None else found
                visible[t, index] = found is not None
            for index in np.flatnonzero(start == t).tolist():
                patches[index] = _cut(grey, points[t, index], self.patch)
                visible[t, index] = True
        return PointTracks(torch.from_numpy(points), torch.from_numpy(visible))

    def _find(self, grey: np.ndarray, patch: np.ndarray, before: np.ndarray) -> np.ndarray | None:
        """Where ``patch`` is, near ``before``; None if nothing is like it, or it is centred outside the picture."""
        around = _cut(grey, before, self.patch + 2 * self.reach + 2)
        scores = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
        _, best, _, (column, row) = cv2.minMaxLoc(scores)
        edge = scores.shape[0] - 1
        if not self.likeness <= best <= 1.001 or not (0 < row < edge and 0 < column < edge):
            return None
        x = before[0] + column - edge / 2 + _vertex(*scores[row, column - 1 : column + 2])
        y = before[1] + row - edge / 2 + _vertex(*scores[row - 1 : row + 2, column])
        inside = 0 <= x <= grey.shape[1] - 1 and 0 <= y <= grey.shape[0] - 1
        return np.array([x, y], np.float32) if inside else None


def _cut(grey: np.ndarray, centre: np.ndarray, side: int) -> np.ndarray:
    """``(side, side)`` float32 around a point, to a fraction of a pixel; the edge is repeated outside."""
    return cv2.getRectSubPix(grey.astype(np.float32), (side, side), tuple(map(float, centre)))


def _vertex(left: float, middle: float, right: float) -> float:
    """Where the parabola through three neighbours has its top, from the middle one, in [-1/2, 1/2].

    >>> _vertex(0.0, 1.0, 1.0), _vertex(1.0, 1.0, 0.0)
    (0.5, -0.5)
    """
    curvature = left - 2.0 * middle + right
    return 0.5 * float(left - right) / float(curvature) if curvature < 0 else 0.0
