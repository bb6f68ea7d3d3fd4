"""Strips of a few videos on disk, for people and for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L

from callbacks.base import run_folder, video_folder
from callbacks.images import write_png
from callbacks.per_condition import FirstVideos
from callbacks.strips import StripCallback, StripRecorder
from robustvos.files.atomic import atomic_write_json
from robustvos.files.paths import under
from robustvos.types import Video


class StripWriter(StripCallback):
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
        super().__init__(frames)
        self.per_condition = per_condition
        self._first = FirstVideos(per_condition, type(self).__name__)
        self._folder = Path()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start to count anew; find the run's folder, which all processes must ask for together."""
        self._first.reset()
        self._folder = run_folder(trainer)

    def chooses(self, trainer: L.Trainer, video: Video) -> bool:
        """The first videos of each condition in a test."""
        return trainer.testing and self._first.take(video)

    def on_known_video(self, trainer: L.Trainer, module: Any, video: Video, state: Any) -> None:
        """Count it: its strips were written."""
        self._first.take(video)

    def show(self, trainer: L.Trainer, strips: StripRecorder) -> None:
        """Write the strips."""
        video = strips.video
        folder = under(self._folder, "figures", "strips", video_folder(video))
        write_png(strips.truth(), folder / "truth.png")
        write_png(strips.prediction(), folder / "prediction.png")
        # last, because the report takes a strip for complete where it finds this file
        facts = {"corruption": video.corruption, "frames": list(strips.indices), "object_ids": list(video.object_ids)}
        atomic_write_json(folder / "strip.json", facts)
