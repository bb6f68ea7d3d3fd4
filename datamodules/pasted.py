"""Clips made of stills and videos with masks: what a base for real video is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from datamodules.base import Data, Split
from datamodules.shapes import check_reloading
from robustvos.datasets.collate import collate_clips
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.pasted import (
    HELD_BACK,
    Collection,
    HeldBackEvaluation,
    HeldBackVideos,
    MixedClips,
    Recipe,
    find_collection,
)
from robustvos.datasets.resumable import ResumableLoader
from robustvos.datasets.shapes import clip_length
from robustvos.datasets.vos.source import DATA_VARIABLE, place_of
from robustvos.errors import DataNotFound, UserError
from robustvos.evaluation.protocol import DatasetFacts
from robustvos.workers import begin_worker

_EPOCH = 1_000_000  # numbers of each epoch


@dataclass(frozen=True)
class TrainingSchedule:
    """How long training clips are, and how many there are.

    Attributes:
        frames: Length of a clip; or ``{epoch: length}``, each holding from that epoch on.
        clips_per_batch: Likewise.
        batches: Batches in an epoch (of each process).
        size: Side of the frames, pixels; None: the model's.
    """

    frames: int | dict[int, int] = 8
    clips_per_batch: int | dict[int, int] = 4
    batches: int = 100
    size: int | None = None


class Pasted(Data):
    """Stills that move, videos, and cut-out objects of both over other pictures, in the shares of a recipe.

    Args:
        root: Folder of sets (:mod:`robustvos.datasets.pasted.collection`); None: ``$ROBUSTVOS_DATA/pasted``.
        sets: Names of those used; None: all.
        held_back: Videos that training never sees; validation and test are made of them.
        held_back_stills: Every so many stills are held back too; 0: none.
        recipe: What clips are made of.
        train: Length and number of training clips.
        val: Validation.
        test: Test; other clips than validation's.
        seed: Of training clips; validation and test never change.
        workers: Processes that make clips.
    """

    name = "pasted"
    facts = DatasetFacts(skip_first_last=True)  # the first frame is given

    def __init__(
        self,
        root: Path | None = None,
        sets: list[str] | None = None,
        held_back: tuple[str, ...] = (),
        held_back_stills: int = 20,
        recipe: Recipe = Recipe(),
        train: TrainingSchedule = TrainingSchedule(),
        val: HeldBackEvaluation = HeldBackEvaluation(limit=25),
        test: HeldBackEvaluation = HeldBackEvaluation(),
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.root, self.sets = root, sets
        self.held_back, self.every = held_back, held_back_stills
        self.recipe, self.train, self.val, self.test = recipe, train, val, test
        self.seed, self.workers = seed, workers
        self._footage: tuple[Collection, Collection] | None = None

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """One line on what ``arguments`` of the constructor ask for in vain; None if all is there."""
        try:
            cls(**{key: arguments[key] for key in ("root", "sets") if key in arguments}).footage()
        except DataNotFound as error:
            return str(error)
        return None

    def footage(self) -> tuple[Collection, Collection]:
        """What is trained on, and what is held back; raises DataNotFound."""
        if self._footage is None:
            root = place_of(self.name, self.root)
            if root is None:
                raise DataNotFound(
                    f"no footage to make clips of: give a folder of sets (videos in DAVIS layout, stills with masks) with "
                    f"--data.root FOLDER, or put it at ${DATA_VARIABLE}/{self.name}"
                )
            found = find_collection(root, self.sets)
            self._footage = found.split(self.held_back, self.every)
        return self._footage

    def train_dataloader(self) -> DataLoader:
        """Batches of this epoch, of clips that no other epoch has."""
        trainer, train = self.trainer, self.train
        epoch, world, rank = (trainer.current_epoch, trainer.world_size, trainer.global_rank) if trainer else (0, 1, 0)
        for schedule in (train.frames, train.clips_per_batch):
            if trainer and isinstance(schedule, Mapping):
                check_reloading(schedule, getattr(trainer, "reload_dataloaders_every_n_epochs", 0))
        batch = clip_length(train.clips_per_batch, epoch)
        count = train.batches * batch
        first = epoch * _EPOCH + rank * count
        if world * count > _EPOCH or first + count > HELD_BACK:
            raise UserError(f"{world * count} clips an epoch are more than there are numbers; take fewer batches")
        if self.workers:
            cv2.setNumThreads(1)  # a worker that is forked while OpenCV has threads may wait for them forever
        return ResumableLoader(
            MixedClips(
                self.footage()[0], self.recipe, clip_length(train.frames, epoch), self._size(), first, count, self.seed
            ),
            batch_size=batch,
            collate_fn=collate_clips,
            num_workers=self.workers,
            worker_init_fn=_begin if self.workers else None,
            pin_memory=torch.cuda.is_available(),
        )

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`; predict has the test clips."""
        assert isinstance(settings, HeldBackEvaluation)
        first = HELD_BACK if split == "val" else 2 * HELD_BACK
        return HeldBackVideos(self.footage()[1], self.recipe, settings, first)

    def _size(self) -> int:
        model = getattr(self.trainer, "lightning_module", None)
        size = self.train.size or getattr(getattr(model, "sam2", None), "image_size", None)
        if size is None:
            raise UserError("the size of training clips is not known; set --data.train.size to the model's image size")
        return int(size)


def _begin(worker: int) -> None:
    begin_worker()
