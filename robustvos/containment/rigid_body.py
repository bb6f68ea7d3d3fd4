"""A container as a rigid body: the depth of its points and its pose in each frame, from their tracks.

The homographies of its face start it (:mod:`robustvos.containment.parallax`); then poses and depths are fitted in turn to all
tracked points, those of other faces too. That holds a frame in which a hand leaves few points, which a homography alone
does not, and says how deep the container is. No learned part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.containment.container_motion import PartMotion, Points
from robustvos.containment.parallax import BodyMotion, body_motion

_PIXEL, _LOOSE = 0.3, 0.1
"""Error of a tracked point in pixels, and spread of depths (as shares of the distance) expected before any is seen."""
_AGREES = 1.5
_ROUNDS = 4
_FEWEST = 6
_FLAT = 0.015
_BETTER = 0.85
_FOCALS = (0.7, 0.85, 1.0, 1.2, 1.45)


@dataclass(frozen=True)
class RigidBody:
    """A body and its motion.

    Attributes:
        motion: Of the plane of its tracked face.
        depth: ``(P,)`` how much farther than that plane each point is, as a share of the plane's distance.
        error: ``(P,)`` standard errors of them.
        residual: Root mean square distance of points that agree from where the body says that they are, pixels.
        agreeing: Share of tracked points that agree.
        misfit: Mean distance of all tracked points, none counted for more than a few pixels.
    """

    motion: BodyMotion
    depth: NDArray[np.float64]
    error: NDArray[np.float64]
    residual: float
    agreeing: float
    misfit: float


def fit_body(
    points: Points, motions: Sequence[PartMotion], size: tuple[int, int], focal: float | None = None
) -> RigidBody:
    """Fit a rigid body to tracks.

    Args:
        points: ``(P, 2)`` in the reference frame.
        motions: ``T`` other frames in which they were tracked; at least one.
        size: ``(H, W)``.
        focal: Focal length in longer sides of the frame; None: of a few, the one that fits best, where the motion tells.
    """
    if focal is not None:
        return _fit(points, motions, size, focal)
    bodies = [_fit(points, motions, size, f) for f in _FOCALS]
    usual = bodies[_FOCALS.index(1.0)]
    best = min(bodies, key=lambda body: body.misfit)
    # Where the motion does not tell focal lengths apart the differences are noise.
    return best if best.misfit < _BETTER * usual.misfit else usual


def _fit(points: Points, motions: Sequence[PartMotion], size: tuple[int, int], focal: float) -> RigidBody:
    length = focal * max(size)
    motion = body_motion([m.matrix for m in motions], size, length, points.mean(0))
    seen = np.stack([m.points for m in motions]).astype(np.float64)
    tracked = np.stack([m.tracked for m in motions])
    closeness, agree = np.ones(len(points)), np.stack([m.inliers for m in motions])
    # Start with the points that move with the face; the others tell their depth first.
    closeness, error = _triangulate(motion, points, seen, tracked)
    flat = agree.mean(0) >= 0.5
    for _ in range(_ROUNDS):
        motion = _poses(motion, points, closeness, seen, tracked)
        agree = tracked & (_residuals(motion, points, closeness, seen) < _AGREES)
        closeness, error = _triangulate(motion, points, seen, agree)
        motion, closeness = _upright(motion, points, closeness, flat)
    residuals = _residuals(motion, points, closeness, seen)
    agree = tracked & (residuals < _AGREES)
    residual = float(np.sqrt((residuals[agree] ** 2).mean())) if agree.any() else float("inf")
    share = float(agree.sum() / max(tracked.sum(), 1))
    misfit = float(np.minimum(residuals[tracked], 2 * _AGREES).mean()) if tracked.any() else float("inf")
    return RigidBody(motion, 1 / closeness - 1, error, residual, share, misfit)


def _rays(motion: BodyMotion, points: Points) -> NDArray[np.float64]:
    """``(P, 3)`` directions to the points, scaled to end on the plane."""
    rays = np.hstack([points, np.ones((len(points), 1))]) @ np.linalg.inv(motion.camera).T
    return np.asarray(rays / (rays @ motion.normal)[:, None])


def _residuals(
    motion: BodyMotion, points: Points, closeness: NDArray[np.float64], seen: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``(T, P)`` distances in pixels of the tracked points from where the body says that they are."""
    body = _rays(motion, points) / closeness[:, None]
    placed = np.einsum("tij,pj->tpi", motion.rotations, body) + motion.translations[:, None]
    pixels = placed @ motion.camera.T
    pixels = pixels[..., :2] / np.maximum(pixels[..., 2:], 1e-6)
    return np.asarray(np.linalg.norm(pixels - seen, axis=-1))


