"""The query object and the bystanders of a play."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robustvos.scenes.motion import Motion
from robustvos.scenes.outlines import Outline, random_outline, rotation
from robustvos.scenes.scene import Layer
from robustvos.scenes.textures import random_texture

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Prop:
    """A rigid object and the box around it.

    Attributes:
        outline: Silhouette; it neither breathes nor moves its limbs.
        texture: ``(S, S, 3)`` uint8.
        angle: Radians.
        scale: Pixels per unit of the outline.
        half: ``(2,)`` half the width and height of its bounding box, pixels.
        offset: ``(2,)`` from the outline's origin to the middle of the box, pixels.
    """

    outline: Outline
    texture: NDArray[np.uint8]
    angle: float
    scale: float
    half: Points
    offset: Points

    def layer(self, middles: Points) -> Layer:
        """The object with its bounding box centred on ``middles`` ``(T, 2)``."""
        angle = np.full(len(middles), self.angle, np.float32)
        scale = np.full(len(middles), self.scale, np.float32)
        return Layer(self.outline, self.texture, Motion((middles - self.offset).astype(np.float32), angle, scale), 0.5)


def random_prop(rng: np.random.Generator, radius: float) -> Prop:
    """A random rigid object whose bounding box has a longer side of ``2 * radius`` pixels."""
    outline, angle = freeze(random_outline(rng)), float(rng.uniform(0, 2 * np.pi))
    points = np.concatenate(outline.at(0)) @ rotation(angle).T
    low, high = points.min(0), points.max(0)
    scale = radius / float((high - low).max() / 2)
    side = max(16, int(2.6 * scale))
    return Prop(
        outline,
        random_texture(rng, side, side),
        angle,
        scale,
        half=((high - low) / 2 * scale).astype(np.float32),
        offset=((high + low) / 2 * scale).astype(np.float32),
    )


def freeze(outline: Outline) -> Outline:
    """The outline as it is at frame 0, for ever."""
    limbs = tuple(
        replace(limb, rest=limb.rest + limb.swing * float(np.sin(limb.phase)), swing=0.0) for limb in outline.limbs
    )
    return Outline(outline.body, limbs)


def random_bystanders(rng: np.random.Generator, frames: int, size: tuple[int, int], floor: float) -> list[Layer]:
    """Up to two still things that stand in the background."""
    layers = []
    for _ in range(rng.integers(0, 3)):
        prop = random_prop(rng, min(size) * rng.uniform(0.05, 0.12))
        # Farther things stand higher in the picture.
        foot = floor - size[0] * rng.uniform(0.02, 0.08)
        middle = np.array([rng.uniform(0.05, 0.95) * size[1], foot - prop.half[1]])
        layers.append(prop.layer(np.tile(middle, (frames, 1)).astype(np.float32)))
    return layers
