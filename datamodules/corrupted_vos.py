"""Any folder in DAVIS layout: DAVIS, MOSE, YouTube-VOS, one's own; corrupted as it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import torch
from torch.utils.data import DataLoader

from datamodules.base import Data
from datamodules.base import Split as VideoSplit
from robustvos.conditions import CLEAN
from robustvos.datasets.collate import collate_clips
from robustvos.datasets.corruption import check_layers
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.prompts.prompting import prompt_file_of
from robustvos.datasets.resumable import ResumableLoader
from robustvos.datasets.select import check_patterns, is_wanted, patterns_of
from robustvos.datasets.set_size import SetSize, size_of_records, size_of_rendered
from robustvos.datasets.vos.clip_sampling import ClipSampler, EpochSampler
from robustvos.datasets.vos.clips import TrainingClips, VosClips
from robustvos.datasets.vos.rendered_source import RenderedSource, describe_missing_rendered, locate_rendered
from robustvos.datasets.vos.set_weights import check_weights
from robustvos.datasets.vos.source import Split, VideoSource, describe_missing, locate
from robustvos.datasets.vos.videos import FolderEvaluation, FolderVideos
from robustvos.errors import DataNotFound, UnknownName, UserError
from robustvos.evaluation.protocol import DatasetFacts
from robustvos.files.naming import name_some
from robustvos.video.layouts import SequenceRecord


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
        _check(train, root, roots, depth)
        self.roots = named_roots(root, roots, name)
        if weights is not None:
            check_weights(weights, self.roots)
        self.weights = weights
        self.depth = depth
        self.name = name or "+".join(self.roots)
        self.train_list, self.val_list = train_list, val_list
        self.train, self.val, self.test = train, val, test
        # The contour is that of the evaluator's script for YouTube-VOS.
        self.facts = DatasetFacts(skip_first_last=skip_first_last, contour="square")
        self.binary = binary
        self.rendered = rendered
        self.seed = seed
        self.workers = workers
        self._found: dict[tuple[object, ...], tuple[SequenceRecord, ...]] = {}

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """One line on the datasets that ``arguments`` of the constructor ask for in vain; None if all are there."""
        describe = describe_missing_rendered if arguments.get("rendered") else describe_missing
        return describe(named_roots(*(arguments.get(key) for key in ("root", "roots", "name"))))

    def setup(self, stage: str) -> None:
        """Look for the folders, before anything slow is done.

        Raises:
            DataNotFound: Naming each missing dataset, its size, where to get it, and what to set.
        """
        for source in self.sources():
            if not source.is_split:
                self.say(source.describe_missing_split())

    def sources(self) -> tuple[VideoSource | RenderedSource, ...]:
        """The datasets on disk; raises DataNotFound."""
        find = locate_rendered if self.rendered else locate
        return find(self.roots, self.train_list, self.val_list, prefer_2016=self.binary)

    def train_dataloader(self) -> DataLoader:
        """Batches of an epoch; the next epoch has others."""
        settings, trainer = self.train, self.trainer
        if self.workers:
            # A worker that is forked while OpenCV has threads may wait for them forever; 1 ends those of this process.
            cv2.setNumThreads(1)
        processes, process = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        videos = self.videos("train")
        sampler = ClipSampler(
            videos, settings.frames, settings.stride, settings.annotated_only, self.seed, self.weights
        )
        if sampler.too_short:
            left_out = f"{len(sampler.too_short)} of {len(videos)} videos are too short for a clip of {settings.frames}"
            self.say(f"{self.name}: {left_out} and are left out of training: {name_some(sampler.too_short)}")
        if settings.batches is None:
            count = settings.repeats * len(sampler.videos)
        else:
            count = settings.batches * settings.clips_per_batch * processes
        if self.rendered:
            settings = replace(settings, corruption=None)
        clips = VosClips(sampler, settings, self._clip_size(), count, self.seed, self.binary, self.depth)
        return ResumableLoader(
            clips,
            batch_size=settings.clips_per_batch,
            sampler=EpochSampler(clips, processes, process),
            collate_fn=collate_clips,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def video_set(self, split: VideoSplit, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`.

        Raises:
            DataNotFound: If nothing but first frames is annotated, which says nothing of tracking; not for predict.
        """
        assert isinstance(settings, FolderEvaluation)
        videos = self.videos("predict" if split == "predict" else "val", settings)
        if split != "predict" and prompt_file_of(settings.prompt or "mask") is None:
            _check_truth([record for _, record in videos])
        return FolderVideos(
            videos,
            tuple(settings.conditions) if self.rendered else None,
            self.binary,
            tagged=len(self.roots) > 1,
            depth=self.depth,
            join_frames=settings.join_frames,
            label=self.name or "the dataset",
        )

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """Objects and frames of a video, and how strongly frames are corrupted; of copies, what they say of it."""
        facts, settings = super().evaluation_facts(split), self._settings(split)
        if self.depth is not None and not self.rendered:
            return facts | {"depth": self.depth.name}
        copies = [
            source.strength(settings.conditions) for source in self.sources() if isinstance(source, RenderedSource)
        ]
        if not copies:
            return facts
        facts = {name: value for name, value in facts.items() if name not in ("preset", "severity")}
        return facts | {name: " | ".join(dict.fromkeys(copy[name] for copy in copies)) for name in copies[0]}

    def sizes(self) -> list[SetSize]:
        """Of each split of each set; of rendered copies, of each corruption and of all."""
        found: list[SetSize] = []
        sources = self.sources()
        for source in sources:
            name = f"{source.name}, " if len(sources) > 1 else ""
            parts: dict[Split, str] = (
                {"train": "train", "val": "validation and test"} if source.is_split else {"val": "all"}
            )
            for split, part in parts.items():
                if isinstance(source, RenderedSource):
                    copies = [corruption for corruption in source.copies if corruption != CLEAN]
                    records = source.sequences(split, corruptions=copies)
                    found += size_of_rendered(f"{name}{part}", records, copies, self.binary)
                else:
                    found.append(size_of_records(f"{name}{part}", source.sequences(split), self.binary))
        return found

    def videos(self, split: Split, settings: FolderEvaluation | None = None) -> list[tuple[str, SequenceRecord]]:
        """Dataset and files of each video of a split; of rendered copies each video under each corruption.

        Args:
            split: Which.
            settings: Of evaluation, which name datasets, a list and corruptions; None: those of training.

        Raises:
            DataNotFound: If a dataset, a list, a video or a copy is missing.
            UnknownName: If the settings name a dataset that is not there.
        """
        sets, image_set = (settings.sets, settings.image_set) if settings else (None, None)
        for name in sets or ():
            if name not in self.roots:
                raise UnknownName.of("set", name, self.roots)
        chosen = [source for source in self.sources() if sets is None or source.name in sets]
        found = [
            (source, self._sequences(source, split, image_set, self._conditions(source, settings))) for source in chosen
        ]
        videos = [(source.name, record) for source, records in found for record in records]
        patterns = patterns_of(self.train.select) if settings is None else None
        if patterns is not None:
            check_patterns(patterns, {self.name or "the dataset": [record.name for _, record in videos]})
            videos = [(source, record) for source, record in videos if is_wanted(record.name, patterns)]
        return videos

    def _conditions(
        self, source: VideoSource | RenderedSource, settings: FolderEvaluation | None
    ) -> tuple[str, ...] | None:
        """Corruptions whose videos are wanted of a source; of a set that training names, those that it has copies of."""
        if settings is not None:
            return tuple(settings.conditions)
        wanted = self.train.corruption
        if wanted is None:
            return None
        names = wanted.known_names()
        if isinstance(source, RenderedSource) and wanted.names_sets_alone:
            return tuple(name for name in names if name in source.copies) or names
        return names

    def _sequences(
        self,
        source: VideoSource | RenderedSource,
        split: Split,
        image_set: str | None,
        conditions: tuple[str, ...] | None,
    ) -> tuple[SequenceRecord, ...]:
        """Listed once: loaders are made anew for every epoch, and the folders of a large set are many."""
        key = (source.name, split, image_set, conditions if self.rendered else None)
        if key not in self._found:
            if isinstance(source, RenderedSource):
                self._found[key] = source.sequences(split, image_set, conditions)
            else:
                self._found[key] = source.sequences(split, image_set)
        return self._found[key]

    def _clip_size(self) -> int:
        """Side of training clips: what was set, else what the model at hand wants."""
        model = getattr(self.trainer, "lightning_module", None)
        size = self.train.size or getattr(getattr(model, "sam2", None), "image_size", None)
        if size is None:
            raise UserError("the size of training clips is not known; set --data.train.size to the model's image size")
        return int(size)


