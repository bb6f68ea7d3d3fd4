"""Rigid things posed in space before a pinhole camera: boxes with printed faces, and cut-outs that stand inside them.

Axes as in vision: ``x`` to the right, ``y`` down, ``z`` away from the camera. Lengths are in any one unit; only their
ratio to the distance matters. Everything is drawn as planes, so that the truth is exact for any pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.scenes.panels import Panel
from robustvos.scenes.textures import random_texture

_SHIFT = 4  # fractional bits of polygon vertices
_NEAREST = 0.05  # a point nearer than this would be behind the lens
Points = NDArray[np.float32]


@dataclass(frozen=True)
class Pinhole:
    """A camera that looks along ``z``, tilted downwards.

    Attributes:
        focal: Focal length, pixels.
        size: ``(H, W)`` pixels; the principal point is the frame's middle.
        pitch: How far it looks down, radians.
    """

    focal: float
    size: tuple[int, int]
    pitch: float = 0.0

    def project(self, points: NDArray[np.float64]) -> Points:
        """Pixels ``(..., 2)`` of points ``(..., 3)`` in space."""
        turned = points @ turn(x=self.pitch).T
        height, width = self.size
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        pixels: Points = (self.focal * turned[..., :2] / np.maximum(turned[..., 2:], _NEAREST) + middle).astype(
            np.float32
        )
        return pixels


@dataclass(frozen=True)
class Poses:
    """Where a rigid thing is at each frame: ``rotation`` ``(T, 3, 3)`` and ``position`` ``(T, 3)``."""

    rotation: NDArray[np.float64]
    position: NDArray[np.float64]

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points ``(P, 3)`` of the thing, or ``(T, P, 3)`` if they move in it, in space: ``(T, P, 3)``."""
        local = np.broadcast_to(points, (len(self.position), *points.shape[-2:]))
        placed: NDArray[np.float64] = np.einsum("tij,tpj->tpi", self.rotation, local) + self.position[:, None]
        return placed


@dataclass(frozen=True)
class CutOut:
    """A flat, textured silhouette in space.

    Attributes:
        outlines: ``(T, P, 2)`` x, y of its contour in pixels.
        frame: ``(T, 4, 2)`` corners of its texture in pixels: top left, top right, bottom right, bottom left.
        texture: ``(h, w, 3)`` uint8.
    """

    outlines: Points
    frame: Points
    texture: NDArray[np.uint8]

    def coverage(self, t: int, camera: Points, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Anti-aliased silhouette ``(H, W)`` uint8 at frame ``t``."""
        alpha = np.zeros(size, np.uint8)
        corners = np.round((self.outlines[t] + camera) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(alpha, [corners], 255, cv2.LINE_AA, _SHIFT)
        return alpha

    def paint(self, canvas: NDArray[np.float32], alpha: NDArray[np.uint8], t: int, camera: Points) -> None:
        """Blend the texture, in perspective, into ``canvas`` ``(H, W, 3)`` where ``alpha`` covers it."""
        gain = np.ones(len(self.frame), np.float32)
        Panel(self.frame, self.texture, gain).paint(canvas, alpha, t, camera)


def turn(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> NDArray[np.float64]:
    """``(3, 3)`` rotation by angles in radians about the axes: pitch, then yaw, then roll."""
    matrix = np.eye(3)
    for axis, angle in enumerate((x, y, z)):
        matrix = cv2.Rodrigues(np.eye(3)[axis] * angle)[0] @ matrix
    return matrix


def box_faces(half: Sequence[float], depth: float) -> dict[str, NDArray[np.float64]]:
    """Corners ``(4, 3)`` of the faces of a box that a camera before it may see, each as its texture is seen.

    Args:
        half: Half the width and half the height of the front.
        depth: From the front, at ``z = 0``, to the back.
    """
    w, h, d = half[0], half[1], depth
    faces = {
        "top": [[-w, -h, d], [w, -h, d], [w, -h, 0], [-w, -h, 0]],
        "left": [[-w, -h, d], [-w, -h, 0], [-w, h, 0], [-w, h, d]],
        "right": [[w, -h, 0], [w, -h, d], [w, h, d], [w, h, 0]],
        "front": [[-w, -h, 0], [w, -h, 0], [w, h, 0], [-w, h, 0]],
    }
    return {name: np.asarray(corners, np.float64) for name, corners in faces.items()}


def posed_panel(
    corners: NDArray[np.float64], poses: Poses, lens: Pinhole, texture: NDArray[np.uint8], light: float = 0.25
) -> Panel:
    """A face at its poses; it is not drawn where it is seen from behind, and darker the more it is turned away.

    Args:
        corners: ``(4, 3)`` or ``(T, 4, 3)`` in the thing's own axes.
        poses: Where the thing is.
        lens: The camera.
        texture: ``(h, w, 3)`` uint8.
        light: How much darker a face is that is seen edge-on, in [0, 1].
    """
    placed = poses.place(corners)
    pixels = lens.project(placed)
    normal = np.cross(placed[:, 1] - placed[:, 0], placed[:, 3] - placed[:, 0])
    facing = (normal @ turn(x=lens.pitch).T)[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)
    a, b, c, d = (pixels[:, i] for i in range(4))
    area = _cross(c - a, d - b)
    seen = np.where((area > 0)[:, None, None], pixels, pixels[:, :1])
    return Panel(seen.astype(np.float32), texture, (1 - light * (1 - np.abs(facing))).astype(np.float32))


def posed_cut_out(
    outline: NDArray[np.float64], distance: float, poses: Poses, lens: Pinhole, texture: NDArray[np.uint8]
) -> CutOut:
    """A silhouette ``(P, 2)`` that stands in a thing, ``distance`` behind its front and parallel to it."""
    low, high = outline.min(0), outline.max(0)
    frame = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    corners, contour = (np.hstack([part, np.full((len(part), 1), distance)]) for part in (frame, outline))
    return CutOut(lens.project(poses.place(contour)), lens.project(poses.place(corners)), texture)


def printed_texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A face as of a package: a calm ground with many small, contrasting marks; ``(height, width, 3)`` uint8."""
    ground = random_texture(rng, height, width).astype(np.float32)
    mean = ground.mean((0, 1))
    image = np.clip(mean + 0.25 * (ground - mean), 30, 225).astype(np.uint8)
    side = min(height, width)
    for _ in range(int(70 * height * width / side**2)):
        colour = tuple(int(c) for c in rng.uniform(0, 255, 3))
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        w, h = (max(2, int(side * rng.uniform(0.02, 0.12))) for _ in range(2))
        if rng.random() < 0.6:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1, cv2.LINE_AA)
        else:
            cv2.ellipse(image, (x, y), (w, h), float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    printed: NDArray[np.uint8] = cv2.GaussianBlur(image, (3, 3), 0.6)
    return printed


def _cross(a: Points, b: Points) -> NDArray[np.float32]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
