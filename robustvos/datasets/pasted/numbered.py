"""Clips that are made when they are asked for, by number: what training clips and evaluation videos of them share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, Protocol, TypeVar

import numpy as np
from torch.utils.data import Dataset

from robustvos.corruptions import Layers
from robustvos.datasets.corruption import Corruption, corrupt_training_clip
from robustvos.datasets.evaluation import VideoSet
from robustvos.datasets.pasted.collection import Collection
from robustvos.datasets.pasted.recipe import Movement
from robustvos.seeding import numpy_rng
from robustvos.types import Clip, Video


class Made(Protocol):
    """A clip and what is known of it besides."""

    @property
    def clip(self) -> Clip:
        """Clean frames, and masks."""

    @property
    def layers(self) -> Layers:
        """What is seen where, and how far it is."""


M = TypeVar("M", bound=Made)


class NumberedClips(Dataset[Clip], Generic[M]):
    """Clips ``first`` to ``first + count - 1``; item ``i`` depends on ``first + i`` and on the arguments alone.

    Args:
        footage: What clips are made of.
        recipe: How.
        frames: Length ``T`` of a clip.
        size: Side ``S`` of its frames.
        first: Number of the first clip.
        count: Clips.
        seed: Of everything drawn.
        corruption: What clips are corrupted by, local degradations among it; None: nothing.
    """

    stream: str
    """Names the draws, so that those of two kinds of clips have nothing in common."""

    def __init__(
        self,
        footage: Collection,
        recipe: Movement,
        frames: int,
        size: int,
        first: int,
        count: int,
        seed: int,
        corruption: Corruption | None = None,
    ) -> None:
        self.footage, self.recipe = footage, recipe
        self.frames, self.size = frames, size
        self.first, self.count, self.seed, self.corruption = first, count, seed, corruption

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Clip:
        """Clip ``index``, corrupted: ``(T, 3, S, S)`` frames and their masks, as :meth:`draw` has them."""
        made = self.make(index)
        if self.corruption is None:
            return made.clip
        return corrupt_training_clip(made.clip, self.corruption, self.seed, lambda: made.layers)

    def make(self, index: int) -> M:
        """The clip before it is corrupted, and what is known of it; raises what :meth:`draw` raises."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = self.first + index
        return self.draw(number, numpy_rng(self.stream, self.seed, number))

    @abstractmethod
    def draw(self, number: int, rng: np.random.Generator) -> M:
        """Clip ``number``, from draws of its own."""


class NumberedVideos(VideoSet, Generic[M]):
    """Clips as videos to track; the latest is kept, since its layers are asked for after it."""

    label = "the held-back clips"
    has_layers = True

    def __init__(self, clips: NumberedClips[M], name: str) -> None:
        self._clips = clips
        self._latest: tuple[int, M] | None = None
        self.names = tuple(f"{name}_{index:04d}" for index in range(len(clips)))

    def layers(self, index: int, video: Video) -> Layers:
        """What is seen where: what was laid on, from the lowest to the topmost."""
        return self.made(index).layers.first(len(video.frames))

    def made(self, index: int) -> M:
        """Clip ``index`` and what is known of it."""
        if self._latest is None or self._latest[0] != index:
            self._latest = index, self._clips.make(index)
        return self._latest[1]