def named_roots(
    root: Path | str | None, roots: Mapping[str, Path | str | None] | None, name: str | None
) -> dict[str, Path | str | None]:
    """Folders by the names of their datasets.

    >>> named_roots("data/DAVIS", None, None), named_roots(None, None, "davis")
    ({'DAVIS': 'data/DAVIS'}, {'davis': None})
    """
    if roots:
        return dict(roots)
    return {name or (Path(root).expanduser().name if root is not None else "vos"): root}


def _check_truth(videos: Sequence[SequenceRecord]) -> None:
    """Refuse truth that is no more than the prompts: of most videos one frame is annotated, of several."""
    single = [
        record.name
        for record in videos
        if len(record.frame_paths) > 1 and sum(path is not None for path in record.annotation_paths) == 1
    ]
    if 2 * len(single) > len(videos):
        raise DataNotFound(
            f"{len(single)} of {len(videos)} videos have a mask on one frame alone, the one that tells the tracker what to "
            f"follow ({name_some(single)}): that says nothing of tracking; give masks of other frames too, or run predict"
        )


def _check(
    train: TrainingClips, root: Path | None, roots: Mapping[str, Path | None] | None, depth: Path | None
) -> None:
    if root is not None and roots:
        raise UserError("both root and roots are given; name every folder in roots, or give one as root")
    for name in ("frames", "frames_per_batch", "batches", "repeats", "max_objects", "stride", "size"):
        value = getattr(train, name)
        if value is not None and value < 1:
            raise UserError(f"train.{name} is {value}; it must be 1 or more")
    if not 0 <= train.reverse <= 1:
        raise UserError(f"train.reverse is {train.reverse:g}; it is a chance, from 0 to 1")
    if train.corruption is not None and depth is None:
        check_layers(train.corruption.known_names())
