"""The embedded dataset as a datamodule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import cv2
import torch
from torch.utils.data import DataLoader

from datamodules.base import Data, Split
from robustvos.datasets.collate import collate_clips
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.resumable import ResumableLoader
from robustvos.datasets.set_size import SetSize, size_of_videos
from robustvos.datasets.shapes import EPOCH, ShapesClips, ShapesEvaluation, ShapesVideos, TrainClips, clip_length
from robustvos.errors import UserError
from robustvos.evaluation.protocol import DatasetFacts


class Shapes(Data):
    """Procedural clips of textured objects that move, cross, hide each other and reappear.

    Args:
        size: Side of the square frames, pixels.
        train: Training clips.
        val: Validation clips.
        test: Test clips; split by seed from the former two.
        seed: Of training clips' corruptions and augmentation. The clips of validation and test never change.
        workers: Processes that draw clips.
    """

    name = "shapes"
    facts = DatasetFacts(skip_first_last=True)  # the first frame is given, as in DAVIS's semi-supervised protocol

    def __init__(
        self,
        size: int = 128,
        train: TrainClips = TrainClips(),
        val: ShapesEvaluation = ShapesEvaluation(),
        test: ShapesEvaluation = ShapesEvaluation(),
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.size = size
        self.train, self.val, self.test = train, val, test
        self.seed = seed
        self.workers = workers

    def train_dataloader(self) -> DataLoader:
        """Batches of this epoch, of clips that no other epoch has if the trainer reloads its loaders with each.

        Raises:
            UserError: If clips should change their length with the epochs, and the trainer does not reload then.
        """
        if self.workers:
            cv2.setNumThreads(1)  # a worker that is forked while OpenCV has threads may wait for them forever
        epoch = self.trainer.current_epoch if self.trainer else 0
        world = self.trainer.world_size if self.trainer else 1
        if self.trainer and isinstance(self.train.frames, Mapping):
            check_reloading(self.train.frames, getattr(self.trainer, "reload_dataloaders_every_n_epochs", 0))
        frames = clip_length(self.train.frames, epoch)
        batch_size = max(1, self.train.frames_per_batch // frames)
        count = self.train.batches * batch_size * world
        dataset = ShapesClips(self.train, self.size, frames, first=epoch * EPOCH, count=count, seed=self.seed)
        return ResumableLoader(
            dataset,
            batch_size=batch_size,
            collate_fn=collate_clips,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`; predict has the test clips."""
        assert isinstance(settings, ShapesEvaluation)
        return ShapesVideos(settings, self.size, "val" if split == "val" else "test")

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """Size of the frames too."""
        return {"side": str(self.size), **super().evaluation_facts(split)}

    def sizes(self) -> list[SetSize]:
        """Of validation and test."""
        parts: tuple[tuple[str, Split, Evaluation], ...] = (
            ("validation", "val", self.val),
            ("test", "test", self.test),
        )
        return [size_of_videos(name, self.video_set(split, settings)) for name, split, settings in parts]


def check_reloading(schedule: Mapping[int, int], every: int) -> None:
    """Refuse a schedule of clip lengths that would pass unnoticed."""
    missed = [start for start in schedule if start and (not every or start % every)]
    if missed:
        raise UserError(
            f"clips should change their length at epochs {missed}, but loaders are made anew every {every} epochs (0: never); "
            "set trainer.reload_dataloaders_every_n_epochs to 1"
        )
