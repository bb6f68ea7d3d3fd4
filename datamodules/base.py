"""What every datamodule is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import Any, Literal, NoReturn

import cv2
import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader, Dataset

from robustvos.datasets.collate import collate_clips
from robustvos.datasets.epochs import Epoch
from robustvos.datasets.evaluation import Evaluation, EvaluationVideos, VideoSet
from robustvos.datasets.prompts.prompting import describe_prompt
from robustvos.datasets.resumable import ResumableLoader
from robustvos.datasets.set_size import SetSize, size_of_videos
from robustvos.errors import DataNotFound, UserError
from robustvos.evaluation.protocol import DatasetFacts, Protocol, protocol_for
from robustvos.workers import begin_loading

Split = Literal["val", "test", "predict"]
_LOOKING = ("prepare_data", "setup", "train_dataloader", "video_set")  # where a dataset looks at its files


class Data(L.LightningDataModule):
    """A family of datasets.

    Training batches are :class:`robustvos.types.ClipBatch`; validation, test and predict items are
    :class:`robustvos.types.Video`, one at a time. A dataset says by :meth:`video_set` which videos there are; which of them
    are evaluated, from which prompts and under which corruptions is done here, alike for all. A file or folder that it misses
    while it looks for its videos or training clips is said in one line, as :class:`robustvos.errors.DataNotFound`.

    Attributes:
        name: What results call it.
        facts: What the dataset fixes of its own evaluation.
        val: Which validation videos are evaluated, and how.
        test: The same for test and predict.
        workers: Processes that make training clips.
    """

    name: str | None = None
    facts: DatasetFacts = DatasetFacts()
    val: Evaluation = Evaluation()
    test: Evaluation = Evaluation()
    workers: int = 0

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name in _LOOKING:
            if name in vars(cls):
                setattr(cls, name, _naming_what_is_missing(vars(cls)[name]))

    def __init__(self) -> None:
        super().__init__()
        self._announced: set[str] = set()

    @abstractmethod
    def video_set(self, split: Split, settings: Evaluation) -> VideoSet:
        """The videos of a split: clean, every object, no prompts.

        Args:
            split: Which.
            settings: For what a dataset adds to them; what all have is seen to here.

        Raises:
            DataNotFound: If the dataset is missing or incomplete.
        """

    @classmethod
    def describe_missing(cls, arguments: Mapping[str, Any]) -> str | None:
        """One line on what is not there of the dataset that ``arguments`` of the constructor ask for; None if all is."""
        return None

    def train_dataloader(self) -> Any:
        """There is none, unless a dataset has training clips.

        Raises:
            UserError: Always.
        """
        return self.refuse_training()

    def refuse_training(self) -> NoReturn:
        """Raise UserError: there is nothing to train on."""
        raise UserError(
            f"{self.name} is an evaluation set without training clips; train on another: --data shapes, --data davis"
        )

    @property
    def epoch(self) -> Epoch:
        """That of the trainer at hand, and its processes."""
        trainer = self.trainer
        if trainer is None:
            return Epoch()
        reloading = getattr(trainer, "reload_dataloaders_every_n_epochs", 0)
        return Epoch(trainer.current_epoch, trainer.world_size, trainer.global_rank, reloading)

    def clip_loader(self, clips: Dataset[Any], clips_per_batch: int, **options: Any) -> DataLoader:
        """Batches of training clips, which a resumed training goes on with where it stopped.

        Args:
            clips: What to load.
            clips_per_batch: Number of clips in a batch.
            options: Of the loader, e.g. a sampler.
        """
        if self.workers:
            cv2.setNumThreads(1)  # a worker that is forked while OpenCV has threads may wait for them forever
        return ResumableLoader(
            clips,
            batch_size=clips_per_batch,
            collate_fn=collate_clips,
            num_workers=self.workers,
            worker_init_fn=begin_loading if self.workers else None,
            pin_memory=torch.cuda.is_available(),
            **options,
        )

    def side_of_clips(self, size: int | None) -> int:
        """Side of training clips: what was set, else what the model at hand wants.

        Raises:
            UserError: If neither is known.
        """
        model = getattr(self.trainer, "lightning_module", None)
        side = size or getattr(getattr(model, "sam2", None), "image_size", None)
        if side is None:
            raise UserError("the size of training clips is not known; set --data.train.size to the model's image size")
        return int(side)

    def val_dataloader(self) -> DataLoader:
        """One video an item."""
        return self._loader("val", self.val)

    def test_dataloader(self) -> DataLoader:
        """One video an item."""
        return self._loader("test", self.test)

    def predict_dataloader(self) -> DataLoader:
        """One video an item."""
        return self._loader("predict", self.test)

    @property
    def protocol(self) -> Protocol:
        """That of the model at hand, as it is on this dataset; the dataset's own without one."""
        model = getattr(self.trainer, "lightning_module", None)
        return protocol_for(getattr(model, "protocol_name", None), self.facts)

    def evaluation_facts(self, split: Literal["val", "test"]) -> dict[str, str]:
        """What decides the figures of a split besides dataset, protocol and prompt, as words that follow each other.

        Results keep it, and a report never tables runs together that differ in it. Which videos were used is not part of it.
        """
        return self._settings(split).facts(self.protocol)

    def prompt_of(self, split: Literal["val", "test"]) -> str:
        """What results say of the prompts."""
        return describe_prompt(self._settings(split).prompting(self.protocol).kind)

    def sizes(self) -> list[SetSize]:
        """One row for each part of the dataset, like the paper's Table 1; reads annotations, no frames."""
        self.prepare_data()
        self.setup("test")
        return [size_of_videos("all", self.video_set("test", self.test))]

    def say(self, line: str) -> None:
        """Print a line once."""
        if line not in self._announced:
            self._announced.add(line)
            rank_zero_only(print)(line, flush=True)

    def _settings(self, split: Literal["val", "test"]) -> Evaluation:
        return self.test if split == "test" else self.val

    def _loader(self, split: Split, settings: Evaluation) -> DataLoader:
        tolerant = split == "test" and self.trainer is not None  # the test names what it could not read, and finishes
        videos = EvaluationVideos(self.video_set(split, settings), settings, self.protocol, tolerant)
        for note in videos.videos.notes:
            self.say(f"{self.name}: {note}")
        return DataLoader(videos, batch_size=None, num_workers=0)


def _naming_what_is_missing(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of a dataset, but that a path that is not there is an error that the user can mend."""

    @wraps(method)
    def look(self: Data, *arguments: Any, **named: Any) -> Any:
        try:
            return method(self, *arguments, **named)
        except FileNotFoundError as error:
            kind = type(self)
            what = f"{error.filename} does not exist" if error.filename else " ".join(str(error).split())
            to_do = (
                "give --data.root FOLDER" if "root" in signature(kind).parameters else "check the settings of --data"
            )
            raise DataNotFound(f"no data: {self.name or kind.__name__}: {what}; {to_do}") from error

    return look
