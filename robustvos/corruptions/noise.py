"""Sensor noise: white Gaussian noise, and the grain of a high ISO setting.

Source: parameters of the RobustPVOS renderer; noise models of albumentations (``GaussNoise``, ``ISONoise``).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import special
from torch import Tensor

from robustvos.corruptions import compiled
from robustvos.corruptions.base import ClipSpec, Corruption, as_float, round_into
from robustvos.corruptions.fields import (
    LEVELS,
    NormalNoise,
    UniformLevels,
    level_quantiles,
    normal_fields,
    uniform_fields,
)


class GaussNoise(Corruption):
    """Independent normal noise on every channel of every pixel, new in every frame.

    ``intended``: variance between 100 and 150 squared grey levels, both ends with their own profile, the place between
    them held over the clip. ``release``: the variance is ignored, sigma is 255 times U(0.2, 0.44), drawn anew for each
    frame. Severity scales sigma.
    """

    name = "gauss_noise"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        if clip.preset == "release":
            self.sigma = 255.0 * self.rng("sigma").uniform(0.2, 0.44, clip.length)
        else:
            low, high = self.profile("variance low", 100.0), self.profile("variance high", 150.0)
            self.sigma = np.sqrt(low + (high - low).clip(0.0) * self.rng("between").uniform())
        self.sigma = self.sigma * clip.strength

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        noise = NormalNoise(self.sigma[index], len(frame), self.rng("noise", index))
        if compiled.serves(frame.device):
            amount = noise.places, np.float32(noise.share)
            compiled.add_fields(compiled.planes(frame), *normal_fields(), *amount, compiled.target(out))
        else:
            pixels = as_float(frame)
            noise.add_to(pixels)
            round_into(out, pixels)


class IsoNoise(Corruption):
    """Grain whose amount follows the frame's own spread of lightness, ``S = std(L)``, ``L = (max + min) / 2`` in [0, 1].

    ``intended`` (colour shift 0.2-0.25, intensity 0.85-0.9, as the parameters are documented): each pixel's colour turns
    about the grey axis by a normal angle of ``shift * 360 * intensity`` degrees, and moves towards white by a fraction
    ``n / 255``, ``n ~ Poisson(255 * S * intensity)``.

    ``release``: the renderer's library dropped the factor 255, so that ``n ~ Poisson(S * intensity)`` counts whole steps
    to white: most pixels stay, a few per cent turn white. Its turn of hue is 0.2 degrees, below the rounding to 8 bits,
    and left out.

    Severity scales the Poisson mean and the angle.
    """

    name = "iso_noise"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        self.intensity = self.profile("intensity", 0.875, 0.7, 1.0) * clip.strength
        self.angle = np.radians(self.profile("colour shift", 0.225, 0.0, 0.3) * 360.0) * self.intensity

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        rng = self.rng("noise", index)
        mean = lightness_spread(frame) * self.intensity[index]
        light, hue = UniformLevels(rng), UniformLevels(rng)
        if self.clip.preset == "release":
            _whiten(frame, round(-np.expm1(-mean) * LEVELS), light, out)
            return
        # Float64 tables, one entry per level, are the same on any machine and cheaper than a cosine per pixel.
        steps = np.searchsorted(special.pdtr(np.arange(256), 255.0 * mean), level_quantiles()).clip(max=255)
        turn = special.ndtri(level_quantiles()) * self.angle[index]
        tables = np.stack([steps / 255.0, np.cos(turn), np.sin(turn) / 3**0.5]).astype(np.float32)
        if compiled.serves(frame.device):
            places = light.places, hue.places
            compiled.grain(compiled.planes(frame), *uniform_fields(), *places, tables, compiled.target(out))
        else:
            round_into(out, _grain(frame, torch.from_numpy(tables).to(frame.device), light, hue))


def lightness_spread(frame: Tensor) -> float:
    """Standard deviation of HLS lightness over a ``(3, H, W)`` uint8 frame, as a fraction of its range.

    Every third row and column of a large frame is looked at. Integer sums: the same on any number of threads.
    """
    step = 3 if frame[0].numel() > 1 << 16 else 1
    doubled = frame.amax(0)[::step, ::step].to(torch.int32) + frame.amin(0)[::step, ::step]
    count, total, squares = doubled.numel(), int(doubled.sum()), int((doubled * doubled).sum())
    spread: float = (max(squares / count - (total / count) ** 2, 0.0)) ** 0.5 / 510.0
    return spread


def _whiten(frame: Tensor, below: int, light: UniformLevels, out: Tensor) -> None:
    """Turn those pixels white whose level is ``below`` a threshold."""
    if compiled.serves(frame.device):
        compiled.whiten(compiled.planes(frame), *uniform_fields(), light.places, below, compiled.target(out))
    else:
        levels = light.take(frame[0].numel(), frame.device).view(frame.shape[1:])
        torch.bitwise_or(frame, (levels < below).view(torch.uint8).neg(), out=out)


def _grain(frame: Tensor, tables: Tensor, light: UniformLevels, hue: UniformLevels) -> Tensor:
    """What :func:`compiled.grain` does, by torch, not rounded; float32."""
    shape = frame.shape[1:]
    turn = hue.take(shape.numel(), frame.device)
    cosine, sine = (table.index_select(0, turn).view(shape) for table in tables[1:])
    fraction = tables[0].index_select(0, light.take(shape.numel(), frame.device)).view(shape)
    pixels = as_float(frame)
    red, green, blue = pixels
    mean = (red + green).add_(blue).div_(red.new_tensor(3.0))  # CUDA would multiply by a number's reciprocal
    turned = (pixels - mean).mul_(cosine).add_(mean)
    for channel, (after, before) in enumerate(((green, blue), (blue, red), (red, green))):
        turned[channel].add_((before - after).mul_(sine))
    whitened: Tensor = turned.clamp_(0.0, 255.0).mul_(1.0 - fraction).add_(fraction.mul_(255.0))
    return whitened
