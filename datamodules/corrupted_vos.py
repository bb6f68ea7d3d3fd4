"""Any folder in DAVIS layout: DAVIS, MOSE, YouTube-VOS, one's own; corrupted as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from torch.utils.data import DataLoader

from datamodules.base import Data, Split
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.set_size import SetSize
from robustvos.datasets.vos.clip_sampling import EpochSampler
from robustvos.datasets.vos.clips import TrainingClips, VosClips
from robustvos.datasets.vos.set_weights import check_weights
from robustvos.datasets.vos.sets import FolderSets, describe_missing_sets, named_roots
from robustvos.datasets.vos.videos import FolderEvaluation
from robustvos.errors import UserError
from robustvos.evaluation.protocol import DatasetFacts


class CorruptedVOS(Data):
    """Videos with masks of their objects, from one folder or several.

    Training clips are consecutive frames, corrupted and augmented on the fly: nothing is written, and each epoch has
    clips of its own. Evaluation has whole videos, clean or under any of the corruptions. Under the protocol ``release`` of
    the model, objects and points are chosen as the public evaluator chooses them.

    Args:
        root: Folder that holds ``JPEGImages`` and ``Annotations``, or ``train`` with these in it. None:
            ``$ROBUSTVOS_DATA/<name>``.
        roots: Several such folders by name, put together; None for a folder: ``$ROBUSTVOS_DATA/<its name>``.
        name: What results call the dataset; None: the folder's name, or those of ``roots``.
        train_list: Text file with one training video a line. None: ``ImageSets/2017/train.txt`` if it is there, else
            whatever ``val_list`` leaves.
        val_list: The same for validation and test. Without any list all videos are used for each.
        train: Training clips.
        val: Validation videos.
        test: Test videos; predict has them too, or those of ``valid`` beside ``train``.
        skip_first_last: Whether a video's first and last annotated frames are left out of its score, as DAVIS does.
        binary: Masks are black and white, with one object (DAVIS 2016).
        rendered: Frames on disk come corrupted (:mod:`robustvos.datasets.vos.rendered_source`): ``conditions`` and
            ``train.corruption.names`` choose among the folders of corruptions, and nothing is corrupted on the fly, so that
            severity and preset are those of the copy. A training epoch has every video under every corruption.
        seed: Of everything drawn for training. The videos of validation and test never change.
        workers: Processes that read training clips.
        weights: How often clips come from each of ``roots`` in a training epoch, relative to each other, a number above 0
            for each; the length of an epoch stays as it is. None: every set by the number of its videos.
        depth: Folder of depth maps ``<video>/<frame>.png``, 8- or 16-bit grey, the brighter the farther: with it the
            corruptions that differ between near and far (``depth_fog``, ``low_light``, ``local_blur``, ``lens_drops``,
            ``mixed``; ``local`` for all of them in training) can be made of any video. None: there are none.

    Raises:
        UserError: If both ``root`` and ``roots`` are given, a number of training is below 1, or ``weights`` do not fit.
        UnknownName: If one of ``weights`` is of no set.
    """

    def __init__(
        self,
        root: Path | None = None,
        roots: dict[str, Path | None] | None = None,
        name: str | None = None,
        train_list: str | None = None,
        val_list: str | None = None,
        train: TrainingClips = TrainingClips(),
        val: FolderEvaluation = FolderEvaluation(),
        test: FolderEvaluation = FolderEvaluation(),
        skip_first_last: bool = False,
        binary: bool = False,
        rendered: bool = False,
        seed: int = 0,
        workers: int = 0,
        weights: dict[str, float] | None = None,
        depth: Path | None = None,
    ) -> None:
        super().__init__()
        if root is not None and roots:
            raise UserError("both root and roots are given; name every folder in roots, or give one as root")
        train.check(layered=depth is not None)
        named = named_roots(root, roots, name)
        if weights is not None:
            check_weights(weights, named)
        self.name = name or "+".join(named)
        self.sets = FolderSets(named, self.name, train_list, val_list, binary, rendered)
        self.weights, self.depth, self.seed, self.workers = weights, depth, seed, workers
        self.train, self.val, self.test = train, val, test
        # The contour is that of the evaluator's script for YouTube-VOS.
        self.facts = DatasetFacts(skip_first_last=skip_first_last, contour="square")

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """One line on the datasets that ``arguments`` of the constructor ask for in vain; None if all are there."""
        return describe_missing_sets(arguments)

    def setup(self, stage: str) -> None:
        """Look for the folders, before anything slow is done.

        Raises:
            DataNotFound: Naming each missing dataset, its size, where to get it, and what to set.
        """
        for note in self.sets.notes:
            self.say(note)

    def train_dataloader(self) -> DataLoader:
        """Batches of an epoch; the next epoch has others."""
        train, epoch = self.train, self.epoch
        sampler = self.sets.sampler(train, self.seed, self.weights)
        for note in sampler.notes:
            self.say(f"{self.name}: {note}")
        count = train.clips_of_epoch(len(sampler.videos), epoch.processes)
        train = replace(train, corruption=None) if self.sets.rendered else train
        side = self.side_of_clips(train.size)
        clips = VosClips(sampler, train, side, count, self.seed, self.sets.binary, self.depth)
        order = EpochSampler(clips, epoch.processes, epoch.process)
        return self.clip_loader(clips, train.clips_per_batch, sampler=order)

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`.

        Raises:
            DataNotFound: If nothing but first frames is annotated, which says nothing of tracking; not for predict.
        """
        assert isinstance(settings, FolderEvaluation)
        return self.sets.videos(split, settings, self.depth)

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """Objects and frames of a video, and how strongly frames are corrupted; of copies, what they say of it."""
        facts = super().evaluation_facts(split)
        if not self.sets.rendered:
            return facts if self.depth is None else facts | {"depth": self.depth.name}
        facts = {name: value for name, value in facts.items() if name not in ("preset", "severity")}
        return facts | self.sets.strength(self._settings(split).conditions)

    def sizes(self) -> list[SetSize]:
        """Of each split of each set; of rendered copies, of each corruption and of all."""
        return self.sets.sizes()
