"""How pictures and objects move: smooth random affine paths, and ways out of the picture and back.

Matrices are ``(3, 3)`` and act on unit coordinates: the picture is the square from -.5 to .5, ``x`` to the right, ``y``
down. A path is ``(T, 3, 3)``, and begins with the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PERIOD = 24.0  # frames of the slower of two sinusoids, at its shortest


@dataclass(frozen=True)
class Motion:
    """How far a path reaches, at most; how much of it is used is drawn for each path.

    Attributes:
        degrees: Rotation.
        scale: Natural logarithm of the scale.
        shear: Horizontal and vertical shear.
        shift: Of the centre, in picture sides.
    """

    degrees: float = 20.0
    scale: float = 0.25
    shear: float = 0.12
    shift: float = 0.2

    def scaled(self, factor: float) -> Motion:
        """The same motion, so much smaller or larger."""
        return Motion(self.degrees * factor, self.scale * factor, self.shear * factor, self.shift * factor)


def affine_path(rng: np.random.Generator, frames: int, motion: Motion) -> np.ndarray:
    """A smooth random path ``(frames, 3, 3)`` float64 within ``motion``; it is longer if there are more frames."""
    share = rng.uniform(0.1, 1.0)
    turn, zoom, shear_x, shear_y, x, y = (wander(rng, frames) for _ in range(6))
    angle = np.radians(motion.degrees * share * turn)
    size = np.exp(motion.scale * share * zoom)
    path = np.tile(np.eye(3), (frames, 1, 1))
    path[:, 0, 0], path[:, 0, 1] = size * np.cos(angle), -size * np.sin(angle) + motion.shear * share * shear_x
    path[:, 1, 0], path[:, 1, 1] = size * np.sin(angle) + motion.shear * share * shear_y, size * np.cos(angle)
    path[:, 0, 2], path[:, 1, 2] = motion.shift * share * x, motion.shift * share * y
    return path


def wander(rng: np.random.Generator, frames: int) -> np.ndarray:
    """``(frames,)`` numbers in [-2, 2] that change smoothly from 0: the sum of two sinusoids."""
    time = np.arange(frames)
    total = np.zeros(frames)
    for weight, speed in ((0.7, 1.0), (0.3, 2.7)):
        frequency = rng.uniform(0.2, 1.0) * speed / _PERIOD
        phase = rng.uniform(0, 2 * np.pi)
        total += weight * (np.sin(2 * np.pi * frequency * time + phase) - np.sin(phase))
    return total


def way_out(rng: np.random.Generator, frames: int, distance: float) -> np.ndarray:
    """Shifts ``(frames, 2)`` that lead out of the picture and back, or not back if the clip ends before.

    Args:
        rng: Draws direction and times.
        frames: Length of the clip.
        distance: How far, in picture sides.
    """
    leaves = rng.uniform(0.1, 0.6) * frames
    takes = rng.uniform(0.1, 0.3) * frames
    stays = rng.uniform(0.0, 0.4) * frames
    time = np.arange(frames)
    out = np.clip((time - leaves) / takes, 0, 1) - np.clip((time - leaves - takes - stays) / takes, 0, 1)
    out = eased(out)
    angle = rng.uniform(0, 2 * np.pi)
    path: np.ndarray = distance * out[:, None] * np.array([np.cos(angle), np.sin(angle)])
    return path


def eased(share: np.ndarray) -> np.ndarray:
    """From 0 to 1 without a jerk at either end; what lies beyond stays there."""
    share = np.clip(share, 0, 1)
    smooth: np.ndarray = share * share * (3 - 2 * share)
    return smooth


def shift(x: float, y: float) -> np.ndarray:
    """The translation by ``(x, y)``."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def stretch(x: float, y: float) -> np.ndarray:
    """The scaling by ``x`` and ``y``; a negative one mirrors."""
    return np.diag([x, y, 1.0])


def pixel_map(matrix: np.ndarray, source: tuple[int, int], size: int) -> np.ndarray:
    """``(2, 3)`` map from pixels of a picture of ``source`` ``(H, W)`` to pixels of a square of side ``size``.

    >>> pixel_map(np.eye(3), (4, 8), 8)[:, :2].tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    height, width = source
    into = np.array([[1 / width, 0, 0.5 / width - 0.5], [0, 1 / height, 0.5 / height - 0.5], [0, 0, 1]])
    back = np.array([[size, 0, size / 2 - 0.5], [0, size, size / 2 - 0.5], [0, 0, 1]])
    onto_pixels: np.ndarray = (back @ matrix @ into)[:2]
    return onto_pixels
