"""Mild photometric augmentation, as SAM 2 had in its own training; not to be confused with the corruptions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as T

from robustvos.seeding import generator
from robustvos.types import Clip


@dataclass(frozen=True)
class Photometric:
    """Strengths of the jitter (SAM 2's fine-tuning recipe: brightness by .1 over the clip and again per frame, grey in 5 %).

    Attributes:
        clip_jitter: Brightness, contrast and saturation factors are 1 +- this, the same over the clip.
        frame_jitter: Brightness and contrast again, drawn for each frame.
        grey_probability: Chance that a clip loses its colours.
        noise: Standard deviation of Gaussian noise is drawn from [0, this], in grey levels.
        blur: Standard deviation of a Gaussian blur is drawn from [0, this], in pixels; below .3 none is applied.
    """

    clip_jitter: float = 0.1
    frame_jitter: float = 0.05
    grey_probability: float = 0.05
    noise: float = 0.0
    blur: float = 0.0


def augment_photometrically(clip: Clip, settings: Photometric, seed: int) -> Clip:
    """Jitter the colours of a clip; the same seed and name give the same result."""
    rng = generator("photometric", seed, clip.name)
    frames = _jitter(clip.frames, settings.clip_jitter, rng)
    if _uniform(rng) < settings.grey_probability:
        frames = T.rgb_to_grayscale(frames, num_output_channels=3)
    sigma = _uniform(rng) * settings.blur
    if sigma >= 0.3:
        frames = T.gaussian_blur(frames, kernel_size=[5, 5], sigma=[sigma, sigma])
    pixels = frames.float()
    if settings.frame_jitter:
        gain = 1 + settings.frame_jitter * (2 * torch.rand(len(pixels), 2, 1, 1, 1, generator=rng) - 1)
        mean = pixels.mean((1, 2, 3), keepdim=True)
        pixels = ((pixels - mean) * gain[:, 0] + mean) * gain[:, 1]
    if settings.noise:
        pixels += torch.randn(pixels.shape, generator=rng) * (_uniform(rng) * settings.noise)
    return replace(clip, frames=pixels.round_().clamp_(0, 255).to(torch.uint8))


def _jitter(frames: Tensor, strength: float, rng: torch.Generator) -> Tensor:
    if not strength:
        return frames
    brightness, contrast, saturation = (1 + strength * (2 * _uniform(rng) - 1) for _ in range(3))
    jittered: Tensor = T.adjust_saturation(
        T.adjust_contrast(T.adjust_brightness(frames, brightness), contrast), saturation
    )
    return jittered


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))
