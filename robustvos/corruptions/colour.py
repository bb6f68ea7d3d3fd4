"""Colour jitter: brightness, contrast, saturation and hue.

Source: parameters of the RobustPVOS renderer; the four operations as torchvision and albumentations define them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from robustvos.corruptions import compiled
from robustvos.corruptions.base import ClipSpec, Corruption, as_float, round_into
from robustvos.corruptions.compiled import LUMA, OPERATIONS

LEAST_FACTOR = 0.05
"""Brightness, contrast and saturation never fall below this, lest a frame turn black or flat."""


class ColorJitter(Corruption):
    """Brightness, contrast and saturation times ``1 + a * u``, hue turned by ``a * u`` of a full circle.

    The amplitudes ``a`` follow their profiles: brightness .85 in [.7, 1], contrast .15 in [0, .3], saturation .85 in
    [.7, 1], hue .85 capped at .3. Severity scales them after the clamps; a turn of hue stays within half a circle.

    ``release``: ``u ~ U(-1, 1)`` and the order of the four are drawn anew in every frame: flicker. ``intended``: order and
    ``u``, of random sign and size U(1/4, 1), are held over the clip, so that colours drift with the profiles alone.
    """

    name = "color_jitter"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        amplitudes = np.stack(
            [
                self.profile("brightness", 0.85, 0.7, 1.0),
                self.profile("contrast", 0.15, 0.0, 0.3),
                self.profile("saturation", 0.85, 0.7, 1.0),
                self.profile("hue", 0.85, 0.0, 0.3),
            ],
            axis=1,
        )
        rng, (frames, count) = self.rng("jitter"), amplitudes.shape
        if clip.preset == "release":
            direction = rng.uniform(-1.0, 1.0, (frames, count))
            self.order = rng.permuted(np.tile(np.arange(count), (frames, 1)), axis=1)
        else:
            direction = np.asarray(rng.choice([-1.0, 1.0], count) * rng.uniform(0.25, 1.0, count))
            self.order = np.tile(rng.permutation(count), (frames, 1))
        self.change = amplitudes * direction * clip.strength

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        steps = [(OPERATIONS[operation], float(self.change[index, operation])) for operation in self.order[index]]
        # Contrast needs the frame's mean as it is when contrast's turn comes; a part of the pixels tells it well enough.
        step = 4 if frame[0].numel() > 1 << 16 else 1
        before = steps[: [operation for operation, _ in steps].index("contrast")]
        some = frame[:, ::step, ::step]
        if compiled.serves(frame.device):
            grey = compiled.sum_of_grey(compiled.planes(some), *_as_numbers(before, 0.0)) / some[0].numel()
            compiled.jitter(compiled.planes(frame), *_as_numbers(steps, grey), compiled.target(out))
        else:
            round_into(out, _adjust(frame, steps, _mean_grey(_adjust(some, before, 0.0))))


def _as_numbers(steps: list[tuple[str, float]], mean: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What :func:`compiled.jitter` takes: operations, factors, anchors, and the turn of hue."""
    operations = np.array([OPERATIONS.index(operation) for operation, _ in steps], dtype=np.int64)
    factors = np.array([_factor(change) for _, change in steps])
    anchors = np.where(operations == OPERATIONS.index("contrast"), mean, 1.0) * (1.0 - factors)
    turn = next((_turn(change) for operation, change in steps if operation == "hue"), (0, 0))
    return operations, factors.astype(np.float32), anchors.astype(np.float32), np.array(turn)


def _factor(change: float) -> float:
    return max(1.0 + change, LEAST_FACTOR)


def _turn(change: float) -> tuple[int, int]:
    """A turn of at most half a circle in thirds, and the rest in 1/128 of a sixth."""
    turn = min(max(change, -0.5), 0.5)
    thirds = round(3.0 * turn)
    return thirds, round((6.0 * turn - 2 * thirds) * 128)


def _adjust(frame: Tensor, steps: list[tuple[str, float]], mean: float) -> Tensor:
    """Apply the operations in order to uint8 pixels; float32, not rounded, after the last one not clamped."""
    pixels = frame
    for place, (operation, change) in enumerate(steps):
        if operation == "hue":
            if pixels.is_floating_point():
                pixels = pixels.round_().to(torch.int16)
            pixels = turn_hue(pixels, change)
            continue
        pixels = pixels if pixels.is_floating_point() else as_float(pixels)
        factor = _factor(change)
        # Each moves the pixels away from, or towards, black, the frame's mean, or their own grey.
        anchor = _grey(pixels).mul_(1.0 - factor) if operation == "saturation" else None
        pixels.mul_(factor)
        if operation == "contrast":
            pixels.add_(mean * (1.0 - factor))
        elif anchor is not None:
            pixels.add_(anchor)
        if factor > 1.0 and place + 1 < len(steps):  # towards the anchor nothing leaves the range
            pixels.clamp_(0.0, 255.0)
    return pixels if pixels.is_floating_point() else as_float(pixels)


def turn_hue(frame: Tensor, turn: float) -> Tensor:
    """Turn the HSV hue of every pixel, keeping its saturation and value.

    A turn by a third of the circle is another order of the channels. What is left of the turn, ``r`` sixths with
    ``|r| <= 1``, moves a channel ``a`` along a trapezoid whose edges the other two tell: with ``b`` the channel towards
    which the hue turns, ``c`` the third, all less the pixel's minimum, and chroma ``C``::

        a' = clamp(a - b + (1 - |r|) C + (2 |r| - 1) c, 0, C)

    In whole numbers, ``r`` in steps of 1/128: the same on every device, within 2 levels of the exact turn.

    Args:
        frame: ``(3, H, W)`` uint8 or int16, values 0 to 255.
        turn: Fraction of the circle; beyond half of it is taken as half.

    Returns:
        ``(3, H, W)`` int16, values 0 to 255.

    >>> turn_hue(torch.tensor([200, 50, 50], dtype=torch.uint8).view(3, 1, 1), 1 / 3).flatten().tolist()
    [50, 200, 50]
    """
    thirds, rest = _turn(turn)  # 128 times 255 fits int16
    towards = 1 if rest > 0 else -1
    low = frame.amin(0)
    chroma, above = (frame.amax(0) - low).to(torch.int16), (frame - low).to(torch.int16)
    low = low.to(torch.int16)
    plateau = (chroma * (128 - abs(rest))).add_(64)  # rounds the shift
    turned = torch.empty(frame.shape, dtype=torch.int16, device=frame.device)
    for channel in range(3):
        own, next_, third = above[channel], above[(channel + towards) % 3], above[(channel - towards) % 3]
        out = turned[(channel + thirds) % 3]
        torch.add(plateau, third, alpha=2 * abs(rest) - 128, out=out)
        out >>= 7
        torch.minimum(out.add_(own).sub_(next_).clamp_(min=0), chroma, out=out).add_(low)
    return turned


def _grey(pixels: Tensor) -> Tensor:
    red, green, blue = pixels
    grey: Tensor = (red * LUMA[0]).add_(green * LUMA[1]).add_(blue * LUMA[2])
    return grey


def _mean_grey(pixels: Tensor) -> float:
    """Mean grey level, after clamping, from an integer sum: the same on any number of threads."""
    grey = _grey(pixels.clamp(0.0, 255.0)).to(torch.int32)
    return int(grey.sum()) / grey.numel()
