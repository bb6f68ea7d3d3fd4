"""Strips of a few validation videos in TensorBoard, to watch a system learn."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from callbacks.base import VideoCallback, video_folder
from callbacks.images import log_image, takes_images
from callbacks.strips import StripRecorder, check_frames
from callbacks.task import is_amodal
from robustvos.errors import UserError
from robustvos.types import TrackedFrame, Video, VideoResult

_GAP = 4  # white pixels between the rows


class OverlayLogger(VideoCallback):
    """Log the first videos of each validation as ``overlay/<video>``: the truth above, the prediction beneath.

    Only loggers that take images are told, and only by the first process; Lightning's sanity check is passed over.

    Args:
        videos: How many videos; 0 for none.
        frames: How many frames of each, at least 1.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(self, videos: int = 4, frames: int = 6) -> None:
        if videos < 0:
            raise UserError(f"{type(self).__name__}: videos is {videos}; give 0 or more")
        self.videos = videos
        self.frames = check_frames(frames, type(self).__name__)
        self._seen = 0
        self._recorder: StripRecorder | None = None

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start to count anew."""
        self._seen = 0

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Choose the frames, if the video is one to show."""
        self._recorder = None
        if not trainer.validating:
            return
        self._seen += 1
        if self._seen <= self.videos and takes_images(trainer):
            self._recorder = StripRecorder(video, self.frames, is_amodal(trainer))

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Keep the picture of a chosen frame."""
        if self._recorder is not None:
            self._recorder.add(frame, tracked)

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Log the strips."""
        recorder, self._recorder = self._recorder, None
        if recorder is None or recorder.is_empty:
            return
        truth = recorder.truth()
        gap = torch.full((3, _GAP, truth.shape[-1]), 255, dtype=torch.uint8)
        log_image(trainer, f"overlay/{video_folder(video)}", torch.cat([truth, gap, recorder.prediction()], dim=-2))
