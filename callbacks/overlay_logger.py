"""Strips of a few validation videos in TensorBoard, to watch a system learn."""

from __future__ import annotations

import lightning as L
import torch

from callbacks.base import video_folder
from callbacks.images import log_image, takes_images
from callbacks.strips import StripCallback, StripRecorder
from robustvos.errors import UserError
from robustvos.types import Video

_GAP = 4  # white pixels between the rows


class OverlayLogger(StripCallback):
    """Log the first videos of each validation as ``overlay/<video>``: the truth above, the prediction beneath.

    Only loggers that take images get them, and only from the first process; Lightning's sanity check is passed over.

    Args:
        videos: How many videos; 0 for none.
        frames: How many frames of each, at least 1.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(self, videos: int = 4, frames: int = 6) -> None:
        super().__init__(frames)
        if videos < 0:
            raise UserError(f"{type(self).__name__}: videos is {videos}; give 0 or more")
        self.videos = videos
        self._seen = 0

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start to count anew."""
        self._seen = 0

    def chooses(self, trainer: L.Trainer, video: Video) -> bool:
        """The first videos of a validation."""
        if not trainer.validating:
            return False
        self._seen += 1
        return self._seen <= self.videos and takes_images(trainer)

    def show(self, trainer: L.Trainer, strips: StripRecorder) -> None:
        """Log the strips."""
        truth = strips.truth()
        gap = torch.full((3, _GAP, truth.shape[-1]), 255, dtype=torch.uint8)
        rows = torch.cat([truth, gap, strips.prediction()], dim=-2)
        log_image(trainer, f"overlay/{video_folder(strips.video)}", rows)
