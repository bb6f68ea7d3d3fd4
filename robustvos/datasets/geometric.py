"""Geometric augmentation: one map for all frames and masks of a clip."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

_FILL = (124, 116, 104)  # ImageNet's mean: 0 after normalisation


@dataclass(frozen=True)
class Geometric:
    """How far clips may be flipped, turned and sheared (the defaults are those of RobustPVOS's release and of SAM 2).

    Attributes:
        hflip: Chance of a mirror image.
        degrees: Angles are drawn from +- this.
        shear: Angles of a horizontal shear are drawn from +- this, in degrees.
    """

    hflip: float = 0.5
    degrees: float = 25.0
    shear: float = 20.0


@dataclass(frozen=True)
class Warp:
    """One drawn augmentation; the default changes nothing.

    Attributes:
        flip: Mirror left and right.
        degrees: Turned clockwise about the centre.
        shear: Sheared horizontally by this angle, degrees.
    """

    flip: bool = False
    degrees: float = 0.0
    shear: float = 0.0

    def without_affine(self) -> Warp:
        """The mirror image alone, out of which nothing can fall."""
        return Warp(self.flip)

    def matrix(self, size: tuple[int, int]) -> np.ndarray:
        """``(2, 3)`` float64, from ``(x, y)`` in a frame of ``size`` ``(H, W)`` to where it goes.

        >>> Warp(flip=True).matrix((5, 9)).tolist()
        [[-1.0, 0.0, 8.0], [0.0, 1.0, 0.0]]
        """
        angle, slant = math.radians(self.degrees), math.tan(math.radians(self.shear))
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear = turn @ np.array([[1.0, slant], [0.0, 1.0]]) @ np.diag([-1.0 if self.flip else 1.0, 1.0])
        centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
        return np.column_stack([linear, centre - linear @ centre])


def draw_warp(settings: Geometric | None, rng: np.random.Generator) -> Warp:
    """Draw what happens to one clip; None: nothing."""
    if settings is None:
        return Warp()
    flip, degrees, shear = rng.random(), *rng.uniform(-1, 1, 2)
    return Warp(bool(flip < settings.hflip), float(degrees * settings.degrees), float(shear * settings.shear))


def warp_frames(frames: Tensor, warp: Warp, size: int) -> Tensor:
    """Warp frames and squash them to a square, as a SAM 2 squashes them when it is evaluated.

    Args:
        frames: ``(T, 3, H, W)`` uint8.
        warp: What to do; what comes in from outside is grey.
        size: Side ``S`` of the square.

    Returns:
        ``(T, 3, S, S)`` uint8.
    """
    if warp != Warp():
        matrix, (height, width) = warp.matrix(_size(frames)), frames.shape[-2:]
        images = [np.ascontiguousarray(frame.permute(1, 2, 0).numpy()) for frame in frames]
        warped = [
            cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=_FILL)
            for image in images
        ]
        frames = torch.from_numpy(np.stack(warped)).permute(0, 3, 1, 2).contiguous()
    resized: Tensor = resize(frames, [size, size], InterpolationMode.BICUBIC, antialias=True)
    return resized


def warp_ids(ids: np.ndarray, warp: Warp, size: int) -> Tensor:
    """The same for maps of ids, by nearest neighbours: no id appears that was not there.

    Args:
        ids: ``(T, H, W)`` uint8; what comes in from outside is 0.
        warp: What to do.
        size: Side ``S`` of the square.

    Returns:
        ``(T, S, S)`` uint8.
    """
    if warp != Warp():
        height, width = ids.shape[-2:]
        matrix = warp.matrix((height, width))
        ids = np.stack([cv2.warpAffine(plane, matrix, (width, height), flags=cv2.INTER_NEAREST) for plane in ids])
    resized: Tensor = resize(torch.from_numpy(ids), [size, size], InterpolationMode.NEAREST_EXACT)
    return resized


def _size(frames: Tensor) -> tuple[int, int]:
    return int(frames.shape[-2]), int(frames.shape[-1])
