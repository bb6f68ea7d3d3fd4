"""Clips of real objects that other real objects hide, made of stills and videos with masks."""

from __future__ import annotations

from pathlib import Path

from torch.utils.data import DataLoader

from datamodules.base import Split
from datamodules.footage import FootageData
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.pasted import (
    FIRST_HELD_BACK,
    HiddenClips,
    HiddenEvaluation,
    HiddenTraining,
    HiddenVideos,
    Movement,
)
from robustvos.evaluation.protocol import DatasetFacts


class Hidden(FootageData):
    """Cut-out objects before which another one, or a piece of a picture, passes; the task is the whole mask in every frame.

    Args:
        root: Folder of sets (:mod:`robustvos.datasets.pasted.collection`); None: ``$ROBUSTVOS_DATA/pasted``.
        sets: Names of those used; None: all.
        held_back: Videos that training never sees; validation and test are made of them.
        left_out: Videos that are not used at all, if they are there: what other data test on.
        held_back_stills: Every so many stills are held back too; 0: none.
        recipe: Motion and light of the clips.
        train: Length, number and weather of training clips.
        val: Validation.
        test: Test; other clips than validation's.
        seed: Of training clips; validation and test never change.
        workers: Processes that make clips.
    """

    name = "hidden"
    facts = DatasetFacts(task="amodal", overlapping=True)

    def __init__(
        self,
        root: Path | None = None,
        sets: list[str] | None = None,
        held_back: tuple[str, ...] = (),
        left_out: tuple[str, ...] = (),
        held_back_stills: int = 20,
        recipe: Movement = Movement(),
        train: HiddenTraining = HiddenTraining(),
        val: HiddenEvaluation = HiddenEvaluation(limit=20),
        test: HiddenEvaluation = HiddenEvaluation(),
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__(root, sets, held_back, left_out, held_back_stills, recipe, seed, workers)
        self.train, self.val, self.test = train, val, test

    def train_dataloader(self) -> DataLoader:
        """Batches of this epoch, of clips that no other epoch has."""
        epoch, train = self.epoch, self.train
        frames, side = epoch.value_of(train.frames), self.side_of_clips(train.size)
        batch = max(1, train.frames_per_batch // frames)
        count = train.batches * batch
        first = epoch.first_of(count, FIRST_HELD_BACK)
        clips = HiddenClips(
            self.footage()[0], self.recipe, frames, side, first, count, self.seed, corruption=train.corruption
        )
        return self.clip_loader(clips, batch)

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`; predict has the test clips."""
        assert isinstance(settings, HiddenEvaluation)
        first = FIRST_HELD_BACK if split == "val" else 2 * FIRST_HELD_BACK
        return HiddenVideos(self.held_back_footage(), self.recipe, settings, first)
