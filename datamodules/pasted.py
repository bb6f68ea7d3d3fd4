"""Clips made of stills and videos with masks: what a base for real video, and adapters on it, are trained on."""

from __future__ import annotations

from pathlib import Path

from torch.utils.data import DataLoader

from datamodules.base import Split
from datamodules.footage import FootageData
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.pasted import (
    FIRST_HELD_BACK,
    HeldBackEvaluation,
    HeldBackVideos,
    MixedClips,
    Recipe,
    TrainingSchedule,
)
from robustvos.evaluation.protocol import DatasetFacts


class Pasted(FootageData):
    """Stills that move, videos, and cut-out objects of both over other pictures, in the shares of a recipe.

    Args:
        root: Folder of sets (:mod:`robustvos.datasets.pasted.collection`); None: ``$ROBUSTVOS_DATA/pasted``.
        sets: Names of those used; None: all.
        held_back: Videos that training never sees; validation and test are made of them.
        left_out: Videos that are not used at all, if they are there: what other data test on.
        held_back_stills: Every so many stills are held back too; 0: none.
        recipe: What clips are made of.
        train: Length and number of training clips, and what they are corrupted by.
        val: Validation.
        test: Test; other clips than validation's.
        seed: Of training clips; validation and test never change.
        workers: Processes that make clips.
    """

    name = "pasted"
    facts = DatasetFacts(skip_first_last=True)  # the first frame is given
    recipe: Recipe

    def __init__(
        self,
        root: Path | None = None,
        sets: list[str] | None = None,
        held_back: tuple[str, ...] = (),
        left_out: tuple[str, ...] = (),
        held_back_stills: int = 20,
        recipe: Recipe = Recipe(),
        train: TrainingSchedule = TrainingSchedule(),
        val: HeldBackEvaluation = HeldBackEvaluation(limit=25),
        test: HeldBackEvaluation = HeldBackEvaluation(),
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__(root, sets, held_back, left_out, held_back_stills, recipe, seed, workers)
        self.train, self.val, self.test = train, val, test

    def train_dataloader(self) -> DataLoader:
        """Batches of this epoch, of clips that no other epoch has."""
        epoch, train = self.epoch, self.train
        batch = epoch.value_of(train.clips_per_batch)
        count = train.batches * batch
        frames, side, first = (
            epoch.value_of(train.frames),
            self.side_of_clips(train.size),
            epoch.first_of(count, FIRST_HELD_BACK),
        )
        clips = MixedClips(self.footage()[0], self.recipe, frames, side, first, count, self.seed, train.corruption)
        return self.clip_loader(clips, batch)

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`; predict has the test clips."""
        assert isinstance(settings, HeldBackEvaluation)
        first = FIRST_HELD_BACK if split == "val" else 2 * FIRST_HELD_BACK
        footage = self.held_back_footage() if settings.needs_footage else self.footage()[1]
        return HeldBackVideos(footage, self.recipe, settings, first)
