"""Real-VAS, or any set in its native format (TABE-51 is one); without a root, a small drawn sample of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from datamodules.base import Data, Split
from datamodules.shapes import check_reloading
from robustvos.datasets.amodal.hub_fetch import fetch, is_on_hub
from robustvos.datasets.amodal.hub_tree import native_root
from robustvos.datasets.amodal.native_videos import NativeVideos
from robustvos.datasets.amodal.training import (
    EPOCH,
    AmodalClips,
    AmodalTraining,
    has_all_masks,
    sources_of,
    split_by_footage,
)
from robustvos.datasets.collate import collate_clips
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.published_sets import PUBLISHED
from robustvos.datasets.realvas_sample import EmbeddedSample, cache_folder, ensure_sample
from robustvos.datasets.resumable import ResumableLoader
from robustvos.datasets.shapes import clip_length
from robustvos.errors import UserError
from robustvos.evaluation.protocol import DatasetFacts
from robustvos.video.native import NativeClip, find_native_clips

_VALIDATED = 1_000_000  # first of the drawn clips that a training is validated on


class RealVAS(Data):
    """Clips whose query object is behind or inside something for a while; the task is its amodal mask in every frame.

    Validation, test and predict have the same clips, but for the validation of a training: that has those whose source
    videos are not trained on. Without a root, clips of training and of its validation are drawn, and are not the sample's.

    Args:
        root: Folder of clips in the native format (TABE-51 too), or a snapshot of a Hub dataset in any arrangement that
            :mod:`robustvos.datasets.amodal.hub_tree` reads, or ``hf://owner/name``; None: a sample, drawn once into
            ``$ROBUSTVOS_CACHE`` or ``~/.cache/robustvos``.
        val: Which clips are validated on, and how; prompts are of the first frame.
        test: The same for test and predict.
        sample: What is drawn if there is no root.
        train: Training clips: of the root, drawn, or both.
        seed: Of training clips.
        workers: Processes that make them.
        columns: Of a Hub dataset: role (clip, object, index, frame, amodal, modal, category) to column, where its name does
            not say; ``object`` where rows of one clip are of several objects.
    """

    name = "realvas"
    facts = DatasetFacts(task="amodal", overlapping=True)

    def __init__(
        self,
        root: Path | None = None,
        val: Evaluation = Evaluation(),
        test: Evaluation = Evaluation(),
        sample: EmbeddedSample = EmbeddedSample(),
        columns: dict[str, str] | None = None,
        train: AmodalTraining = AmodalTraining(),
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.root = Path(root).expanduser() if root is not None else None
        self.val, self.test = val, test
        self.sample, self.columns = sample, columns
        self.train, self.seed, self.workers = train, seed, workers

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """See :class:`datamodules.base.Data`; the embedded sample is always there, and what is on the Hub is fetched."""
        root = arguments.get("root")
        if root is None or is_on_hub(root) or Path(root).expanduser().is_dir():
            return None
        return (
            f"no data: {cls.name} ({PUBLISHED[cls.name]}): {root} does not exist; give a folder of clips or of a snapshot with "
            f"--data.root FOLDER, have it fetched with --data.root hf://{PUBLISHED[cls.name].hub}, or leave --data.root out "
            "for the embedded sample"
        )

    def prepare_data(self) -> None:
        """Draw the sample, if it is needed; Lightning calls this in one process of each machine."""
        if self.root is not None:
            taken = native_root(self._there(), cache_folder(), self.columns)[1]
            if taken:
                print(f"realvas: {taken}", flush=True)
            return
        clips = self.sample.clips()
        kinds = Counter(clip.category for clip in clips)
        place, released = _home_as_tilde(cache_folder()), PUBLISHED["realvas"]
        print(
            f"realvas: no --data.root given; using the embedded sample "
            f"({len(clips)} rendered clips, {len(kinds)} categories) in {place}; "
            f"the released set: --data.root hf://{released.hub} ({released.licence})",
            flush=True,
        )
        ensure_sample(clips, cache_folder())

    def train_dataloader(self) -> DataLoader:
        """Batches of this epoch, of clips that no other epoch has if the trainer reloads its loaders with each.

        Raises:
            UserError: If there is nothing to train on, or clips should change their length and the trainer does not reload.
        """
        trainer, train = self.trainer, self.train
        epoch, world, rank = (trainer.current_epoch, trainer.world_size, trainer.global_rank) if trainer else (0, 1, 0)
        if trainer and isinstance(train.frames, Mapping):
            check_reloading(train.frames, getattr(trainer, "reload_dataloaders_every_n_epochs", 0))
        frames = clip_length(train.frames, epoch)
        batch = max(1, train.frames_per_batch // frames)
        count = train.batches * batch
        if world * count > EPOCH:
            raise UserError(f"{world * count} clips an epoch are more than there are numbers; take fewer batches")
        if self.workers:
            cv2.setNumThreads(1)  # a worker that is forked while OpenCV has threads may wait for them forever
        footage = self._footage()[0] if self.root is not None else ()
        return ResumableLoader(
            AmodalClips(train, frames, epoch * EPOCH + rank * count, count, self.seed, footage),
            batch_size=batch,
            collate_fn=collate_clips,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`; for predict also clips without whole masks."""
        if split == "val" and self.root is not None and self._trains():
            return NativeVideos(self._footage()[1], label=self.name)
        # Costs a few file listings if prepare_data has run, here or in the process that speaks for this machine.
        if self.root is None:
            first = _VALIDATED if split == "val" and self._trains() else 0
            root = ensure_sample(self.sample.clips(first), cache_folder())
        else:
            root = native_root(self._there(), cache_folder(), self.columns)[0]
        return NativeVideos(find_native_clips(root), scored=split != "predict", label=self.name)

    def _trains(self) -> bool:
        return self.trainer is not None and str(getattr(self.trainer.state.fn, "value", "")) == "fit"

    def _footage(self) -> tuple[list[NativeClip], list[NativeClip]]:
        """Clips of the root to train on, and those held out, whose source videos the former do not show."""
        root = native_root(self._there(), cache_folder(), self.columns)[0]
        found = [clip for clip in find_native_clips(root) if clip.amodal is not None]
        if not found:
            raise UserError(f"{root}: no clip has whole masks (gt_masks), so that there is nothing to train on")
        clips = [clip for clip in found if has_all_masks(clip)]
        if not clips:
            raise UserError(
                f"{root}: every clip has masks on some frames alone, so that there is nothing to train on; these clips are "
                "for test"
            )
        if len(clips) < len(found):
            self.say(f"realvas: left out {len(found) - len(clips)} clips that have masks on some frames alone")
        trained, held_out = split_by_footage(clips, self.train.held_out)
        videos = [len({name for clip in part for name in sources_of(clip)}) for part in (trained, held_out)]
        self.say(
            f"realvas: {len(trained)} clips of {videos[0]} source videos to train on, {len(held_out)} of {videos[1]} others "
            "to validate"
        )
        return trained, held_out

    def _there(self) -> Path:
        """The root, fetched if it is on the Hub."""
        root = self.root or Path()
        if is_on_hub(root):
            self.root = root = fetch(str(root))
        return root


def _home_as_tilde(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
