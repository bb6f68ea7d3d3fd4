"""What callbacks of this house are told besides what Lightning tells them: every video, frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor

from robustvos.types import TrackedFrame, Video, VideoResult


class VideoCallback(L.Callback):
    """A callback that sees evaluation videos as they are tracked; override what is needed.

    Frames stream: what a callback wants to remember of a frame it must keep itself.
    """

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Before the first frame of ``video``."""

    def on_tracked_frame(self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame) -> None:
        """After each frame: ``frame`` ``(3, H, W)`` uint8 as the tracker saw it, and what the tracker found."""

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """After the last frame, with the video's scores."""


def run_folder(trainer: L.Trainer) -> Path:
    """Where this run leaves its files: ``runs/<name>/<version>``."""
    return Path(trainer.log_dir or trainer.default_root_dir)


def video_folder(video: Video) -> str:
    """Name of a video's folder; the same video under several corruptions gets several."""
    return video.name if video.corruption == "clean" else f"{video.name}@{video.corruption}"
