"""Does the camera stand still? Features of the median of the frames, looked for in each frame.

The first frame will not do as a reference (its features sit on what moves), nor will phase correlation (a large mover or a flat
wall decides it). Two figures: *inliers*, the share of features that move together, and *drift*, the displacement they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from robustvos.realvas.pictures import grey

Verdict = Literal["static", "moving", "undecided"]

_FLOW: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 3}
_ROUND_TRIP_PX = 0.5
_RANSAC_PX = 1.0


@dataclass(frozen=True)
class CameraLimits:
    """Where the verdict changes; all of them measured on 36 clips.

    Attributes:
        static_inliers: At least this share of features must move together in the median frame ...
        static_drift: ... and by at most this much in 95 of 100 frames, in pixels at the analysis size.
        moving_inliers: Below this share the camera moves, or the shots change.
    """

    static_inliers: float = 0.15
    static_drift: float = 1.0
    moving_inliers: float = 0.1


@dataclass(frozen=True)
class CameraMotion:
    """What was measured.

    Attributes:
        inliers: Median over frames of the share of features that follow one similarity.
        drift: 95th percentile over frames of the median displacement of these features, in pixels.
    """

    inliers: float
    drift: float

    def verdict(self, limits: CameraLimits) -> Verdict:
        """``moving`` goes by the inliers alone: where few agree, their drift means nothing."""
        if self.inliers < limits.moving_inliers:
            return "moving"
        if self.inliers >= limits.static_inliers and self.drift <= limits.static_drift:
            return "static"
        return "undecided"


class Registration:
    """Find where the features of a reference picture are in other frames.

    Args:
        reference: ``(H, W, 3)`` uint8, without movers as far as possible.
    """

    def __init__(self, reference: np.ndarray) -> None:
        self.reference = grey(reference)
        found = cv2.goodFeaturesToTrack(self.reference, 1000, 0.003, 6)
        self.points = np.zeros((0, 1, 2), np.float32) if found is None else found

    def similarity(self, frame: np.ndarray) -> tuple[np.ndarray | None, float, float]:
        """The similarity from ``frame`` to the reference.

        Returns:
            ``(2, 3)`` float64, or None if fewer than 4 features agree; the share of features that agree; and the median
            displacement of these in pixels (0 if None).
        """
        source, target = self.matches(frame)
        if len(source) < 4:
            return None, 0.0, 0.0
        cv2.setRNGSeed(0)
        matrix, agree = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=_RANSAC_PX)
        if matrix is None or int(agree.sum()) < 4:
            return None, 0.0, 0.0
        kept = agree[:, 0].astype(bool)
        shift = np.linalg.norm(source[kept] - target[kept], axis=1)
        return matrix, float(kept.sum() / len(self.points)), float(np.median(shift))

    def matches(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of ``frame`` and of the reference that belong together, ``(N, 2)`` float32 each, there and back again."""
        if len(self.points) < 4:
            return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
        plane = self._in_exposure(grey(frame))
        guess: Any = None
        there, found, _ = cv2.calcOpticalFlowPyrLK(self.reference, plane, self.points, guess, **_FLOW)
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(plane, self.reference, there, guess, **_FLOW)
        error = np.linalg.norm((back - self.points)[:, 0], axis=1)
        good = (found[:, 0] == 1) & (found_back[:, 0] == 1) & (error < _ROUND_TRIP_PX)
        return there[good, 0], self.points[good, 0]

    def _in_exposure(self, plane: np.ndarray) -> np.ndarray:
        """Optical flow takes a change of light for movement: bring the frame to the reference's."""
        ours, theirs = self.reference[::4, ::4].astype(np.float32) + 1, plane[::4, ::4].astype(np.float32) + 1
        return cv2.convertScaleAbs(plane, alpha=float(np.median(ours / theirs)))


def measure_camera(frames: Sequence[np.ndarray]) -> CameraMotion:
    """Measure the motion of the camera over some frames of one shot.

    Args:
        frames: Some 48 of them, spread over the shot, at the analysis size, ``(H, W, 3)`` uint8.
    """
    registration = Registration(np.median(np.stack(frames), axis=0).astype(np.uint8))
    found = [registration.similarity(frame)[1:] for frame in frames]
    shares, drifts = zip(*found, strict=True)
    return CameraMotion(float(np.median(shares)), float(np.percentile(drifts, 95)))
