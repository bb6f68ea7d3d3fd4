"""Videos of tested clips, small enough to keep many: what the report shows side by side."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor

from callbacks.base import VideoCallback, run_folder, video_folder
from callbacks.per_condition import FirstVideos
from callbacks.strips import painted_and_outlined, truth_to_outline
from callbacks.task import is_amodal
from robustvos.errors import BadVideo, UserError
from robustvos.evaluation.records import VideoResult
from robustvos.files.paths import under
from robustvos.types import TrackedFrame, Video
from robustvos.video.writer import VideoWriter

_SIDES = (180, 240)  # at least, at most: shorter side in pixels
_QUALITY = 28  # constant rate factor
_FPS = 8.0


class ClipVideos(VideoCallback):
    """Write the first clips of each condition as ``figures/videos/<video>.mp4``, every frame, in a test.

    What was found is painted, the truth is a thin dashed outline: of what is seen of the objects or, in the amodal task, of
    whole objects. Datasets keep their order, so that every system leaves the same clips. A clip that cannot be tracked to its
    end leaves no video.

    Args:
        per_condition: How many clips of each condition; 0 for none.

    Raises:
        UserError: If that is negative.
    """

    def __init__(self, per_condition: int = 20) -> None:
        self.per_condition = per_condition
        self._first = FirstVideos(per_condition, type(self).__name__)
        self._folder = Path()
        self._writer: VideoWriter | None = None

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start to count anew; find the run's folder, which all processes must ask for together."""
        self._first.reset()
        self._folder = run_folder(trainer)

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Open a file, if the video is one to keep."""
        self._discard()
        if trainer.testing and self._first.take(video):
            path = under(self._folder, "figures", "videos", f"{video_folder(video)}.mp4")
            self._writer = VideoWriter(path, _FPS, quality=_QUALITY).__enter__()

    def on_known_video(self, trainer: L.Trainer, module: Any, video: Video, state: Any) -> None:
        """Count it: it was filmed before the test was stopped."""
        self._first.take(video)

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Add a frame."""
        if self._writer is None:
            return
        truth = truth_to_outline(video, tracked.index, is_amodal(module))
        picture = painted_and_outlined(frame, tracked.masks, tracked.object_ids, truth, _SIDES)
        try:
            self._writer.add(picture)
        except UserError as error:  # no encoder: figures do not depend on pictures
            self._discard()
            self._first = FirstVideos(0, type(self).__name__)
            module.print(f"no videos of clips are kept: {error}")

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.__exit__(None, None, None)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A clip that has failed leaves nothing."""
        self._discard()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """A test that is stopped leaves nothing half written."""
        self._discard()

    def _discard(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(BadVideo):
                writer.__exit__(BadVideo, BadVideo("not finished"), None)
