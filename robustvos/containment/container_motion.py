"""How a rigid part moves: a homography from its settled reference frame to every other frame.

Points of the part are tracked by pyramidal Lucas-Kanade from the frame before, which predicts the motion; the frame is
then rectified by that prediction and the points are found in it once more **from the reference**, so that errors do not
add up. Where few points agree a similarity is fitted instead, and a translation where fewer still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.containment.likeness import likeness, patch_likeness

_NEW: Any = None
"""Where OpenCV writes a result: a new array. Its type stubs know no None."""

# cv2's stubs know arrays without their element types only.
Gray = NDArray[Any]
"""``(H, W)`` uint8."""
Matrix = NDArray[Any]
"""``(3, 3)`` float64, a homography."""
Points = NDArray[Any]
"""``(P, 2)`` float32, ``(x, y)`` in pixels."""

_WINDOW = {"winSize": (21, 21), "maxLevel": 4}
_NEAR = {"winSize": (17, 17), "maxLevel": 1}
_EPSILON = 1e-9


@dataclass(frozen=True)
class MotionSettings:
    """How points are chosen and tracked.

    Attributes:
        max_points: At most so many points of the part.
        quality: Least corner strength, relative to the strongest (``cv2.goodFeaturesToTrack``).
        spacing: Least distance of two points, pixels.
        back_error: A point counts if it returns to within so many pixels when tracked back.
        patch_likeness: And if its surroundings correlate with the reference's by more than this: under a hand they do not.
        reach: And if it is within so many pixels of where the motion predicts it; more than parallax explains.
        inlier_error: RANSAC's threshold, pixels.
        homography_from: Least number of agreeing points for a homography.
        similarity_from: Least number for a similarity; a translation below.
        spread: Least share of the reference points' hull that agreeing points must span for a homography.
        resume_from: Least likeness of a frame from which the next one is tracked.
    """

    max_points: int = 400
    quality: float = 0.003
    spacing: float = 5.0
    back_error: float = 0.7
    patch_likeness: float = 0.6
    reach: float = 16.0
    inlier_error: float = 1.0
    homography_from: int = 12
    similarity_from: int = 4
    spread: float = 0.15
    resume_from: float = 0.6


@dataclass(frozen=True)
class PartMotion:
    """Where the part is in one frame.

    Attributes:
        matrix: ``(3, 3)`` homography from pixels of the reference frame to pixels of this one.
        model: ``reference``, ``homography``, ``similarity``, ``translation`` or ``none``, for which ``matrix`` is that of
            the frame before.
        points: ``(P, 2)`` the tracked points in this frame; meaningful where ``tracked``.
        tracked: ``(P,)`` bool, points that were found.
        inliers: ``(P,)`` bool, found points that move as ``matrix`` says.
        likeness: Agreement with the reference in [-1, 1], see :func:`likeness`; NaN where it cannot be said.
    """

    matrix: Matrix
    model: str
    points: Points
    tracked: NDArray[np.bool_]
    inliers: NDArray[np.bool_]
    likeness: float


class PartTracker:
    """Follow a rigid part, frame after frame, in either direction of time.

    Args:
        reference: ``(H, W)`` uint8 grey frame in which the part is settled.
        part: ``(H, W)`` bool, the part in it.
        settings: How points are tracked.
    """

    def __init__(self, reference: Gray, part: NDArray[np.bool_], settings: MotionSettings | None = None) -> None:
        self.settings = settings or MotionSettings()
        self.reference, self.part = reference, part
        # The neighbourhood of a point at the rim holds things that do not move with the part.
        inner = cv2.erode(part.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0)
        s = self.settings
        found = cv2.goodFeaturesToTrack(reference, s.max_points, s.quality, s.spacing, mask=inner)
        self.points: Points = np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)
        self._hull = _hull_area(self.points)
        self._window = _bounds(part, margin=24)
        self._last, self._matrix = reference, np.eye(3)

    def resume(self, frame: Gray, matrix: Matrix) -> None:
        """Go on from ``frame``, in which the part is at ``matrix``."""
        self._last, self._matrix = frame, matrix

    def step_by(self, frame: Gray, where: Points, seen: NDArray[np.bool_]) -> PartMotion:
        """The part in ``frame`` by what a point tracker says of ``points``: ``(P, 2)`` places, ``(P,)`` whether seen."""
        found, inliers = self._fit(self.points, where.astype(np.float32), seen)
        matrix = self._matrix if found is None else found
        motion = PartMotion(matrix, self._model, where, seen, inliers, self._likeness(frame, matrix))
        if found is not None:
            self._last, self._matrix = frame, matrix
        return motion

    def step(self, frame: Gray, guess: Matrix | None = None) -> PartMotion:
        """Find the part in the next ``(H, W)`` uint8 frame, or in any frame, given a guess of where it is there."""
        if guess is None:
            guess, _ = self._fit(self.points, *self._from_last(frame))
        matrix = self._matrix if guess is None else guess
        model, tracked, inliers = "none", np.zeros(len(self.points), bool), np.zeros(len(self.points), bool)
        where = transform(self.points, matrix)
        for _ in range(2):  # the second look starts from a better rectified frame
            found, ok = self._from_reference(frame, matrix)
            if not ok.any():
                break
            refined, agree = self._fit(self.points, found, ok)
            if refined is None:
                break
            matrix, where, tracked, inliers = refined, found, ok, agree
            model = self._model
        if model == "none":
            matrix = self._matrix
        motion = PartMotion(matrix, model, where, tracked, inliers, self._likeness(frame, matrix))
        if inliers.sum() >= self.settings.homography_from and motion.likeness >= self.settings.resume_from:
            # Otherwise something stands before the part: it is looked for again from where it was last seen.
            self._last, self._matrix = frame, matrix
        return motion

    def _from_last(self, frame: Gray) -> tuple[Points, NDArray[np.bool_]]:
        """The points in ``frame``, as they moved since the frame before."""
        return _track(self._last, frame, transform(self.points, self._matrix), self.settings.back_error, _WINDOW)

    def _from_reference(self, frame: Gray, matrix: Matrix) -> tuple[Points, NDArray[np.bool_]]:
        """The points in ``frame``, looked for from the reference in the rectified frame."""
        (x, y, w, h), offset = self._window, np.array(self._window[:2], np.float32)
        into = matrix @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
        rectified = cv2.warpPerspective(frame, into, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        start = self.points - offset
        found, ok = _track(self.reference[y : y + h, x : x + w], rectified, start, self.settings.back_error, _NEAR)
        ok &= np.abs(found - start).max(1, initial=0) < self.settings.reach
        alike = patch_likeness(self.reference[y : y + h, x : x + w], start, rectified, found)
        return transform(found, into), ok & (alike > self.settings.patch_likeness)

    def _fit(self, source: Points, target: Points, ok: NDArray[np.bool_]) -> tuple[Matrix | None, NDArray[np.bool_]]:
        """The richest model that the points carry, and which points agree with it."""
        s, agree = self.settings, np.zeros(len(source), bool)
        a, b = source[ok], target[ok]
        self._model = "none"
        if len(a) >= s.homography_from:
            matrix, inlier = cv2.findHomography(a, b, cv2.RANSAC, s.inlier_error, maxIters=2000, confidence=0.999)
            if matrix is not None and self._carries(a, inlier.ravel() > 0, matrix):
                agree[np.flatnonzero(ok)[inlier.ravel() > 0]] = True
                self._model = "homography"
                return matrix, agree
        if len(a) >= s.similarity_from:
            affine, inlier = cv2.estimateAffinePartial2D(a, b, method=cv2.RANSAC, ransacReprojThreshold=s.inlier_error)
            if affine is not None and (inlier > 0).sum() >= s.similarity_from:
                agree[np.flatnonzero(ok)[inlier.ravel() > 0]] = True
                self._model = "similarity"
                return np.vstack([affine, [0, 0, 1]]), agree
        if len(a) == 0:
            return None, agree
        moved = np.median(b - transform(a, self._matrix), axis=0)
        agree[ok] = np.abs(b - transform(a, self._matrix) - moved).max(1) < s.inlier_error
        self._model = "translation"
        return np.array([[1, 0, moved[0]], [0, 1, moved[1]], [0, 0, 1.0]]) @ self._matrix, agree

    def _carries(self, points: Points, inliers: NDArray[Any], matrix: Matrix) -> bool:
        """Whether a homography is borne out: enough points, spread over the part, and no part of it turned over."""
        if (
            inliers.sum() < self.settings.homography_from
            or _hull_area(points[inliers]) < self.settings.spread * self._hull
        ):
            return False
        corners = _corners(self._window)
        depth = corners @ matrix[2, :2] + matrix[2, 2]
        return bool(np.linalg.det(matrix) > 0 and depth.min() > 0.2 * depth.max())

    def _likeness(self, frame: Gray, matrix: Matrix) -> float:
        x, y, w, h = self._window
        into = matrix @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        rectified = cv2.warpPerspective(frame, into, (w, h), flags=flags)
        inside = cv2.warpPerspective(np.ones_like(frame), into, (w, h), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        part = self.part[y : y + h, x : x + w] & (inside > 0)
        return likeness(self.reference[y : y + h, x : x + w], rectified, part)


def matrix_between(known: Mapping[int, Matrix], t: int, gap: int | None = None) -> Matrix | None:
    """The homography of a frame: as known, or between those of the nearest known frames.

    Args:
        known: Homographies by frame.
        t: The frame.
        gap: Frames between these two at most; None: any number.

    Returns:
        None where a neighbour is missing or they are too far apart.
    """
    if t in known:
        return known[t]
    before, after = max((k for k in known if k < t), default=None), min((k for k in known if k > t), default=None)
    if before is None or after is None or (gap is not None and after - before > gap):
        return None
    share = (t - before) / (after - before)
    a, b = (known[k] / known[k][2, 2] for k in (before, after))
    return np.asarray((1 - share) * a + share * b)


def transform(points: Points, matrix: Matrix) -> Points:
    """Points ``(P, 2)`` moved by a homography."""
    if len(points) == 0:
        return points.reshape(0, 2).astype(np.float32)
    return (
        cv2.perspectiveTransform(points.reshape(-1, 1, 2).astype(np.float64), matrix).reshape(-1, 2).astype(np.float32)
    )


def _track(
    before: Gray, after: Gray, points: Points, back_error: float, options: dict[str, Any]
) -> tuple[Points, NDArray[np.bool_]]:
    """Points in the next picture, and which of them came back when tracked backwards."""
    if len(points) == 0:
        return points, np.zeros(0, bool)
    start = points.reshape(-1, 1, 2).astype(np.float32)
    there, seen, _ = cv2.calcOpticalFlowPyrLK(before, after, start, _NEW, **options)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, _NEW, **options)
    error = np.linalg.norm((back - start).reshape(-1, 2), axis=1)
    height, width = after.shape
    place = there.reshape(-1, 2)
    inside = (place >= 0).all(1) & (place[:, 0] < width) & (place[:, 1] < height)
    return place, (seen.ravel() > 0) & (returned.ravel() > 0) & (error < back_error) & inside


def _hull_area(points: Points) -> float:
    return float(cv2.contourArea(cv2.convexHull(points))) if len(points) >= 3 else 0.0


def _bounds(mask: NDArray[np.bool_], margin: int) -> tuple[int, int, int, int]:
    """``x, y, w, h`` of a mask with a margin, inside the frame."""
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    x0, y0 = max(0, x - margin), max(0, y - margin)
    return x0, y0, min(width, x + w + margin) - x0, min(height, y + h + margin) - y0


def _corners(window: tuple[int, int, int, int]) -> NDArray[np.float64]:
    x, y, w, h = window
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
