"""Procedural textures: smooth noise, stripes, checks, dots, patches, in harmonising or clashing colours."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Field = NDArray[np.float32]


def random_texture(rng: np.random.Generator, height: int, width: int) -> Image:
    """A random texture.

    Args:
        rng: Source of all randomness.
        height: Rows.
        width: Columns.

    Returns:
        ``(height, width, 3)`` uint8, RGB.
    """
    pattern = PATTERNS[rng.integers(len(PATTERNS))]
    field = pattern(rng, height, width)
    low, high = _colour_pair(rng)
    image = low + field[..., None] * (high - low)
    grain = cv2.resize(rng.standard_normal((height // 2 + 1, width // 2 + 1)).astype(np.float32), (width, height))
    image += grain[..., None] * rng.uniform(1, 9)
    return np.clip(image, 0, 255).astype(np.uint8)


def smooth_noise(rng: np.random.Generator, height: int, width: int) -> Field:
    """Three octaves of bicubic value noise, stretched to ``[0, 1]``; ``(height, width)`` float32."""
    cell = rng.uniform(0.08, 0.5) * max(height, width)
    field = np.zeros((height, width), np.float32)
    for octave in range(3):
        step = max(cell / 2**octave, 2)
        grid = rng.random((int(height / step) + 2, int(width / step) + 2), np.float32)
        field += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return _stretch(field)


def stripes(rng: np.random.Generator, height: int, width: int) -> Field:
    """Sine or square stripes at any angle, bent by noise; ``[0, 1]``."""
    y, x = _grid(height, width)
    angle, period = rng.uniform(0, np.pi), rng.uniform(0.06, 0.3) * max(height, width)
    bend = smooth_noise(rng, height, width) * rng.uniform(0, 0.8) * period
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle) + bend) / period)
    square = rng.random() < 0.4
    field: Field = (wave > 0).astype(np.float32) if square else (0.5 + 0.5 * wave).astype(np.float32)
    return field


def checks(rng: np.random.Generator, height: int, width: int) -> Field:
    """A rotated chequerboard; 0 or 1."""
    y, x = _grid(height, width)
    angle, side = rng.uniform(0, np.pi / 2), rng.uniform(0.06, 0.2) * max(height, width)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    field: Field = ((np.floor(u / side) + np.floor(v / side)) % 2).astype(np.float32)
    return field


def dots(rng: np.random.Generator, height: int, width: int) -> Field:
    """Discs of one size, scattered; 0 or 1."""
    field = np.zeros((height, width), np.float32)
    radius = rng.uniform(0.02, 0.07) * max(height, width)
    count = int(0.25 * height * width / (np.pi * radius**2)) + 1
    for x, y in zip(rng.uniform(0, width, count), rng.uniform(0, height, count), strict=True):
        cv2.circle(field, (int(x), int(y)), max(1, round(radius)), 1.0, -1)
    return field


def patches(rng: np.random.Generator, height: int, width: int) -> Field:
    """Voronoi-like patches of constant value; ``[0, 1]``."""
    count = int(rng.integers(4, 14))
    y, x = _grid(height, width)
    centres = rng.uniform(0, 1, (count, 2)) * (height, width)
    distance = (y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2
    field: Field = rng.random(count, np.float32)[distance.argmin(-1)]
    return field


PATTERNS: tuple[Callable[[np.random.Generator, int, int], Field], ...] = (
    smooth_noise,
    smooth_noise,
    stripes,
    checks,
    dots,
    patches,
)


def _colour_pair(rng: np.random.Generator) -> tuple[Field, Field]:
    """Two RGB colours, from near each other (camouflage) to far apart."""
    first = rng.uniform(15, 240, 3)
    second = first + rng.uniform(0.15, 1.0) * (rng.uniform(15, 240, 3) - first)
    return first.astype(np.float32), second.astype(np.float32)


def _stretch(field: Field) -> Field:
    low, high = float(field.min()), float(field.max())
    return (field - low) / max(high - low, 1e-6)


def _grid(height: int, width: int) -> tuple[Field, Field]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return y, x
