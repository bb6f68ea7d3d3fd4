"""Pyramidal Lucas-Kanade: points followed by their surroundings' gradients, checked by going back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from robustvos.errors import UserError
from robustvos.perception.frames import check_frame, to_grey
from robustvos.perception.points import PointTracker, PointTracks

_INLIER_PX = 1.5  # of the homography
_FEWEST = {"homography": 12, "similarity": 4}  # inliers below which a simpler motion is fitted
_NO_POINTS = np.zeros((0, 2), np.float32)


class LucasKanade(PointTracker):
    """Each point on its own, from frame to frame; lost for good where the way back misses it.

    Args:
        back_px: Largest distance, in pixels, between a point and where going forwards and back ends.
        window: Side of the window that is compared, in pixels.
        levels: Of the pyramid, above the first.

    Raises:
        UserError: If an argument is out of range.

    Source: Bouguet's pyramidal form of Lucas and Kanade, IJCAI 1981; forward-backward: Kalal et al., ICPR 2010.
    """

    name = "lucas_kanade"

    def __init__(self, back_px: float = 0.7, window: int = 21, levels: int = 3) -> None:
        if not back_px > 0 or window < 3 or levels < 0:
            raise UserError(
                f"{self.name}: back_px {back_px:g}, window {window}, levels {levels}; give above 0, at least 3, at least 0"
            )
        self.back_px = back_px
        self.settings: dict[str, Any] = {
            "winSize": (window, window),
            "maxLevel": levels,
            "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01),
        }

    def follow(self, frames: Sequence[Tensor], queries: Tensor, size: tuple[int, int]) -> PointTracks:
        """See the base class."""
        start = queries[:, 0].long().numpy()
        points = np.tile(queries[:, 1:].numpy().astype(np.float32), (len(frames), 1, 1))
        visible = np.zeros(points.shape[:2], dtype=bool)
        before: np.ndarray | None = None
        for t in range(len(frames)):
            check_frame(frames[t], size)
            grey = to_grey(frames[t])
            if before is not None:
                points[t] = np.where((start < t)[:, None], points[t - 1], points[t])
                alive = visible[t - 1]
                points[t, alive], visible[t, alive] = self.step(before, grey, points[t - 1, alive])
            visible[t] |= start == t
            before = grey
        return PointTracks(torch.from_numpy(points), torch.from_numpy(visible))

    def step(self, before: np.ndarray, after: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Follow ``(N, 2)`` float32 points from one grey picture to another.

        Returns:
            Where they are, ``(N, 2)``, and which of them can be trusted, ``(N,)`` bool. A point that cannot stays where it was.
        """
        if not len(points):
            return _NO_POINTS, np.zeros(0, dtype=bool)
        flow: Any = cv2.calcOpticalFlowPyrLK  # its type does not know that None may stand for the first guess
        there, found, _ = flow(before, after, points[:, None], None, **self.settings)
        back, returned, _ = flow(after, before, there, None, **self.settings)
        there, back = there[:, 0], back[:, 0]
        height, width = after.shape
        inside = (there >= 0).all(1) & (there[:, 0] <= width - 1) & (there[:, 1] <= height - 1)
        near = np.linalg.norm(back - points, axis=1) < self.back_px
        trusted = (found[:, 0] == 1) & (returned[:, 0] == 1) & inside & near
        return np.where(trusted[:, None], there, points), trusted


