"""Night: little light, cold colours, and the noise of a sensor that makes the most of them."""

from __future__ import annotations

import torch
from torch import Tensor

from robustvos.corruptions.base import ClipSpec, Corruption, as_float, round_into
from robustvos.corruptions.fields import NormalNoise

_TINT = (0.85, 0.95, 1.15)


class Night(Corruption):
    """The whole frame keeps a part of its light, U(0.12, 0.3), turns blue a little, and gets noise, sigma U(4, 8) grey levels.

    The light follows a profile over the clip. Severity scales the darkness (as an exponent of the part that is kept), the
    tint and the noise; both presets are alike, for the benchmark has no night of its own.

    Source: ours; the range of the gain is that of ``low_light``.
    """

    name = "night"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        rng = self.rng("night")
        kept, self.sigma = rng.uniform(0.12, 0.3), rng.uniform(4.0, 8.0) * clip.strength
        self.gain = self.profile("gain", kept, 0.08, 0.4) ** clip.strength
        self.tint = [level**clip.strength for level in _TINT]

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        pixels = as_float(frame)
        gain = torch.tensor([float(self.gain[index]) * level for level in self.tint], device=pixels.device)
        pixels.mul_(gain[:, None, None])
        NormalNoise(self.sigma, len(frame), self.rng("noise", index)).add_to(pixels)
        round_into(out, pixels)
