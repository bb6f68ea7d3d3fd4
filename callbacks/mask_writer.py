"""Predicted masks on disk, frame by frame."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from callbacks.base import VideoCallback, run_folder, video_folder
from robustvos.errors import BadVideo
from robustvos.files.atomic_folder import atomic_folder, discard_folder
from robustvos.files.paths import under
from robustvos.types import TrackedFrame, Video
from robustvos.video.masks import write_indexed_mask, write_overlapping_masks


class MaskWriter(VideoCallback):
    """Write every mask of a test or a prediction; nothing in validation.

    ``masks/<video>/<frame>.png``, an indexed PNG with the DAVIS palette. Where masks may overlap, of whole objects, under
    the protocol ``release`` and in data whose objects overlap: ``masks/<video>/<object>/<frame>.png``, black and white, for
    every object of the video on every frame; an object that was not introduced yet is empty. Masks are written as they are
    found, into a hidden folder beside, which gets its name with the last frame: those of a video appear whole or not at all.

    Args:
        enabled: False writes nothing.

    Raises:
        BadMask: In the run, if an object's id is not in 1 to 255, which an indexed PNG can hold.
        UnsafePath: In the run, if a name of a video or frame would lead outside of the run's folder.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._folder = Path()
        self._target = Path()
        self._unfinished: tuple[AbstractContextManager[Path], Path] | None = None

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find the run's folder; all processes must ask for it together."""
        self._folder = run_folder(trainer)

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find the run's folder; all processes must ask for it together."""
        self._folder = run_folder(trainer)

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Open a folder."""
        self._discard()
        if self.enabled and (trainer.testing or trainer.predicting):
            self._target = under(self._folder, "masks", video_folder(video))
            writing = atomic_folder(self._target)
            self._unfinished = (writing, writing.__enter__())

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Write the masks of one frame; with the last one they get their name."""
        if self._unfinished is None:
            return
        writing, folder = self._unfinished
        name = video.frame_names[tracked.index]
        file = under(folder, f"{name}.png")
        if module.protocol.overlapping:
            _write_each_object(video, tracked, folder, name)
        else:
            write_indexed_mask(tracked.masks, tracked.object_ids, file)
        if tracked.index == len(video.frames) - 1:
            self._unfinished = None
            discard_folder(self._target)  # of a test that was killed before it could note that the video is done
            writing.__exit__(None, None, None)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A video that has failed leaves nothing."""
        self._discard()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """A run that is stopped leaves no half of a video."""
        self._discard()

    def _discard(self) -> None:
        unfinished, self._unfinished = self._unfinished, None
        if unfinished is not None:
            with suppress(BadVideo):
                unfinished[0].__exit__(BadVideo, BadVideo("not finished"), None)


def _write_each_object(video: Video, tracked: TrackedFrame, folder: Path, name: str) -> None:
    waiting = tuple(i for i in video.object_ids if i not in tracked.object_ids)
    empty = torch.zeros(len(waiting), *video.size, dtype=torch.bool)
    write_overlapping_masks(torch.cat([tracked.masks.cpu(), empty]), (*tracked.object_ids, *waiting), folder, name)
