"""Any folder in DAVIS layout: DAVIS, MOSE, YouTube-VOS, one's own; corrupted as it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader

from datamodules.base import Data
from datamodules.clip_sampling import ClipSampler, EpochSampler
from datamodules.collate import collate_clips
from datamodules.corruption import check_layers, strength
from datamodules.prompting import prompt_file_of, told_prompt
from datamodules.release_prompts import follows_release
from datamodules.rendered_source import RenderedSource, describe_missing_rendered, locate_rendered
from datamodules.resumable import ResumableLoader
from datamodules.set_weights import check_weights
from datamodules.video_filter import check_patterns, patterns_of
from datamodules.vos_clips import TrainingClips, VosClips
from datamodules.vos_source import Split, VideoSource, describe_missing, locate
from datamodules.vos_videos import EvaluationVideos, VosVideos, facts_of, under_protocol
from robustvos.errors import DataNotFound, UnknownName, UserError
from robustvos.video.layouts import SequenceRecord
from robustvos.video.naming import name_some


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
        rendered: Frames on disk come corrupted (:mod:`datamodules.rendered_source`): ``conditions`` and
            ``train.corruption.names`` choose among the folders of corruptions, and nothing is corrupted on the fly, so that
            severity and preset are those of the copy. A training epoch has every video under every corruption.
        seed: Of everything drawn for training. The videos of validation and test never change.
        workers: Processes that read training clips.
        weights: How often clips come from each of ``roots`` in a training epoch, relative to each other, a number above 0
            for each; the length of an epoch stays as it is. None: every set by the number of its videos.
        videos: Use these alone, in every split: a name, a pattern such as ``dog*``, or several. None: all.
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
        train: TrainingClips = TrainingClips(),  # noqa: B008
        val: EvaluationVideos = EvaluationVideos(),  # noqa: B008
        test: EvaluationVideos = EvaluationVideos(),  # noqa: B008
        skip_first_last: bool = False,
        binary: bool = False,
        rendered: bool = False,
        seed: int = 0,
        workers: int = 0,
        weights: dict[str, float] | None = None,
        videos: str | list[str] | None = None,
        depth: Path | None = None,
    ) -> None:
        super().__init__()
        _check(train, root, roots, depth)
        self.roots = named_roots(root, roots, name)
        if weights is not None:
            check_weights(weights, self.roots)
        self.weights = weights
        self.wanted = patterns_of(videos)
        self.depth = depth
        self.name = name or "+".join(self.roots)  # type: ignore[misc]
        self.train_list, self.val_list = train_list, val_list
        self.train, self.val, self.test = train, val, test
        self.skip_first_last = skip_first_last
        self.binary = binary
        self.rendered = rendered
        self.seed = seed
        self.workers = workers
        self.prompt: str | None = None
        self.release_contour = "square"  # as the evaluator's script for YouTube-VOS
        self._announced: set[str] = set()
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
                self._say(source.describe_missing_split())

    def sources(self) -> tuple[VideoSource | RenderedSource, ...]:
        """The datasets on disk; raises DataNotFound, also if a pattern of ``videos`` fits nothing in any of them."""
        lists = self.train_list, self.val_list
        found: tuple[VideoSource | RenderedSource, ...]
        if self.rendered:
            found = locate_rendered(self.roots, *lists, prefer_2016=self.binary, wanted=self.wanted)
        else:
            found = locate(self.roots, *lists, prefer_2016=self.binary, wanted=self.wanted)
        if self.wanted is not None:
            check_patterns(self.wanted, {source.name: source.names() for source in found})
        return found

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
            self._say(f"{self.name}: {left_out} and are left out of training: {name_some(sampler.too_short)}")
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

    def val_dataloader(self) -> DataLoader:
        """One video an item. Raises DataNotFound if nothing but first frames is annotated."""
        return self._evaluation(self.val, "val")

    def test_dataloader(self) -> DataLoader:
        """One video an item. Raises DataNotFound if nothing but first frames is annotated."""
        return self._evaluation(self.test, "val")

    def predict_dataloader(self) -> DataLoader:
        """One video an item; only its first annotated frames need be."""
        return self._evaluation(self.test, "predict")

    def _evaluation(self, settings: EvaluationVideos, split: Split) -> DataLoader:
        videos = self.videos(split, settings)
        if split != "predict" and prompt_file_of(settings.prompt or "mask") is None:
            _check_truth([record for _, record in videos])
        release = follows_release(self.trainer)
        tagged = len(self.roots) > 1
        dataset = VosVideos(videos, settings, self.binary, tagged, release, self.rendered, self.depth)
        self.prompt = told_prompt(dataset.settings.prompt or "mask")
        for note in dataset.notes:
            self._say(f"{self.name}: {note}")
        return DataLoader(dataset, batch_size=None, num_workers=0)

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """Objects and frames of a video, and how strongly frames are corrupted."""
        settings = under_protocol(self.test if split == "test" else self.val, follows_release(self.trainer))
        facts = facts_of(settings.max_objects, settings.join_frames, settings.max_frames)
        if not self.rendered:
            return (
                facts
                | strength(settings.preset, settings.severity)
                | ({"depth": self.depth.name} if self.depth else {})
            )
        copies = [
            source.strength(settings.conditions) for source in self.sources() if isinstance(source, RenderedSource)
        ]
        return facts | {name: " | ".join(dict.fromkeys(copy[name] for copy in copies)) for name in copies[0]}

    def videos(self, split: Split, settings: EvaluationVideos | None = None) -> list[tuple[str, SequenceRecord]]:
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
        if settings is not None:
            conditions: tuple[str, ...] | None = tuple(settings.conditions)
        else:
            wanted = self.train.corruption
            conditions = None if wanted is None or tuple(wanted.names) == ("all",) else wanted.known_names()
        found = [(source, self._sequences(source, split, image_set, conditions)) for source in chosen]
        videos = [(source.name, record) for source, records in found for record in records]
        if not videos and self.wanted is not None:
            raise DataNotFound(
                f"{self.name}: none of the videos for '{split}' is called {' or '.join(self.wanted)}; choose others with "
                "--data.videos, or another list"
            )
        return videos

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

    def _say(self, line: str) -> None:
        """Print a line once."""
        if line not in self._announced:
            self._announced.add(line)
            rank_zero_only(print)(line, flush=True)


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
