"""Where a thing is at each frame: smooth paths, some of which leave, stop, or pass behind others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Motion:
    """Pose over time.

    Attributes:
        position: ``(T, 2)`` x, y in pixels.
        angle: ``(T,)`` radians.
        scale: ``(T,)`` pixels per unit of the outline.
    """

    position: NDArray[np.float32]
    angle: NDArray[np.float32]
    scale: NDArray[np.float32]


def smooth_series(rng: np.random.Generator, length: int, amplitude: float, period: float = 24.0) -> NDArray[np.float32]:
    """A smooth random function of time that is 0 at frame 0: three sines of about ``period`` frames; ``(length,)``."""
    t = np.arange(length)
    series = np.zeros(length)
    for k in (1, 2, 3):
        omega, phase = 2 * np.pi * k * rng.uniform(0.6, 1.4) / (2 * period), rng.uniform(0, 2 * np.pi)
        series += amplitude * rng.normal(0, 0.7 / k) * (np.sin(omega * t + phase) - np.sin(phase))
    return series.astype(np.float32)


def random_motion(rng: np.random.Generator, length: int, size: tuple[int, int], radius: float) -> Motion:
    """A random path that starts inside the frame.

    Args:
        rng: Source of all randomness.
        length: Frames.
        size: ``(H, W)`` of the frame.
        radius: Size of the thing at frame 0, pixels.

    Returns:
        Drift at up to 2.5 % of the frame's side a frame, plus sway, turning, and growing by up to a half or shrinking by
        up to a third.
    """
    height, width = size
    side = min(size)
    start = np.array([rng.uniform(0.18, 0.82) * width, rng.uniform(0.18, 0.82) * height])
    heading = rng.uniform(0, 2 * np.pi)
    speed = side * rng.uniform(0, 0.025)
    t = np.arange(length)[:, None]
    drift = t * speed * np.array([[np.cos(heading), np.sin(heading)]])
    sway = np.stack([smooth_series(rng, length, 0.05 * side) for _ in range(2)], axis=1)
    angle = rng.uniform(0, 2 * np.pi) + smooth_series(rng, length, 0.5)
    scale = radius * np.exp(np.clip(smooth_series(rng, length, 0.15), -0.4, 0.4))
    return Motion((start + drift + sway).astype(np.float32), angle.astype(np.float32), scale.astype(np.float32))


def crossing_motion(rng: np.random.Generator, length: int, target: Motion, meet: int, radius: float) -> Motion:
    """A straight path that meets ``target`` at frame ``meet``, so that one of the two hides the other for a while."""
    heading = rng.uniform(0, 2 * np.pi)
    speed = radius * rng.uniform(0.12, 0.35)
    t = (np.arange(length) - meet)[:, None]
    path = target.position[meet] + t * speed * np.array([[np.cos(heading), np.sin(heading)]])
    angle = np.full(length, rng.uniform(0, 2 * np.pi)) + smooth_series(rng, length, 0.2)
    return Motion(path.astype(np.float32), angle.astype(np.float32), np.full(length, radius, np.float32))