class PlanarLucasKanade(LucasKanade):
    """All points of a query frame as one flat thing: no drift, because every frame is registered to the query frame again.

    From frame to frame as :class:`LucasKanade` to predict the motion from the query frame; the frame is rectified by it, and
    the points of the query frame are looked for in the rectified frame; the homography is fitted anew to those that are found.
    With fewer than 12 inliers a similarity is fitted, below 4 a translation. All points move with the fit; visible are its
    inliers. Where nothing is found any more the points stay, invisible.

    Made for a part that stays one flat thing while it moves, turns, comes nearer or swings on a hinge.
    """

    name = "planar_lucas_kanade"

    def follow(self, frames: Sequence[Tensor], queries: Tensor, size: tuple[int, int]) -> PointTracks:
        """See the base class."""
        points = np.tile(queries[:, 1:].numpy().astype(np.float32), (len(frames), 1, 1))
        visible = np.zeros(points.shape[:2], dtype=bool)
        starts = queries[:, 0].long().numpy()
        for start in np.unique(starts):
            group = np.flatnonzero(starts == start)
            points[start:, group], visible[start:, group] = self._follow_plane(
                frames, int(start), points[start, group], size
            )
        return PointTracks(torch.from_numpy(points), torch.from_numpy(visible))

    def _follow_plane(
        self, frames: Sequence[Tensor], start: int, origin: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        reference = before = to_grey(frames[start])
        motion = np.eye(3)
        paths, seen = [origin], [np.ones(len(origin), dtype=bool)]
        for t in range(start + 1, len(frames)):
            check_frame(frames[t], size)
            grey = to_grey(frames[t])
            there, trusted = self.step(before, grey, warped(origin, motion))
            predicted = fit_motion(origin[trusted], there[trusted])
            found = self._registered(reference, grey, origin, motion if predicted is None else predicted[0])
            if found is None:
                seen.append(np.zeros(len(origin), dtype=bool))
            else:
                motion, inliers = found
                seen.append(inliers)
            paths.append(warped(origin, motion))
            before = grey
        return np.stack(paths), np.stack(seen)

    def _registered(
        self, reference: np.ndarray, grey: np.ndarray, origin: np.ndarray, motion: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The motion from the reference to ``grey``, refined from a prediction; and its inliers among ``origin``."""
        height, width = grey.shape
        back = np.linalg.inv(motion)
        rectified = cv2.warpPerspective(grey, back, (width, height), borderMode=cv2.BORDER_REPLICATE)
        there, trusted = self.step(reference, rectified, origin)
        refined = fit_motion(origin[trusted], warped(there[trusted], motion))
        if refined is None:
            return None
        inliers = np.zeros(len(origin), dtype=bool)
        inliers[np.flatnonzero(trusted)[refined[1]]] = True
        return refined[0], inliers


def fit_motion(origin: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The motion of a plane that takes ``origin`` to ``there``, both ``(N, 2)``: as free as the inliers allow.

    Returns:
        ``(3, 3)`` float64 and the inliers ``(N,)`` bool; None without points, or where no fit can be inverted.
    """
    if not len(origin):
        return None
    cv2.setRNGSeed(0)  # RANSAC draws
    if len(origin) >= _FEWEST["homography"]:
        matrix, inliers = cv2.findHomography(origin, there, cv2.RANSAC, _INLIER_PX)
        if matrix is not None and int(inliers.sum()) >= _FEWEST["homography"] and _is_sound(matrix):
            return matrix, inliers[:, 0].astype(bool)
    if len(origin) >= _FEWEST["similarity"]:
        rows, inliers = cv2.estimateAffinePartial2D(
            origin[:, None], there[:, None], method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX
        )
        if rows is not None and int(inliers.sum()) >= _FEWEST["similarity"]:
            matrix = np.vstack([rows, [0.0, 0.0, 1.0]])
            if _is_sound(matrix):
                return matrix, inliers[:, 0].astype(bool)
    shift = np.median(there - origin, axis=0)
    matrix = np.eye(3)
    matrix[:2, 2] = shift
    near = np.linalg.norm(there - origin - shift, axis=1) <= _INLIER_PX
    return (matrix, near) if near.any() else None


def warped(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """``(N, 2)`` float32 points moved by a homography ``(3, 3)``."""
    if not len(points):
        return _NO_POINTS
    return cv2.perspectiveTransform(points[:, None].astype(np.float64), motion)[:, 0].astype(np.float32)


def _is_sound(matrix: np.ndarray) -> bool:
    """Whether a motion keeps sides: finite, not mirrored, not flattened."""
    return bool(np.isfinite(matrix).all()) and float(np.linalg.det(matrix[:2, :2])) > 1e-3
