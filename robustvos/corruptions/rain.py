"""Rain: bright streaks that fall with the frames.

Source: parameters of the RobustPVOS renderer; ranges of imgaug's ``Rain`` where it leaves them open.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from robustvos.corruptions.base import ClipSpec, Corruption
from robustvos.corruptions.particles import Capsules, Fall, cover, draw

DROP_COLOUR = 235
TAPER = 0.8
CENTRE_SPEED, CENTRE_SIZE = 0.085, 0.25


class Rain(Corruption):
    """Streaks at several depths; the near ones are longer, wider, brighter and faster.

    A streak is ``speed`` (0.085 on average) times the long side of the frame long, and falls 1.6 times its length from
    one frame to the next. Number per frame area from a density U(0.03, 0.14), direction within 15 degrees of the
    vertical, both held over the clip. The profile of ``speed`` (0.08-0.09 in [0.01, 0.2]) is the pace of the fall, that of the
    drop size (0.25-0.27 in [0.05, 0.4]) how much of the light the drops take.

    ``intended``: single drops are seen. ``release``: many fine, faint ones, a texture more than drops, as published. The
    renderer starts every frame of a clip from one seed, so that its drops do not fall; here they do in both presets.

    Severity scales the number of drops, and their opacity by its root.
    """

    name = "rain"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        released = clip.preset == "release"
        rng = self.rng("clip")
        density, angle = rng.uniform(0.03, 0.14), rng.uniform(-15.0, 15.0)
        pace = self.profile("speed", CENTRE_SPEED, 0.01, 0.2) / CENTRE_SPEED
        self.distance = np.concatenate([[0.0], np.cumsum(pace)[:-1]])
        self.light = self.profile("drop size", CENTRE_SIZE, 0.05, 0.4) / CENTRE_SIZE * clip.strength**0.5

        area = clip.size[0] * clip.size[1] / min(clip.size) ** 2
        count = round((15000 if released else 10000) * density * area * clip.strength)
        draws = self.rng("drops").uniform(size=(count, 5))
        nearness = np.full(count, 0.25) if released else draws[:, 2] ** 2
        length = CENTRE_SPEED * max(clip.size) * (0.5 + 0.8 * nearness)
        self.half_length = length / 2
        self.radius = clip.scale * (1.2 + 0.55 * nearness)
        self.opacity = (0.38 if released else 0.42) * (0.6 + 0.8 * nearness) * (0.7 + 0.6 * draws[:, 3])
        slope = np.tan(np.radians(angle + 3.0 * (draws[:, 4] - 0.5)))
        margin = 0.65 * CENTRE_SPEED * max(clip.size) + 2.0  # half the longest streak, whichever are drawn
        self.fall = Fall(draws[:, :2], 1.6 * length, slope, clip.size, margin)

    def particles(self, index: int) -> Capsules:
        """The drops of frame ``index``."""
        x, y = self.fall.positions(self.distance[index])
        opacity = np.minimum(self.opacity * self.light[index], 1.0)
        return Capsules(x, y, self.half_length, self.fall.slope, self.radius, opacity, np.full_like(x, TAPER))

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        cover(frame, draw(self.particles(index), self.clip.size, frame.device), DROP_COLOUR, out)
