"""Flat, opaque parts that may turn in space: walls, doors, lids, cups, screens."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.scenes.textures import random_texture

_SHIFT = 4  # fractional bits of vertices
Points = NDArray[np.float32]


@dataclass(frozen=True)
class Panel:
    """A textured quadrilateral.

    Attributes:
        corners: ``(T, 4, 2)`` x, y in pixels: top left, top right, bottom right, bottom left of the texture.
        texture: ``(h, w, 3)`` uint8.
        shade: ``(T,)`` gain of its brightness.
    """

    corners: Points
    texture: NDArray[np.uint8]
    shade: Points

    def coverage(self, t: int, camera: Points, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Anti-aliased silhouette ``(H, W)`` uint8 at frame ``t``; empty where the panel is seen edge-on."""
        alpha = np.zeros(size, np.uint8)
        corners = self.corners[t] + camera
        if cv2.contourArea(corners) >= 2:
            cv2.fillPoly(alpha, [np.round(corners * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
        return alpha

    def paint(self, canvas: NDArray[np.float32], alpha: NDArray[np.uint8], t: int, camera: Points) -> None:
        """Blend the texture, in perspective, into ``canvas`` ``(H, W, 3)`` where ``alpha`` covers it."""
        x, y, w, h = cv2.boundingRect(alpha)
        if w == 0:
            return
        rows, columns = self.texture.shape[:2]
        source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
        target = (self.corners[t] + camera - (x, y)).astype(np.float32)
        colours = cv2.warpPerspective(
            self.texture, cv2.getPerspectiveTransform(source, target), (w, h), borderMode=cv2.BORDER_REPLICATE
        )
        weight = alpha[y : y + h, x : x + w, None].astype(np.float32) / 255
        region = canvas[y : y + h, x : x + w]
        region += weight * (colours * np.float32(self.shade[t]) - region)


def upright(centres: Points, half_width: float, half_height: float, taper: float = 0.0) -> Points:
    """Corners ``(T, 4, 2)`` of an upright board around ``centres`` ``(T, 2)``; its top is narrower by ``taper``."""
    w, h = half_width, half_height
    top = w * (1 - taper)
    board = np.array([[-top, -h], [top, -h], [w, h], [-w, h]], np.float32)
    return (centres[:, None] + board).astype(np.float32)


def hinged(hinge: Points, across: Points, angles: Points, depth: float = 0.28) -> Points:
    """Corners of a door or lid that turns about an edge.

    Args:
        hinge: ``(2, 2)`` ends of the fixed edge, pixels.
        across: ``(2,)`` from the hinge to the free edge when closed, pixels.
        angles: ``(T,)`` radians; 0 is closed, a right angle is seen edge-on.
        depth: How much longer the free edge looks when it points at the camera.

    Returns:
        ``(T, 4, 2)``: the hinge's ends, then the free edge's.
    """
    middle = hinge.mean(0)
    stretch = 1 + depth * np.sin(angles)[:, None, None]
    free = middle + stretch * (hinge - middle) + np.cos(angles)[:, None, None] * across
    corners = np.empty((len(angles), 4, 2), np.float32)
    corners[:, :2] = hinge
    corners[:, 2:] = free[:, ::-1]
    return corners


def still_shade(frames: int, gain: float = 1.0) -> Points:
    """``(T,)`` the same brightness all along."""
    return np.full(frames, gain, np.float32)


def board_texture(rng: np.random.Generator, height: float, width: float) -> NDArray[np.uint8]:
    """A texture for a board: calmer than those of objects, with a darker rim that shows where the board ends."""
    rows, columns = max(8, round(height)), max(8, round(width))
    image = random_texture(rng, rows, columns).astype(np.float32)
    mean = image.mean((0, 1))
    image = mean + rng.uniform(0.2, 0.7) * (image - mean)
    rim = max(1, round(0.05 * min(rows, columns)))
    inner = np.zeros((rows, columns), np.float32)
    inner[rim:-rim, rim:-rim] = 1
    gain = 0.6 + 0.4 * inner
    board: NDArray[np.uint8] = np.clip(image * gain[..., None], 0, 255).astype(np.uint8)
    return board
