"""Falling particles: where they are at any frame, how they are drawn, and how they cover a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robustvos.corruptions import compiled

OPAQUE = 127
"""Opacity is a whole number of 127ths-of-about-one (128 is one), so that blending fits int16."""
GOLDEN = (5**0.5 - 1) / 2
GROUP_AREA = 4000.0
"""Work, in pixels of half extent, worth one more group."""
LEAST_RADIUS = 1.0
"""Thinner particles are drawn this thick, and fainter, lest they flicker between pixels."""


@dataclass(frozen=True)
class Capsules:
    """``N`` soft, nearly vertical line segments with round ends, in pixels.

    Attributes:
        x: ``(N,)`` centres, 0 in the middle of the first column.
        y: ``(N,)`` centres, 0 in the middle of the first row.
        half_length: ``(N,)`` half the vertical extent of the segment.
        slope: ``(N,)`` pixels to the right per pixel down.
        radius: ``(N,)`` distance from the segment at which the opacity reaches 0.
        opacity: ``(N,)`` in [0, 1].
        taper: ``(N,)`` in [0, 1], share of the opacity lost towards the ends of the segment.
    """

    x: np.ndarray
    y: np.ndarray
    half_length: np.ndarray
    slope: np.ndarray
    radius: np.ndarray
    opacity: np.ndarray
    taper: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Fall:
    """Straight falls through a frame, re-entering at the top in another column.

    A particle's place depends on its own draws and on the distance fallen alone.

    Attributes:
        start: ``(N, 2)`` in [0, 1): where along its fall, and in which column, a particle is at distance 0.
        speed: ``(N,)`` pixels per unit of distance.
        slope: ``(N,)`` pixels to the right per pixel down.
        size: ``(H, W)`` of the frame.
        margin: Pixels beyond the frame's edges at which particles appear and vanish.
    """

    start: np.ndarray
    speed: np.ndarray
    slope: np.ndarray
    size: tuple[int, int]
    margin: float

    def positions(self, distance: float) -> tuple[np.ndarray, np.ndarray]:
        """``x`` and ``y`` in pixels, ``(N,)`` float64 each, after the common ``distance``."""
        height, width = (extent + 2.0 * self.margin for extent in self.size)
        fallen = self.start[:, 0] * height + self.speed * distance
        passes = np.floor(fallen / height)
        y = fallen - passes * height
        reach = width + height * np.abs(self.slope)
        x = ((self.start[:, 1] + passes * GOLDEN) % 1.0) * reach  # a new column on every pass
        x += self.slope * y - np.maximum(self.slope, 0.0) * height
        return x - self.margin, y - self.margin


def draw(capsules: Capsules, size: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Opacity map of the particles; where several overlap, their opacities add up.

    Opacity falls off as one minus the squared distance to the segment over the squared radius.

    Returns:
        ``(H, W)`` int16, 0 (clear) to :data:`OPAQUE`.
    """
    height, width = size
    radius = np.maximum(capsules.radius, LEAST_RADIUS)
    reach_y = capsules.half_length + radius
    reach_x = capsules.half_length * np.abs(capsules.slope) + radius
    # The light that a particle takes, summed over pixels, stays what its own radius would make it.
    long = 1.7 * capsules.half_length
    thin = capsules.radius * (capsules.radius + long) / (radius * (radius + long))
    opacity = capsules.opacity * thin * OPAQUE
    seen = (np.abs(capsules.y - (height - 1) / 2) < reach_y + height / 2) & (opacity >= 1.0)
    seen &= np.abs(capsules.x - (width - 1) / 2) < reach_x + width / 2
    rows = np.stack([capsules.y, capsules.x, capsules.half_length, capsules.slope, capsules.taper, radius, opacity])
    drawn = rows[:, seen].astype(np.float32)
    if compiled.serves(device):
        canvas = np.zeros(size, dtype=np.int16)
        compiled.stamp(drawn, OPAQUE, canvas)
        return torch.from_numpy(canvas)
    return _stamp(drawn, size, device)


