"""Things that no footage shows: random outlines, filled with paint, with texture or with a part of some picture.

Footage with masks shows few kinds of things, and a base that has seen no others takes those for what is meant. A made-up
thing is one because it moves as one and is pointed at, whatever it looks like: a plain ball, a patch of grass, two colours.
"""

from __future__ import annotations

import cv2
import numpy as np

from robustvos.scenes.outlines import random_outline
from robustvos.scenes.textures import random_texture, smooth_noise

SIDE = 160  # pixels, of the picture that a thing is painted on
_REACH = 0.44  # of that picture, from its middle to the farthest point of an outline
_PARTS = (0.6, 0.25, 0.15)  # chances of one, two and three parts that are filled differently
_FILLS = (0.4, 0.2, 0.4)  # of plain paint, a painted texture, a part of the picture


def made_up_thing(
    picture: np.ndarray, frames: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A thing, seen from the front; its outline may breathe and swing its limbs.

    Args:
        picture: ``(H, W, 3)`` uint8, some of which may be seen on it.
        frames: Length ``T`` of the clip.
        rng: Draws everything.

    Returns:
        ``T`` pictures ``(160, 160, 3)`` uint8 and ``T`` maps of the same size, uint8, 1 where the thing is.
    """
    outline = random_outline(rng)
    stretched = np.exp(rng.uniform(-0.35, 0.35)) ** np.array([1.0, -1.0])
    shapes = [[polygon * stretched for polygon in outline.at(float(t))] for t in range(frames)]
    reach = max(float(np.abs(polygon).max()) for polygons in shapes for polygon in polygons)
    ids = [_filled(polygons, _REACH * SIDE / reach) for polygons in shapes]
    return [_painted(picture, rng)] * frames, ids


def _filled(polygons: list[np.ndarray], scale: float) -> np.ndarray:
    plane = np.zeros((SIDE, SIDE), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(plane, [np.round(polygon * scale + SIDE / 2).astype(np.int32)], 1)
    return plane


def _painted(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(SIDE, SIDE, 3)`` uint8: one to three parts, and light that falls off to one side."""
    count = 1 + int(rng.choice(len(_PARTS), p=_PARTS))
    painted = _fill(picture, rng)
    for _ in range(count - 1):
        where = smooth_noise(rng, SIDE, SIDE) if rng.random() < 0.4 else _slope(rng)
        painted = np.where((where > rng.uniform(0.35, 0.65))[..., None], _fill(picture, rng), painted)
    light = 1.0 + rng.uniform(0.0, 0.5) * (_slope(rng) - 0.5)
    lit: np.ndarray = np.clip(painted * light[..., None], 0, 255).astype(np.uint8)
    return lit


def _fill(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(SIDE, SIDE, 3)`` float32."""
    kind = int(rng.choice(len(_FILLS), p=_FILLS))
    if kind == 0:
        grain = rng.normal(0.0, rng.uniform(0.0, 4.0), (SIDE, SIDE, 1))
        plain: np.ndarray = (rng.uniform(10, 250, 3) + grain).astype(np.float32)
        return plain
    if kind == 1:
        return random_texture(rng, SIDE, SIDE).astype(np.float32)
    height, width = picture.shape[:2]
    side = int(rng.uniform(0.15, 0.6) * min(height, width))
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    part: np.ndarray = cv2.resize(picture[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return part.astype(np.float32)


def _slope(rng: np.random.Generator) -> np.ndarray:
    """``(SIDE, SIDE)`` float32 from 0 to 1, rising in some direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / (SIDE - 1) - 0.5
    rising: np.ndarray = 0.5 + (x * np.cos(angle) + y * np.sin(angle)) / np.float32(np.sqrt(2))
    return rising
