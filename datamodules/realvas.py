"""Real-VAS, or any set in its native format (TABE-51 is one); without a root, a small drawn sample of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from datamodules.base import Data, Split
from robustvos.datasets.amodal.footage import AmodalFootage, describe_missing_root, find_footage
from robustvos.datasets.amodal.hub_fetch import fetch, is_on_hub
from robustvos.datasets.amodal.hub_tree import native_root
from robustvos.datasets.amodal.native_videos import NativeVideos
from robustvos.datasets.amodal.training import AmodalClips, AmodalTraining
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.realvas_sample import EmbeddedSample, cache_folder, describe_sample, ensure_sample
from robustvos.evaluation.protocol import DatasetFacts
from robustvos.video.native import find_native_clips

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
        self.val, self.test, self.sample, self.columns = val, test, sample, columns
        self.train, self.seed, self.workers = train, seed, workers

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """See :class:`datamodules.base.Data`; the embedded sample is always there, and what is on the Hub is fetched."""
        return describe_missing_root(cls.name, arguments.get("root"))

    def prepare_data(self) -> None:
        """Draw the sample, if it is needed; Lightning calls this in one process of each machine."""
        if self.root is not None:
            taken = native_root(self._there(), cache_folder(), self.columns)[1]
            if taken:
                print(f"realvas: {taken}", flush=True)
            return
        clips = self.sample.clips()
        print(describe_sample(clips, cache_folder()), flush=True)
        ensure_sample(clips, cache_folder())

    def train_dataloader(self) -> DataLoader:
        """Batches of this epoch, of clips that no other epoch has if the trainer reloads its loaders with each.

        Raises:
            UserError: If there is nothing to train on, or clips should change their length and the trainer does not reload.
        """
        epoch, train = self.epoch, self.train
        frames = epoch.value_of(train.frames)
        batch = max(1, train.frames_per_batch // frames)
        count = train.batches * batch
        footage = self._footage().trained if self.root is not None else ()
        clips = AmodalClips(train, frames, epoch.first_of(count), count, self.seed, footage)
        return self.clip_loader(clips, batch)

    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """See :class:`datamodules.base.Data`; for predict also clips without whole masks."""
        if split == "val" and self.root is not None and self._trains():
            return NativeVideos(self._footage().held_out, label=self.name)
        # Costs a few file listings if prepare_data has run, here or in the process that speaks for this machine.
        if self.root is None:
            first = _VALIDATED if split == "val" and self._trains() else 0
            root = ensure_sample(self.sample.clips(first), cache_folder())
        else:
            root = native_root(self._there(), cache_folder(), self.columns)[0]
        return NativeVideos(find_native_clips(root), scored=split != "predict", label=self.name)

    def _trains(self) -> bool:
        return self.trainer is not None and str(getattr(self.trainer.state.fn, "value", "")) == "fit"

    def _footage(self) -> AmodalFootage:
        found = find_footage(native_root(self._there(), cache_folder(), self.columns)[0], self.train.held_out)
        for note in found.notes:
            self.say(f"{self.name}: {note}")
        return found

    def _there(self) -> Path:
        """The root, fetched if it is on the Hub."""
        root = self.root or Path()
        if is_on_hub(root):
            self.root = root = fetch(str(root))
        return root
