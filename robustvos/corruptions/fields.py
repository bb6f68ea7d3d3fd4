"""Large fixed fields of noise, from which a frame's noise is cut: about twenty times cheaper than drawing it.

Two independent fields are combined, each entered at a random place of its own for every plane of every frame: their sum
is normal, their exclusive-or uniform. Two planes may share a stretch of one field at a random displacement, but to share
both they would have to agree in two places of 20 bits each, so no pattern ever comes back. Planes larger than a field
read on from its beginning; the fields' sizes have no common factor, so the combination does not repeat then either.

The normal fields hold multiples of 1/256 and the standard deviation is rounded to 1/32, so that every sum is exact in
float32 and the result does not depend on fused arithmetic, vector width, threads or device.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from robustvos.seeding import generator

FIELD_SIZES = ((1 << 20) - 1, (1 << 20) - 3)
LEVELS = 1 << 11
"""Distinct values of the uniform fields."""


class NormalNoise:
    """White normal noise on the planes of one frame.

    Args:
        sigma: Standard deviation in grey levels, at most 360.
        planes: Number of planes.
        rng: Picks the places in the fields.
    """

    def __init__(self, sigma: float, planes: int, rng: np.random.Generator) -> None:
        # Two fields of unit variance have sd sqrt(2) together. 255 keeps the product within float32's 24 bits.
        self.share = min(round(sigma / 2**0.5 * 32) / 32, 255.0)
        self.places = _places(planes, rng)

    def add_to(self, pixels: Tensor) -> None:
        """Add it to contiguous float32 planes ``(planes, H, W)``, in place."""
        for part, places in enumerate(self.places.tolist()):
            field = _normal_field(part, pixels.device)
            for plane, place in zip(pixels, places, strict=True):
                plane.view(-1).add_(_cut(field, place, plane.numel()), alpha=self.share)


class UniformLevels:
    """Independent integers, uniform on ``0 .. LEVELS - 1``, for the pixels of one plane."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.places = _places(1, rng)[:, 0]

    def take(self, count: int, device: torch.device) -> Tensor:
        """``(count,)`` int32, the values of the pixels in row order."""
        one, other = (_cut(_uniform_field(part, device), int(place), count) for part, place in enumerate(self.places))
        return (one ^ other).to(torch.int32)


def normal_fields() -> tuple[np.ndarray, np.ndarray]:
    """The two fields, float32, that :class:`NormalNoise` adds."""
    first, second = (_normal_field(part, torch.device("cpu")).numpy() for part in (0, 1))
    return first, second


def uniform_fields() -> tuple[np.ndarray, np.ndarray]:
    """The two fields, int16, that :class:`UniformLevels` combines."""
    first, second = (_uniform_field(part, torch.device("cpu")).numpy() for part in (0, 1))
    return first, second


@lru_cache(maxsize=1)
def level_quantiles() -> np.ndarray:
    """``(LEVELS,)`` float64, the probability that each level of a uniform field stands for."""
    return (np.arange(LEVELS) + 0.5) / LEVELS


def _places(planes: int, rng: np.random.Generator) -> np.ndarray:
    """``(2, planes)`` int64."""
    return np.stack([rng.integers(0, size, planes) for size in FIELD_SIZES])


def _cut(field: Tensor, place: int, count: int) -> Tensor:
    """``count`` samples from ``place`` on; after the last comes the first."""
    end = place + count
    return field[place:end] if end <= len(field) else field.repeat(1 + end // len(field))[place:end]


@lru_cache(maxsize=8)
def _normal_field(part: int, device: torch.device) -> Tensor:
    field = torch.randn(FIELD_SIZES[part], generator=generator("corruptions", "normal field", part))
    return field.mul_(256.0).round_().div_(256.0).to(device)


@lru_cache(maxsize=8)
def _uniform_field(part: int, device: torch.device) -> Tensor:
    draw = generator("corruptions", "uniform field", part)
    return torch.randint(LEVELS, (FIELD_SIZES[part],), generator=draw, dtype=torch.int32).to(device, torch.int16)
