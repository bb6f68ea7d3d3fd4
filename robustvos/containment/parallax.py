"""The motion in space of a body of which one plane's homographies were measured; where things farther inside are seen.

The homographies of one plane over many frames, and a focal length, give the plane's normal and the motion of the rigid
body that carries it (all up to one scale). A point that is farther than the plane by a share ``delta`` of its distance
then moves by ``K (R + T n' / (1 + delta)) K^-1``: on a table that is a few percent less, which over a hundred pixels of
motion is the difference between right and wrong. Points of the container's other faces say how deep it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from robustvos.containment.container_motion import Points

Matrix = NDArray[np.float64]

_STARTS = 5
_PIXEL = 0.3
"""Expected error of a tracked point, pixels."""


@dataclass(frozen=True)
class BodyMotion:
    """The motion of a rigid body that carries a plane, in units of the plane's distance.

    Attributes:
        camera: ``(3, 3)`` camera matrix ``K``.
        normal: ``(3,)`` unit normal of the plane in the reference frame, towards larger distance.
        rotations: ``(T, 3, 3)``.
        translations: ``(T, 3)``; a point ``X`` of the reference frame comes to ``R X + T``.
    """

    camera: Matrix
    normal: Matrix
    rotations: Matrix
    translations: Matrix

    def homographies(self, delta: float) -> list[Matrix]:
        """``T`` homographies, from the reference frame, of the parallel plane that is farther by ``delta`` of the distance."""
        inverse, moved = np.linalg.inv(self.camera), []
        for rotation, translation in zip(self.rotations, self.translations, strict=True):
            matrix = self.camera @ (rotation + np.outer(translation, self.normal) / (1 + delta)) @ inverse
            moved.append(matrix / matrix[2, 2])
        return moved


def body_motion(plane_motion: Sequence[Matrix], size: tuple[int, int], focal: float, centre: Points) -> BodyMotion:
    """Decompose the homographies of one plane, from the reference frame to each frame.

    A plane's homography alone has two readings; over many frames one normal fits all of them, and among normals that fit
    alike the one that faces the camera is taken.

    Args:
        plane_motion: ``T`` homographies.
        size: ``(H, W)``; the principal point is the frame's middle.
        focal: Focal length, pixels.
        centre: ``(2,)`` middle of the part in the reference frame.
    """
    height, width = size
    camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    inverse = np.linalg.inv(camera)
    motions = np.stack([_normalised(inverse @ matrix @ camera) for matrix in plane_motion])
    grams = np.einsum("tki,tkj->tij", motions, motions)
    ray = inverse @ np.array([*np.asarray(centre, float), 1.0])
    ray /= np.linalg.norm(ray)
    # Errors of a homography's perspective terms, which the measured fit has even where nothing moves.
    noise = (3 * _PIXEL / focal) ** 2

    def misfit(slopes: NDArray[np.float64]) -> float:
        basis = _tangents(_normal(slopes, ray))
        flat = np.einsum("ia,tij,jb->tab", basis, grams, basis) - np.eye(2)
        # Not squared: of the many frames some are wrong, and the valley stays wide.
        return float(np.sqrt((flat**2).sum((1, 2)) / noise + 1).mean() + 0.05 * (slopes**2).sum())

    steps = np.linspace(-1.2, 1.2, 17)
    starts = sorted((np.array([a, b]) for a in steps for b in steps), key=misfit)[:_STARTS]
    options = {"xatol": 1e-4, "fatol": 1e-4}
    found = min(
        (minimize(misfit, start, method="Nelder-Mead", options=options) for start in starts), key=lambda fit: fit.fun
    )
    normal = _normal(found.x, ray)
    rotations = np.stack([_rotation(motion, normal) for motion in motions])
    translations = np.einsum("tij,j->ti", motions - rotations, normal)
    return BodyMotion(camera, normal, rotations, translations)


def _normalised(motion: Matrix) -> Matrix:
    """A homography between rays scaled so that it is ``R + T n'``: its middle singular value is 1."""
    scaled = motion / np.linalg.svd(motion, compute_uv=False)[1]
    facing: Matrix = scaled if np.linalg.det(scaled) > 0 else -scaled
    return facing


def _normal(slopes: NDArray[np.float64], ray: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unit normal that is ``slopes`` (tangents of angles) away from ``ray``."""
    basis = _tangents(ray)
    normal = ray + basis @ slopes
    return normal / np.linalg.norm(normal)


def _tangents(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(3, 2)`` orthonormal basis of the plane orthogonal to a unit vector."""
    first = np.cross(normal, [0.0, 1.0, 0.0] if abs(normal[1]) < 0.9 else [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)], axis=1)


def _rotation(motion: Matrix, normal: NDArray[np.float64]) -> Matrix:
    """The rotation of ``R + T n'``, given ``n``: what the motion does to the plane's own directions."""
    basis = _tangents(normal)
    u, _, vt = np.linalg.svd(motion @ basis, full_matrices=False)
    plane = u @ vt
    target = np.column_stack([plane, np.cross(plane[:, 0], plane[:, 1])])
    source = np.column_stack([basis, np.cross(basis[:, 0], basis[:, 1])])
    return target @ source.T
