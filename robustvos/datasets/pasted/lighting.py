"""Photometric change of a clip and of its frames: light, contrast, colour, a little blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Lighting:
    """How strong the change may be.

    Attributes:
        clip: Brightness, contrast and saturation are multiplied by 1 +- this, the same over the clip.
        frame: Brightness and contrast again, drawn for each frame.
        grey: Chance that a clip loses its colours.
        blur: Chance that a clip is blurred, by .4 to 1.2 pixels.
        noise: Chance that a clip is noisy, by up to 6 grey levels.
    """

    clip: float = 0.25
    frame: float = 0.05
    grey: float = 0.03
    blur: float = 0.15
    noise: float = 0.1


def relight(frames: np.ndarray, settings: Lighting, rng: np.random.Generator) -> np.ndarray:
    """Change the light of ``(T, H, W, 3)`` uint8 frames; returns as many, uint8."""
    brightness, contrast, saturation = 1 + settings.clip * rng.uniform(-1, 1, 3)
    if rng.random() < settings.grey:
        saturation = 0.0
    blur = rng.uniform(0.4, 1.2) if rng.random() < settings.blur else 0.0
    noise = rng.uniform(1.0, 6.0) if rng.random() < settings.noise else 0.0
    gains = brightness * (1 + settings.frame * rng.uniform(-1, 1, len(frames)))
    contrasts = contrast * (1 + settings.frame * rng.uniform(-1, 1, len(frames)))
    changed = np.empty_like(frames)
    for t, frame in enumerate(frames):
        if blur:
            frame = cv2.GaussianBlur(frame, (5, 5), blur)
        mixed = _colour_map(saturation, contrasts[t], gains[t], float(frame.mean()))
        pixels = cv2.transform(frame.astype(np.float32), mixed)
        if noise:
            pixels = pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(noise)
        changed[t] = np.clip(pixels + 0.5, 0, 255)
    return changed


def _colour_map(saturation: float, contrast: float, gain: float, mean: float) -> np.ndarray:
    """``(3, 4)`` affine map of RGB: saturation about grey, contrast about ``mean``, then a gain."""
    colours = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    return np.column_stack([gain * contrast * colours, np.full(3, gain * mean * (1 - contrast))]).astype(np.float32)
