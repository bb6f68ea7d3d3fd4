"""Degradations that differ between the things of one frame: fog by depth, shadow, blur, drops on the lens.

A clip's objects seldom suffer alike: the far one is in the fog, the near one in the shadow, a third behind a drop. Where
the layers of a clip are known, such clips can be made exactly. They are what conditioning on each object is for.

They obey the rules of :mod:`robustvos.corruptions.base`: everything follows from seed, clip name and frame, whatever the
order; severity scales them, the preset makes no difference.
"""

from __future__ import annotations

from abc import abstractmethod

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustvos.corruptions.base import ClipSpec, Corruption, check_layers
from robustvos.corruptions.blur import MIN_SCALE
from robustvos.corruptions.layers import Layers

Pixels = NDArray[np.float32]
EDGE = 0.7
"""Standard deviation, pixels, by which the borders between layers are softened."""
FATES = ("clear", "out of focus", "in the dark", "in fog")
"""Of a thing, where each has one of its own."""
PENUMBRA = 0.05
"""Standard deviation of a shadow's border, in parts of the frame's short side."""


class LocalCorruption(Corruption):
    """A degradation prepared for one clip and its layers.

    Attributes:
        layers: Those of the clip.
    """

    needs_layers = True

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        self.layers = check_layers(self.name, clip.layers)

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame, on the CPU wherever it comes from."""
        pixels = frame.permute(1, 2, 0).to("cpu", torch.float32).contiguous().numpy()
        degraded = np.clip(self.degrade(pixels, index), 0.0, 255.0)
        out.copy_(torch.from_numpy(np.round(degraded).astype(np.uint8)).permute(2, 0, 1))

    @abstractmethod
    def degrade(self, pixels: Pixels, index: int) -> Pixels:
        """Degrade one frame, ``(H, W, 3)`` in grey levels; the input may be changed."""

    def share(self, hit: NDArray[np.bool_], index: int, softness: float = EDGE) -> Pixels:
        """``(H, W, 1)`` in [0, 1]: where frame ``index`` shows things that are ``hit``, with soft borders."""
        return blurred(hit[self.layers.labels_at(index)].astype(np.float32), softness)[..., None]

    def drawn_things(self) -> NDArray[np.bool_]:
        """``(L,)``: a random part of the things; one at least, and of two or more never all."""
        return random_part(self.rng("things"), len(self.layers.depth))


class DepthFog(LocalCorruption):
    """Fog that thickens with distance: ``pixel * T + light * (1 - T)``, ``T = exp(-density * depth)``.

    Density U(1.8, 2.8), times its Fourier profile over the clip, times severity / 3; light U(200, 245). What is near stays
    clear, the background nearly goes.
    """

    name = "depth_fog"

    def __init__(self, clip: ClipSpec, hit: NDArray[np.bool_] | None = None) -> None:
        super().__init__(clip)
        rng = self.rng("fog")
        self.density = self.profile("density", rng.uniform(1.8, 2.8)) * clip.strength
        self.light = np.float32(rng.uniform(200.0, 245.0))
        self.hit = hit

    def degrade(self, pixels: Pixels, index: int) -> Pixels:
        """Blend every thing with the fog before it."""
        depth = self.layers.depth_at(index)
        if self.hit is not None:
            depth = np.where(self.hit[self.layers.labels_at(index)], depth, np.float32(0.0))
        if self.hit is not None or isinstance(self.layers, Layers):
            depth = blurred(depth, EDGE)  # things end more softly than their masks; a map knows where they end
        depth = depth[..., None]
        clear = np.exp(-np.float32(self.density[index]) * depth)
        seen: Pixels = pixels * clear + self.light * (1.0 - clear)
        return seen


class LowLight(LocalCorruption):
    """Some things lie in a shadow that reaches a little beyond them.

    A gain of U(0.12, 0.3), and there the sensor's noise, sigma U(5, 9) grey levels. Severity scales the darkness (as an
    exponent of the gain) and the noise. A shadow that ended with the thing would cut it out rather than hide it.
    """

    name = "low_light"

    def __init__(self, clip: ClipSpec, hit: NDArray[np.bool_] | None = None) -> None:
        super().__init__(clip)
        rng = self.rng("light")
        self.gain = np.float32(rng.uniform(0.12, 0.3) ** clip.strength)
        self.sigma = np.float32(rng.uniform(5.0, 9.0) * clip.strength)
        self.hit = self.drawn_things() if hit is None else hit

    def degrade(self, pixels: Pixels, index: int) -> Pixels:
        """Darken them."""
        noise = self.rng("noise", index).standard_normal(pixels.shape, dtype=np.float32) * self.sigma
        shadow = np.minimum(3.0 * self.share(self.hit, index, PENUMBRA * min(self.clip.size)), 1.0)
        darkened: Pixels = pixels + shadow * (pixels * (self.gain - 1.0) + noise)
        return darkened


class LocalBlur(LocalCorruption):
    """Some things are out of focus, and spread over what is beside them.

    A Gaussian of U(6, 10) pixels (for 480p frames), times its Fourier profile, times severity / 3; it shrinks with the
    frame to half at most.
    """

    name = "local_blur"

    def __init__(self, clip: ClipSpec, hit: NDArray[np.bool_] | None = None) -> None:
        super().__init__(clip)
        sigma = self.rng("blur").uniform(6.0, 10.0) * clip.strength * max(clip.scale, MIN_SCALE)
        self.sigma = np.maximum(self.profile("sigma", sigma), 0.5)
        self.hit = self.drawn_things() if hit is None else hit

    def degrade(self, pixels: Pixels, index: int) -> Pixels:
        """Blur them."""
        sigma = float(self.sigma[index])
        share = np.minimum(2.0 * self.share(self.hit, index, sigma), 1.0)
        mixed: Pixels = pixels + share * (blurred(pixels, sigma) - pixels)
        return mixed


class LensDrops(LocalCorruption):
    """Drops on the lens, 5 to 9 of them (times severity / 3), that bend and blur what is behind and creep down.

    Radius U(0.06, 0.13) of the short side; a drop shows its surroundings upside down, as a small lens does. They cover
    places of the frame, so that objects go in and out of them.
    """

    name = "lens_drops"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        rng, (height, width) = self.rng("drops"), clip.size
        count = max(1, round(int(rng.integers(5, 10)) * clip.strength))
        self.centre = rng.uniform(size=(count, 2)) * (width, height)
        self.radius = rng.uniform(0.06, 0.13, count) * min(clip.size)
        self.speed = rng.uniform(0.0, 0.004, count) * min(clip.size)

    def degrade(self, pixels: Pixels, index: int) -> Pixels:
        """Look through them."""
        height, width = self.clip.size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        source_x, source_y, share = x.copy(), y.copy(), np.zeros((height, width), np.float32)
        for (left, top), radius, speed in zip(self.centre, self.radius, self.speed, strict=True):
            dx, dy = x - np.float32(left), y - np.float32(top + speed * index)
            inside = np.clip(1.0 - (dx * dx + dy * dy) / np.float32(radius * radius), 0.0, 1.0)
            covered = inside > 0
            source_x[covered] = (x - 2.4 * dx)[covered]
            source_y[covered] = (y - 2.4 * dy)[covered]
            share = np.maximum(share, np.minimum(4.0 * inside, 1.0))
        bent = cv2.remap(pixels, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).astype(
            np.float32
        )
        seen = blurred(bent, 3.0 * max(self.clip.scale, MIN_SCALE))
        return pixels + share[..., None] * (seen - pixels)


class Mixed(LocalCorruption):
    """Each thing has a fate of its own: clear, in fog, in the dark or out of focus; in half of the clips seen through drops.

    Fates are dealt out four things at a time, in random order, so that up to four things have one each.

    Attributes:
        fates: ``(L,)`` int, of each thing: its place in :data:`FATES`.
    """

    name = "mixed"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        rng, count = self.rng("fates"), len(self.layers.depth)
        rounds = [rng.permutation(len(FATES)) for _ in range(count // len(FATES) + 1)]
        self.fates = np.concatenate(rounds)[:count]
        self.parts: list[LocalCorruption] = [
            LocalBlur(clip, self.fates == 1),
            LowLight(clip, self.fates == 2),
            DepthFog(clip, self.fates == 3),
        ]
        if rng.random() < 0.5:
            self.parts.append(LensDrops(clip))

    def degrade(self, pixels: Pixels, index: int) -> Pixels:
        """Degrade each thing in its own way."""
        for part in self.parts:
            pixels = part.degrade(pixels, index)
        return pixels


def random_part(rng: np.random.Generator, count: int) -> NDArray[np.bool_]:
    """``(count,)`` of which each is true with probability one half; one at least, and of two or more never all.

    >>> random_part(np.random.default_rng(0), 1).tolist()
    [True]
    """
    chosen = rng.random(count) < 0.5
    if chosen.all() or not chosen.any():
        chosen[:] = False
        chosen[rng.integers(count)] = True
    return chosen


def blurred(image: Pixels, sigma: float) -> Pixels:
    """Gaussian blur, edges reflected."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32)
