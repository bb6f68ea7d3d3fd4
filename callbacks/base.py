"""Hooks of this project besides Lightning's: every video, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import lightning as L
from torch import Tensor

from robustvos.evaluation.records import VideoResult, sequence_name
from robustvos.types import TrackedFrame, Video


class VideoCallback(L.Callback):
    """A callback that sees evaluation videos as they are tracked; override what is needed.

    Frames stream: what a callback wants to remember of a frame it must keep itself.
    """

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Agree on the run's folder while all processes are here."""
        run_folder(trainer)

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Before the first frame of ``video``."""

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """After each frame: ``frame`` ``(3, H, W)`` uint8 as the tracker saw it, and what the tracker found."""

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """After the last frame, with the video's scores."""

    def video_state(self, video: Video) -> Any:
        """What this callback has gathered of a tested video, as JSON values; None for nothing.

        Asked for after :meth:`on_video_end`, and kept until the test is over.
        """
        return None

    def findings(self) -> Mapping[str, Any]:
        """What ``results.json`` keeps of it besides scores, by name, as JSON values; none.

        Asked for in the first process, when a test's epoch has ended for all callbacks.
        """
        return {}

    def on_known_video(self, trainer: L.Trainer, module: Any, video: Video, state: Any) -> None:
        """Instead of the others, where a resumed test has a video's scores from before.

        Args:
            trainer: The trainer.
            module: The module under test.
            video: As it would have been tracked.
            state: What :meth:`video_state` gave; None for nothing.
        """


_FOLDERS: WeakKeyDictionary[L.Trainer, Path] = WeakKeyDictionary()


def run_folder(trainer: L.Trainer) -> Path:
    """Where this run leaves its files: ``runs/<name>/<version>``.

    Lightning asks the first process for it, so the first call must be made by all processes; later ones need not be.
    """
    if trainer not in _FOLDERS:
        _FOLDERS[trainer] = Path(trainer.log_dir or trainer.default_root_dir)
    return _FOLDERS[trainer]


def video_folder(video: Video) -> str:
    """Name of a video's folder; the same video under several corruptions gets several."""
    return sequence_name(video.name, video.corruption)
