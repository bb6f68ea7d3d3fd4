"""Loss of sharpness: motion blur along a line, and the softness of resampling.

Source: parameters of the RobustPVOS renderer.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from robustvos.corruptions import compiled
from robustvos.corruptions.base import ClipSpec, Corruption, round_into

WEIGHT_SUM = 128
"""Sum of the integer kernel weights: the largest for which 255 times it fits int16."""
MIN_SCALE = 0.5
"""Kernels shrink with the frame only to half their 480p length, lest nothing be seen of them on small frames."""


class MotionBlur(Corruption):
    """The mean along a line segment, as of a moving camera.

    ``intended``: kernel 7 (at least 3) times its profile, direction wandering slowly over the clip. ``release``: the limit
    ``max(3, int(7 * profile))`` made odd, a kernel drawn from the odd numbers 3 .. limit and a new direction in each frame.
    A kernel of ``k`` pixels is for 480p frames; it is ``1 + (k - 1) * severity / 3 * max(short side / 480, 1/2)`` long
    here, not rounded.
    """

    name = "motion_blur"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        kernel, rng = self.profile("kernel", 7.0, 3.0), self.rng("direction")
        if clip.preset == "release":
            choices = (kernel.astype(int) | 1) // 2  # limit 3 offers one odd number, 5 two, ...
            kernel = 3 + 2 * np.floor(choices * self.rng("kernel").uniform(size=clip.length))
            self.direction = rng.uniform(0.0, np.pi, clip.length)
        else:
            self.direction = rng.uniform(0.0, np.pi) + self.profile("turn", np.pi / 4)
        self.length = 1.0 + (kernel - 1.0) * clip.strength * max(clip.scale, MIN_SCALE)

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        taps = line_kernel(self.length[index], self.direction[index])
        if compiled.serves(frame.device):
            compiled.line_mean(compiled.planes(frame), frame.shape[1], np.array(taps), compiled.target(out))
        else:
            line_mean(frame, taps, out)


class ResamplingBlur(Corruption):
    """Shrunk bilinearly by a factor and enlarged again.

    Factor 1.2 times its profile, at least 1.05; the same in both presets, because the release does here what was written.
    Severity scales what exceeds 1. The factor is the same at every frame size.
    """

    name = "resampling_blur"

    def __init__(self, clip: ClipSpec) -> None:
        super().__init__(clip)
        self.factor = 1.0 + (self.profile("factor", 1.2, 1.05) - 1.0) * clip.strength

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        height, width = frame.shape[1:]
        small = max(1, int(height / self.factor[index])), max(1, int(width / self.factor[index]))
        if frame.device.type == "cpu":  # three times faster than torch's
            shrunk = np.empty(small, np.uint8)  # one for all planes, so that it stays in fast memory
            for plane, target in zip(np.ascontiguousarray(frame.numpy()), out.numpy(), strict=True):
                cv2.resize(plane, small[::-1], shrunk, interpolation=cv2.INTER_LINEAR)
                cv2.resize(shrunk, (width, height), target, interpolation=cv2.INTER_LINEAR)
            return
        round_into(out, resampled(frame, small))


def resampled(frame: Tensor, small: tuple[int, int]) -> Tensor:
    """Resize a frame bilinearly to ``small`` and back to its own size, rounding both times, where the frame is.

    Args:
        frame: ``(3, H, W)`` uint8, on any device.
        small: ``(h, w)`` in pixels.

    Returns:
        ``(3, H, W)`` float32, whole numbers.
    """
    from kornia.geometry import resize  # here, because on a CPU nobody needs it

    shrunk = resize(frame[None].to(torch.float32), small, align_corners=False).round_()
    return resize(shrunk, (frame.shape[1], frame.shape[2]), align_corners=False).round_()[0]


def line_kernel(length: float, direction: float) -> list[tuple[int, int, int]]:
    """A one-pixel-wide line through the origin, one tap per pixel of its longer axis.

    Args:
        length: Extent along the longer axis in pixels; the two end taps take the fraction.
        direction: Radians from the x axis.

    Returns:
        ``(dy, dx, weight)`` per tap; the weights are positive integers with sum :data:`WEIGHT_SUM`.

    >>> line_kernel(3.0, 0.0)
    [(0, -1, 43), (0, 0, 42), (0, 1, 43)]
    """
    step_x, step_y = np.cos(direction), np.sin(direction)
    longer = max(abs(step_x), abs(step_y))
    reach = int(np.ceil((length - 1.0) / 2.0))
    along = np.arange(-reach, reach + 1)
    share = np.clip(length / 2.0 + 0.5 - np.abs(along), 0.0, 1.0)
    # Rounding the running sum, not the terms, keeps the total exact.
    weights = np.diff(np.round(np.cumsum(share) / share.sum() * WEIGHT_SUM), prepend=0.0)
    dy, dx = np.round(along * step_y / longer), np.round(along * step_x / longer)
    return [(int(y), int(x), int(w)) for y, x, w in zip(dy, dx, weights, strict=True) if w > 0]


def line_mean(frame: Tensor, taps: list[tuple[int, int, int]], out: Tensor) -> None:
    """Weighted means of shifted copies, edges repeated, in whole numbers: what :func:`compiled.line_mean` does, by torch."""
    reach = max(max(abs(dy), abs(dx)) for dy, dx, _ in taps)
    height, width = frame.shape[1:]
    padded = _pad_with_edge(frame, reach)
    total = torch.full(frame.shape, WEIGHT_SUM // 2, dtype=torch.int16, device=frame.device)  # rounds the shift
    for dy, dx, weight in taps:
        top, left = reach + dy, reach + dx
        total.add_(padded[:, top : top + height, left : left + width], alpha=weight)
    total >>= WEIGHT_SUM.bit_length() - 1
    out.copy_(total)


def _pad_with_edge(frame: Tensor, reach: int) -> Tensor:
    """``(3, H + 2 reach, W + 2 reach)`` int16, edges repeated."""
    channels, height, width = frame.shape
    padded = frame.new_empty((channels, height + 2 * reach, width + 2 * reach), dtype=torch.int16)
    rows = padded[:, reach : reach + height]
    rows[:, :, reach : reach + width] = frame
    rows[:, :, :reach] = frame[:, :, :1]
    rows[:, :, reach + width :] = frame[:, :, -1:]
    padded[:, :reach] = rows[:, :1]
    padded[:, reach + height :] = rows[:, -1:]
    return padded
