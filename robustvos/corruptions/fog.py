"""Fog: a patchy bank of cloud between the camera and the scene.

Source: parameters of the RobustPVOS renderer; the cloud layer of imgaug's ``Fog``, whose draws it uses.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from robustvos.corruptions import compiled
from robustvos.corruptions.base import ClipSpec, Corruption, as_float, round_into

CELLS = 24
"""Lattice cells along the short side of a frame: the finest detail of the fog, the same at every frame size."""
LATTICE = 96
"""Cells after which the bank repeats; a frame of 4:1 still shows no repetition."""
LEAST_CLEAR = 0.04
"""Share of the scene's light that passes the thickest fog."""
VALUE_GRID = 512
WEIGHT_GRID = 256


class Fog(Corruption):
    """Blend towards a bright, patchy veil, ``pixel * (1 - a) + a * intensity``.

    The cloud layer: opacity ``(m + 0.3 n) ** 0.9 * d`` with ``m ~ U(0.7, 0.9)``, ``d ~ U(0.36, 0.82)``, ``n`` a smooth noise
    in [0, 1]; intensity U(220, 255), mottled by a tenth. Severity scales its optical depth, ``1 - (1 - a) ** (severity / 3)``.

    ``release``: the fog coefficient is ignored and the layer hangs still over the whole clip.
    ``intended``: the layer's optical depth follows the profile of the fog coefficient (0.15-0.25) about its centre, a uniform
    haze ``alpha`` of 0.09 (profile, in [0, 0.2]) is added, the layer is patchier (``m`` 0.2 lower, noise weight 0.7 instead
    of 0.3), and drifts: two banks of noise move at different velocities, so that patches also change their shape.
    """

    name = "fog"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        rng = self.rng("cloud")
        self.least, self.density = rng.uniform(0.7, 0.9), rng.uniform(0.36, 0.82)
        self.intensity = rng.uniform(220.0, 255.0)
        self.banks = [_smooth_noise(rng, exponent) for exponent in (2.4, 1.8, 1.8)]
        self.noise_weight = 0.3
        self.depth, self.haze = np.full(clip.length, clip.strength), np.zeros(clip.length)
        self.velocity = np.zeros((3, 2))
        if clip.preset == "intended":
            self.least, self.noise_weight = self.least - 0.2, 0.7
            self.depth = self.depth * self.profile("coefficient", 1.0)
            self.haze = self.profile("alpha", 0.09, 0.0, 0.2) * clip.strength
            self.velocity = _wind(self.rng("wind"))

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        alpha, light = (Surface(lattice, self.clip.size, frame.device) for lattice in self.lattices(index))
        if compiled.serves(frame.device):
            across = _spline_shares(self.clip.size[1], self.clip.size)
            lines = alpha.lines.numpy(), light.lines.numpy()
            compiled.veil(compiled.planes(frame), *lines, *across, compiled.target(out))
        else:  # plain steps, none fused: the same bits on every machine
            round_into(out, as_float(frame).mul_(alpha.image().neg_().add_(1.0)).add_(light.image()))

    def lattices(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Opacity in [0, 1] and opacity times intensity (grey levels) on the coarse lattice that covers frame ``index``."""
        shape = tuple(_cells(extent, self.clip.size) for extent in self.clip.size)
        shifted = [_sample(bank, shape, v * index) for bank, v in zip(self.banks, self.velocity, strict=True)]
        noise = np.clip(0.5 + (0.8 * shifted[0] + 0.6 * shifted[1]) / 4.0, 0.0, 1.0)
        alpha = (self.least + self.noise_weight * noise) ** 0.9 * self.density
        clear = (1.0 - np.clip(alpha, 0.0, 0.9)) ** self.depth[index] * (1.0 - self.haze[index])
        alpha = 1.0 - np.maximum(clear, LEAST_CLEAR)
        return alpha, alpha * np.clip(self.intensity * (1.0 + 0.05 * shifted[2]), 0.0, 255.0)


def _wind(rng: np.random.Generator) -> np.ndarray:
    """``(3, 2)`` velocities ``(y, x)`` of the banks in lattice cells per frame; mostly sideways, one way, unequal."""
    speed = rng.uniform(0.15, 0.4) * rng.choice([-1.0, 1.0])
    rise = rng.uniform(-0.25, 0.25)
    velocities: np.ndarray = speed * np.outer([1.0, 0.45, 0.7], [rise, 1.0])
    return velocities


def _smooth_noise(rng: np.random.Generator, exponent: float) -> np.ndarray:
    """``(LATTICE, LATTICE)`` periodic noise of mean 0 and variance 1 whose amplitude falls as frequency ** -exponent."""
    spectrum = np.fft.rfft2(rng.standard_normal((LATTICE, LATTICE)))
    frequency = np.hypot(np.fft.fftfreq(LATTICE)[:, None], np.fft.rfftfreq(LATTICE)[None]) * LATTICE
    # Below three periods per lattice the whole frame would be one patch.
    noise = np.fft.irfft2(spectrum / np.maximum(frequency, 4.0) ** exponent * (frequency > 0), s=(LATTICE, LATTICE))
    unit: np.ndarray = noise / noise.std()
    return unit


def _cells(extent: int, size: tuple[int, int]) -> int:
    """Lattice points needed along one side, with the spline's margin."""
    return int(np.ceil(extent * CELLS / min(size))) + 3


def _sample(bank: np.ndarray, shape: tuple[int, ...], shift: np.ndarray) -> np.ndarray:
    """A window of the periodic bank, moved by a fraction of cells; linear between lattice points."""
    for axis in (0, 1):
        whole = int(np.floor(shift[axis]))
        part = shift[axis] - whole
        rows = (np.arange(shape[axis] + 1) - whole - 1) % LATTICE
        bank = bank.take(rows, axis)
        last, count = bank.take(range(1, shape[axis] + 1), axis), shape[axis]
        bank = (1.0 - part) * last + part * bank.take(range(count), axis)
    return bank


class Surface:
    """Cubic B-spline surface through a lattice, evaluated at a frame's pixels.

    Weights and values are short fixed-point numbers, so that every product and sum of the matrix products is exact in
    float32, in whatever order a library takes them.

    Args:
        lattice: Values, at least 0.
        size: ``(H, W)`` of the frame.
        device: Where the surface is wanted.
    """

    def __init__(self, lattice: np.ndarray, size: tuple[int, int], device: torch.device) -> None:
        top = 2.0 ** np.ceil(np.log2(max(lattice.max(), 1.0)))
        values = torch.from_numpy(np.round(lattice * (VALUE_GRID / top)).astype(np.float32)).to(device)
        down, self.across = (_spline_weights(extent, size, device) for extent in size)
        unit = float(top / (2.0 * VALUE_GRID * WEIGHT_GRID))  # a power of two
        self.lines = (down @ values).mul_(2.0 / WEIGHT_GRID).round_().mul_(unit)

    def image(self) -> Tensor:
        """``(H, W)`` float32."""
        return self.lines @ self.across.T


@lru_cache(maxsize=32)
def _spline_shares(extent: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where each cell begins along one side of a frame, and the end; what each pixel takes of its cell's points.

    That is ``(4, extent)`` float32, of the cell's lattice point and the next three: multiples of 1/256 that sum to 1,
    times 256.
    """
    position = (np.arange(extent) + 0.5) * CELLS / min(size)
    cell = np.floor(position).astype(int)
    t = position - cell
    shares = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6.0
    exact = np.diff(np.round(np.cumsum(shares, axis=0) * WEIGHT_GRID), axis=0, prepend=0.0)
    return np.searchsorted(cell, np.arange(cell[-1] + 2)), exact.astype(np.float32)


@lru_cache(maxsize=32)
def _spline_weights(extent: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """``(extent, cells)``, the same shares in the columns of the lattice points they are of."""
    edges, shares = _spline_shares(extent, size)
    cell = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    weights = np.zeros((extent, _cells(extent, size)), dtype=np.float32)
    np.put_along_axis(weights, cell[:, None] + np.arange(4), shares.T, axis=1)
    return torch.from_numpy(weights).to(device)
