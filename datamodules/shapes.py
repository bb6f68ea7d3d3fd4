"""The embedded dataset as a datamodule."""

from __future__ import annotations

from typing import Literal

from torch.utils.data import DataLoader

from datamodules.base import Data, Split
from robustvos.datasets.epochs import EPOCH
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.set_size import SetSize, size_of_videos
from robustvos.datasets.shapes import ShapesClips, ShapesEvaluation, ShapesVideos, TrainClips
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
        epoch = self.epoch
        frames = epoch.value_of(self.train.frames)
        batch = max(1, self.train.frames_per_batch // frames)
        count = self.train.batches * batch * epoch.processes
        clips = ShapesClips(self.train, self.size, frames, first=epoch.number * EPOCH, count=count, seed=self.seed)
        return self.clip_loader(clips, batch)

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
