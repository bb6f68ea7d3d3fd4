"""Snow: soft flakes that sink and sway.

Source: parameters of the RobustPVOS renderer; ranges of imgaug's ``Snowflakes`` and albumentations' ``RandomSnow``.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from robustvos.corruptions.base import ClipSpec, Corruption
from robustvos.corruptions.particles import Capsules, Fall, cover, draw

FLAKE_COLOUR = 250
CENTRE_DENSITY, CENTRE_SIZE, CENTRE_SPEED = 0.1, 0.7, 0.0125
SMALLEST, LARGEST = 0.5, 0.8
"""Of the flake size, which is one minus the resolution that flakes are drawn at: flakes 2 to 5 pixels across."""
FLAKES = 720
"""In a square frame at the centres of density and flake size; as many as make the strength that of the published data."""
FADE = 0.15
"""Share of the flakes that are fading in or out while the density changes."""


class Snow(Corruption):
    """Flakes of many sizes over slightly darkened shadows.

    Each parameter has a profile of its own. The number of flakes follows that of the density (0.1 in [0, 0.2]); flakes fade
    in and out, in a fixed order, as it changes. The pace of the fall follows that of the speed (0.01-0.015, in [0.001, 0.03]
    as imgaug advises): a flake sinks by that share of the long side per frame, large (near) ones faster, and sways. The flakes'
    diameter follows that of the flake size (0.6-0.8, in [0.5, 0.8]); it is ``1 / (1 - size)`` pixels of a 480p frame for most,
    up to three times that for a few. As in imgaug larger flakes are fewer, so that they cover as much.

    Pixels whose lightness is below ``255 / 3 + point * 255 / 2`` are multiplied by 0.92, as the coefficient says.
    ``intended``: snow point 0.1 as written. ``release``: snow point U(0.1, 0.3), and one to three layers of flakes per
    clip. The renderer starts every frame of a clip from one seed, so that its flakes hang in the air; here they fall in
    both presets.

    Severity scales the number of flakes and the darkening.
    """

    name = "snow"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        rng = self.rng("clip")
        point, layers = float(rng.uniform(0.1, 0.3)), float(rng.integers(1, 4)) / 2.0
        if clip.preset == "intended":
            point, layers = 0.1, 1.0
        self.shadow = 255.0 / 3.0 + point * 255.0 / 2.0
        self.darkening = 0.08 * clip.strength

        area = clip.size[0] * clip.size[1] / min(clip.size) ** 2
        density = self.profile("density", CENTRE_DENSITY, 0.0, 0.2) / CENTRE_DENSITY
        size = self.profile("flake size", CENTRE_SIZE, SMALLEST, LARGEST)
        self.growth = (1.0 - CENTRE_SIZE) / (1.0 - size)
        pace = self.profile("speed", CENTRE_SPEED, 0.001, 0.03) / CENTRE_SPEED
        self.distance = np.concatenate([[0.0], np.cumsum(pace)[:-1]])
        self.wanted = density / self.growth**2 * (FLAKES * area * layers * clip.strength)
        self.fade = max(FADE * FLAKES * area * layers * clip.strength, 1.0)
        draws = self.rng("flakes").uniform(size=(int(np.ceil(self.wanted.max() + self.fade)), 7))
        self.nearness = draws[:, 2] ** 2.5
        speed = CENTRE_SPEED * max(clip.size) * (0.5 + 0.4 * draws[:, 3] + 1.2 * self.nearness)
        self.radius = clip.scale * (1.8 + 1.8 * draws[:, 4] + 3.8 * self.nearness**2)
        self.sway = clip.scale * (3.0 + 7.0 * draws[:, 5])
        self.sway_rate, self.sway_phase = 0.15 + 0.3 * draws[:, 5], 2.0 * np.pi * draws[:, 6]
        # the largest flake, swaying and sinking
        margin = (
            (10.0 + 8.0 * (1.0 - CENTRE_SIZE) / (1.0 - LARGEST)) * clip.scale
            + 2.1 * CENTRE_SPEED * max(clip.size)
            + 2.0
        )
        slope = np.full(len(draws), 0.0 if clip.preset == "release" else np.tan(np.radians(rng.uniform(-12.0, 12.0))))
        self.tilt = slope + 1.2 * (draws[:, 5] - 0.5)
        self.fall = Fall(draws[:, :2], speed, slope, clip.size, margin)

    def particles(self, index: int) -> Capsules:
        """The flakes of frame ``index``."""
        x, y = self.fall.positions(self.distance[index])
        x = x + self.sway * np.sin(self.sway_rate * index + self.sway_phase)
        rank = np.arange(len(x))
        opacity = (0.95 - 0.3 * self.nearness) * np.clip((self.wanted[index] - rank) / self.fade + 0.5, 0.0, 1.0)
        radius = self.radius * self.growth[index]
        return Capsules(x, y, 0.12 * self.fall.speed, self.tilt, radius, opacity, np.zeros_like(x))

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        flakes = draw(self.particles(index), self.clip.size, frame.device)
        cover(frame, flakes, FLAKE_COLOUR, out, self.shadow, round(128 * (1.0 - self.darkening)))
