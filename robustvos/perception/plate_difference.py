"""Difference from a clean plate: what moves before a static camera, without any weights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from robustvos.errors import BadVideo, UserError
from robustvos.perception.detector import Detections, Detector
from robustvos.perception.frames import check_frame, spread_indices, to_pixels
from robustvos.perception.regions import cleaned, detections_of, hysteresis, working_size

_SAMPLES = 48  # frames for plate and noise
_SIGMA = 0.8  # of the blur before the difference
_SHADOW = (0.45, 0.97)  # of the plate's light that a shadow leaves
_EVEN = 0.05  # local standard deviation of that share: a shadow darkens evenly


class PlateDifference(Detector):
    """Regions that differ from the clean plate by more than noise, exposure and shadows explain.

    Made for a static camera. The plate is the median over the clip unless one is given: things that stop and go are burnt
    into a plain median, so give the repaired plate where there is one. Exposure: the median ratio of each channel. Noise of
    a pixel: from frame to frame and about the plate. A changed region holds the object and its reflection, not its shadow.

    Args:
        width: Frames wider than this are shrunk for the work, and the masks enlarged again.
        shadow_test: Whether evenly darkened pixels are passed over.

    Attributes:
        plate: ``(3, h, w)`` uint8, the plate in use; None before :meth:`prepare`.

    Raises:
        UserError: If ``width`` is below 16.
    """

    name = "plate_difference"

    def __init__(self, width: int = 480, shadow_test: bool = True) -> None:
        if width < 16:
            raise UserError(f"plate_difference: width is {width}; give at least 16 pixels")
        self.width = width
        self.shadow_test = shadow_test
        self.plate: Tensor | None = None
        self._size = (0, 0)
        self._plate = np.zeros((0, 0, 3), np.float32)
        self._low = self._high = np.zeros((0, 0), np.float32)

    def prepare(self, frames: Sequence[Tensor], plate: Tensor | None = None) -> Self:
        """Find plate and noise.

        Args:
            frames: The clip; at most 48 frames and their successors are read.
            plate: ``(3, H, W)`` uint8, the size of the frames; the median of the clip if None.

        Raises:
            BadVideo: If there are no frames, or sizes differ.
        """
        if not len(frames):
            raise BadVideo("a detector needs at least one frame; the clip is empty")
        check_frame(frames[0])
        self._size = (frames[0].shape[-2], frames[0].shape[-1])
        if plate is not None:
            check_frame(plate, self._size)
        indices = spread_indices(len(frames), _SAMPLES)
        seen = [self._shrunk(frames[index]) for index in indices]
        steps = [
            np.abs(self._shrunk(frames[index + 1]) - shrunk).max(-1)
            for index, shrunk in zip(indices, seen, strict=True)
            if index + 1 < len(frames)
        ]
        stack = np.stack(seen)
        self._plate = self._shrunk(plate) if plate is not None else np.median(stack, axis=0).astype(np.float32)
        about = 1.48 * np.median([np.abs(_exposed(one, self._plate) - self._plate).max(-1) for one in seen], axis=0)
        noise = np.maximum(1.0, np.minimum(4.0, about))
        if steps:
            noise = np.maximum(noise, 1.05 * np.median(steps, axis=0))
        self._low = np.maximum(4.0 * noise, 10.0)
        self._high = np.maximum(9.0 * noise, 24.0)
        self.plate = torch.from_numpy(self._plate.round().astype(np.uint8)).permute(2, 0, 1).contiguous()
        return self

    def detect(self, frame: Tensor) -> Detections:
        """Moving regions, with masks; see the base class."""
        if self.plate is None:
            raise RuntimeError("plate_difference needs prepare(frames) before detect(frame)")
        check_frame(frame, self._size)
        pixels = _exposed(self._shrunk(frame), self._plate)
        blurred, plate = (cv2.GaussianBlur(image, (0, 0), _SIGMA) for image in (pixels, self._plate))
        strength = np.abs(blurred - plate).max(-1)
        changed = hysteresis(strength, self._low, self._high)
        if self.shadow_test:
            changed &= ~_in_shadow(blurred, plate)
        return detections_of(cleaned(changed), strength > self._high, self._size)

    def _shrunk(self, frame: Tensor) -> np.ndarray:
        check_frame(frame, self._size)
        height, width = working_size(self._size, self.width)
        pixels = to_pixels(frame)
        if pixels.shape[:2] != (height, width):
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return pixels.astype(np.float32)


def _exposed(pixels: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """``pixels`` with the plate's exposure: each channel divided by its median ratio to the plate."""
    gain = np.median((pixels + 1.0).reshape(-1, 3) / (plate + 1.0).reshape(-1, 3), axis=0).astype(np.float32)
    return pixels / np.maximum(gain, 0.1)


def _in_shadow(pixels: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Pixels that have the plate's colour and texture with less light; ``(h, w)`` bool."""
    ratio = (pixels + 3.0) / (plate + 3.0)
    common = ratio.mean(-1)
    spread = ratio.max(-1) - ratio.min(-1)
    local = cv2.blur(common, (5, 5))
    deviation = np.sqrt(np.maximum(cv2.blur(common * common, (5, 5)) - local * local, 0.0))
    darkened = (common > _SHADOW[0]) & (common < _SHADOW[1])
    shadow: np.ndarray = darkened & (spread < 0.06 + 0.1 * (1.0 - common)) & (deviation < _EVEN)
    return shadow
