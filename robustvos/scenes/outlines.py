"""Silhouettes in their own coordinates: about one unit in radius, centred on the origin, moving in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float32]  # (P, 2), x and y


@dataclass(frozen=True)
class Limb:
    """A part that swings about a hinge on the body.

    Attributes:
        outline: ``(P, 2)``, with the hinge at the origin.
        hinge: ``(2,)`` position on the body.
        rest: Angle at rest, radians.
        swing: Amplitude, radians.
        rate: Radians per frame.
        phase: Radians.
    """

    outline: Polygon
    hinge: Polygon
    rest: float
    swing: float
    rate: float
    phase: float

    def at(self, t: float) -> Polygon:
        """The limb's polygon in body coordinates at frame ``t``."""
        angle = self.rest + self.swing * np.sin(self.rate * t + self.phase)
        return self.outline @ rotation(angle).T + self.hinge


@dataclass(frozen=True)
class Outline:
    """A body, rigid or breathing, with limbs.

    Attributes:
        body: ``(P, 2)`` at rest.
        limbs: Parts that swing.
        wobble: ``(P,)`` relative change of radius at full deflection; zeros for a rigid body.
        rate: Radians per frame of the wobble.
    """

    body: Polygon
    limbs: tuple[Limb, ...] = ()
    wobble: NDArray[np.float32] | None = None
    rate: float = 0.0

    def at(self, t: float) -> list[Polygon]:
        """Polygons whose union is the silhouette at frame ``t``."""
        body = self.body
        if self.wobble is not None:
            body = body * (1 + self.wobble * np.sin(self.rate * t))[:, None]
        return [body, *(limb.at(t) for limb in self.limbs)]


def random_outline(rng: np.random.Generator) -> Outline:
    """A random silhouette: blob, ellipse, box, polygon or star; some breathe, some have one to three limbs."""
    body = _BODIES[rng.integers(len(_BODIES))](rng)
    wobble = None
    if rng.random() < 0.3:
        angles = np.arctan2(body[:, 1], body[:, 0])
        wobble = (rng.uniform(0.05, 0.2) * np.cos(rng.integers(2, 4) * angles)).astype(np.float32)
    limbs = tuple(_random_limb(rng) for _ in range(rng.integers(1, 4))) if rng.random() < 0.35 else ()
    return Outline(body, limbs, wobble, rate=float(rng.uniform(0.15, 0.6)))


def box(half_width: float, half_height: float) -> Polygon:
    """An upright rectangle; ``(4, 2)``."""
    w, h = half_width, half_height
    return np.array([[-w, -h], [w, -h], [w, h], [-w, h]], np.float32)


def rotation(angle: float) -> Polygon:
    """``(2, 2)`` matrix that turns by ``angle`` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]], np.float32)


def _blob(rng: np.random.Generator) -> Polygon:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = np.ones_like(angles)
    for k in range(2, 6):
        radius += rng.normal(0, 0.28 / k) * np.cos(k * angles + rng.uniform(0, 2 * np.pi))
    return _polar(angles, np.clip(radius, 0.4, 1.6))


def _ellipse(rng: np.random.Generator) -> Polygon:
    ellipse = _polar(np.linspace(0, 2 * np.pi, 32, endpoint=False), np.ones(32))
    return ellipse * np.array([1.0, rng.uniform(0.45, 1.0)], np.float32)


def _box(rng: np.random.Generator) -> Polygon:
    return box(0.95, 0.95 * rng.uniform(0.4, 1.0))


def _polygon(rng: np.random.Generator) -> Polygon:
    count = int(rng.integers(3, 8))
    angles = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    return _polar(angles, rng.uniform(0.8, 1.2, count))


def _star(rng: np.random.Generator) -> Polygon:
    count = int(rng.integers(4, 8))
    radius = np.where(np.arange(2 * count) % 2 == 0, 1.2, rng.uniform(0.5, 0.8))
    return _polar(np.linspace(0, 2 * np.pi, 2 * count, endpoint=False), radius)


_BODIES = (_blob, _blob, _ellipse, _box, _polygon, _star)


def _random_limb(rng: np.random.Generator) -> Limb:
    length, half_width = rng.uniform(0.6, 1.2), rng.uniform(0.13, 0.28)
    tip = half_width * rng.uniform(0.5, 1.1)
    outline = np.array([[-0.1, -half_width], [length, -tip], [length, tip], [-0.1, half_width]], np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    hinge = 0.7 * np.array([np.cos(direction), np.sin(direction)], np.float32)
    return Limb(
        outline=outline,
        hinge=hinge,
        rest=float(direction + rng.uniform(-0.6, 0.6)),
        swing=float(rng.uniform(0.2, 0.8)),
        rate=float(rng.uniform(0.2, 0.7)),
        phase=float(rng.uniform(0, 2 * np.pi)),
    )


def _polar(angles: NDArray[Any], radius: NDArray[Any]) -> Polygon:
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1).astype(np.float32)
