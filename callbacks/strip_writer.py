"""Strips of a few videos on disk, for people and for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor

from callbacks.base import VideoCallback, run_folder, video_folder
from callbacks.images import write_png
from callbacks.per_condition import FirstVideos
from callbacks.strips import StripRecorder, check_frames
from callbacks.task import is_amodal
from robustvos.types import TrackedFrame, Video, VideoResult
from robustvos.video.atomic import atomic_write_json


class StripWriter(VideoCallback):
    """Write truth and prediction of the first videos of each condition as two rows of frames, in a test.

    ``figures/strips/<video>/`` receives ``truth.png``, ``prediction.png`` and ``strip.json`` (corruption, frames,
    object ids), which the report reads. Tiny frames are enlarged, large ones reduced.

    Args:
        per_condition: How many videos of each condition; 0 for none.
        frames: How many frames of each, at least 1.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(self, per_condition: int = 2, frames: int = 6) -> None:
        self.per_condition = per_condition
        self.frames = check_frames(frames, type(self).__name__)
        self._first = FirstVideos(per_condition, type(self).__name__)
        self._recorder: StripRecorder | None = None
        self._folder = Path()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start to count anew; find the run's folder, which all processes must ask for together."""
        self._first.reset()
        self._folder = run_folder(trainer)

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Choose the frames, if the video is one to show."""
        wanted = trainer.testing and self._first.take(video)
        self._recorder = StripRecorder(video, self.frames, is_amodal(trainer)) if wanted else None

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Keep the picture of a chosen frame."""
        if self._recorder is not None:
            self._recorder.add(frame, tracked)

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Write the strips."""
        recorder, self._recorder = self._recorder, None
        if recorder is None or recorder.is_empty:
            return
        folder = self._folder / "figures" / "strips" / video_folder(video)
        write_png(recorder.truth(), folder / "truth.png")
        write_png(recorder.prediction(), folder / "prediction.png")
        # last, because the report takes a strip for complete where it finds this file
        facts = {"corruption": video.corruption, "frames": list(recorder.indices), "object_ids": list(video.object_ids)}
        atomic_write_json(folder / "strip.json", facts)