def cover(
    frame: Tensor, opacity: Tensor, colour: int, out: Tensor, shadow: float = 0.0, kept_light: int = OPAQUE + 1
) -> None:
    """Blend a frame towards a grey level by an opacity map; integer arithmetic.

    Args:
        frame: ``(3, H, W)`` uint8.
        opacity: ``(H, W)`` int16, as from :func:`draw`.
        colour: The grey level.
        out: Where the blend goes, contiguous; may be ``frame``.
        shadow: Pixels whose lightness, the mean of the largest and the smallest channel, is below this are darkened first.
        kept_light: What those keep, in 128ths.
    """
    below = int(np.ceil(2.0 * shadow))
    if compiled.serves(frame.device):
        where = compiled.planes(frame), opacity.reshape(-1).numpy()
        compiled.cover(*where, colour, below, kept_light, compiled.target(out))
        return
    scene = frame.to(torch.int16)
    if below > 0:
        dark = (scene.amax(0) + scene.amin(0) < below).to(torch.int16)
        scene.mul_(dark.mul_(kept_light - 128).add_(128)).add_(64)
        scene >>= 7
    light = (opacity * colour).add_(64)  # rounds the shift; with 255 times what is kept at most 32,704
    scene.mul_(OPAQUE + 1 - opacity).add_(light)
    scene >>= 7
    out.copy_(scene)


def _stamp(particles: np.ndarray, size: tuple[int, int], device: torch.device | str) -> Tensor:
    """What :func:`compiled.stamp` does, by torch; ``(H, W)`` int16."""
    height, width = size
    margin = int(2 * particles[5].max(initial=0.0)) + 2
    canvas = torch.zeros((height + 2, width + 2 * margin), dtype=torch.int32, device=device)
    # Particles of like extent share one rectangle of candidate pixels.
    work = (particles[2] + particles[5]) * particles[5]
    groups = 1 + min(int(work.sum() // GROUP_AREA), 3)
    for group in np.array_split(np.argsort(work, kind="stable"), groups):
        if len(group):
            _stamp_group(canvas, particles[:, group], margin, height, width)
    return canvas[1:-1, margin : margin + width].clamp(max=OPAQUE).to(torch.int16)


def _stamp_group(canvas: Tensor, particles: np.ndarray, margin: int, height: int, width: int) -> None:
    """Draw one group; ``particles`` is ``(7, n)``: y, x, half length, slope, taper, padded radius, opacity."""
    rows = int(np.ceil((particles[2] + particles[5]).max()))
    columns = int(2 * particles[5].max()) + 1
    y, x, half, slope, taper, radius, opacity = torch.from_numpy(particles).to(canvas.device)[..., None]
    row = y.round() + torch.arange(-rows, rows + 1, device=canvas.device)
    down = row - y
    along = torch.minimum(torch.maximum(down, -half), half)
    line = (along * slope).add_(x)
    first = (line - radius).ceil_().clamp_(-margin, width + margin - columns)
    fall_off = opacity / (radius * radius)
    level = opacity - (down - along).square_().mul_(fall_off)
    level.mul_(1.0 - (along / half.clamp(min=1e-3)).square_().mul_(taper))
    step = torch.arange(columns, device=canvas.device)
    value = (first - line)[..., None] + step
    value = value.square_().mul_(-fall_off[..., None]).add_(level[..., None]).clamp_(min=0.0).round_()
    # Rows and columns beyond the frame fall on the canvas's margin, which is cut off.
    start = (row.clamp_(-1, height) + 1).mul_(canvas.shape[1]).add_(first).add_(margin).long()
    pixels = (start[..., None] + step).view(-1)
    canvas.view(-1).scatter_add_(0, pixels, value.to(torch.int32).view(-1))