def _poses(
    motion: BodyMotion,
    points: Points,
    closeness: NDArray[np.float64],
    seen: NDArray[np.float64],
    tracked: NDArray[np.bool_],
) -> BodyMotion:
    """Poses that fit the points of each frame: its own pose or its neighbour's is refined, whichever ends up nearer."""
    body = _rays(motion, points) / closeness[:, None]
    rotations, translations = motion.rotations.copy(), motion.translations.copy()
    for t in range(len(seen)):
        there, pixels = body[tracked[t]], seen[t][tracked[t]]
        if len(there) < _FEWEST:
            continue
        starts = [(rotations[s], translations[s]) for s in {t, max(t - 1, 0)}]
        fits = [_refined(there, pixels, motion.camera, *start) for start in starts]
        fits.append(_judged(there, pixels, motion.camera, rotations[t], translations[t]))
        _, rotations[t], translations[t] = min(fits, key=lambda fit: fit[0])
    return replace(motion, rotations=rotations, translations=translations)


Fit = tuple[float, NDArray[np.float64], NDArray[np.float64]]


def _refined(
    body: NDArray[np.float64],
    pixels: NDArray[np.float64],
    camera: NDArray[np.float64],
    rotation: NDArray[Any],
    moved: NDArray[Any],
) -> Fit:
    """A pose refined on the points that agree with it, ever more narrowly; and its misfit."""
    for limit in (4 * _AGREES, 2 * _AGREES, _AGREES):
        errors = _errors(body, pixels, camera, rotation, moved)
        # At least the better half: a start may be far off.
        near = errors <= max(limit, float(np.median(errors)))
        if near.sum() < _FEWEST:
            break
        turned, shifted = cv2.solvePnPRefineLM(
            body[near], pixels[near], camera, None, cv2.Rodrigues(rotation)[0], moved.reshape(3, 1).copy()
        )
        if not (np.isfinite(turned).all() and np.isfinite(shifted).all()):
            break
        rotation, moved = cv2.Rodrigues(turned)[0], shifted.ravel()
    return _judged(body, pixels, camera, rotation, moved)


def _judged(
    body: NDArray[np.float64],
    pixels: NDArray[np.float64],
    camera: NDArray[np.float64],
    rotation: NDArray[Any],
    moved: NDArray[Any],
) -> Fit:
    return float(np.minimum(_errors(body, pixels, camera, rotation, moved), 2 * _AGREES).mean()), rotation, moved


def _errors(
    body: NDArray[np.float64],
    pixels: NDArray[np.float64],
    camera: NDArray[np.float64],
    rotation: NDArray[Any],
    moved: NDArray[Any],
) -> NDArray[np.float64]:
    placed = (body @ rotation.T + moved) @ camera.T
    return np.asarray(np.linalg.norm(placed[:, :2] / np.maximum(placed[:, 2:], 1e-6) - pixels, axis=1))


def _triangulate(
    motion: BodyMotion, points: Points, seen: NDArray[np.float64], agree: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(P,)`` inverse depths ``1 / (1 + delta)`` and the standard errors of the depths.

    They are drawn to 1, the plane's, as far as the motion does not tell.
    """
    body = _rays(motion, points)
    base = np.einsum("tij,pj->tpi", motion.rotations, body) @ motion.camera.T
    shift = (motion.translations @ motion.camera.T)[:, None]
    # (base + w shift) ~ (u, v, 1): linear in w; residuals in pixels
    depth = (base + shift)[..., 2:]
    a = (seen * base[..., 2:] - base[..., :2]) / depth
    b = (shift[..., :2] - seen * shift[..., 2:]) / depth
    weight = agree[..., None].astype(float)
    prior = (_PIXEL / _LOOSE) ** 2
    # Errors of one point are alike from frame to frame; a few frames' worth of them are independent.
    effective = np.maximum(agree.sum(0) / 4, 1)
    top, bottom = (weight * a * b).sum((0, 2)), (weight * b * b).sum((0, 2))
    share = effective / np.maximum(agree.sum(0), 1)
    closeness = (share * top + prior) / (share * bottom + prior)
    return np.clip(closeness, 0.5, 1.5), _PIXEL / np.sqrt(share * bottom + prior)


def _upright(
    motion: BodyMotion, points: Points, closeness: NDArray[np.float64], flat: NDArray[np.bool_]
) -> tuple[BodyMotion, NDArray[np.float64]]:
    """The same body with the plane fitted anew to the points that lie in it."""
    body = _rays(motion, points) / closeness[:, None]
    near = flat & (np.abs(1 / closeness - 1) < 2 * _FLAT)
    if near.sum() < 8:
        return motion, closeness
    for _ in range(2):
        plane, *_ = np.linalg.lstsq(body[near], np.ones(near.sum()), rcond=None)
        off = np.abs(body @ plane - 1)
        narrower = near & (off < max(0.004, 2.5 * float(np.median(off[near]))))
        if narrower.sum() < 8:
            break
        near = narrower
    scale = np.linalg.norm(plane)
    if not np.isfinite(scale) or plane[2] <= 0:
        return motion, closeness
    return (
        replace(motion, normal=plane / scale, translations=motion.translations * scale),
        np.clip(1 / np.maximum(body @ plane, 0.5), 0.5, 1.5),
    )
