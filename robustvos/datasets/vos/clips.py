"""Training clips out of videos on disk, corrupted and augmented as they are read."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from robustvos.corruptions import needs_layers
from robustvos.datasets.corruption import Corruption, check_layers, corrupt_training_clip
from robustvos.datasets.geometric import Geometric, Warp, draw_warp, warp_frames, warp_ids
from robustvos.datasets.photometric import Photometric, augment_photometrically
from robustvos.datasets.vos.clip_sampling import ClipSampler, Window
from robustvos.datasets.vos.depth_maps import depth_layers
from robustvos.datasets.vos.masks import read_ids, visible_ids
from robustvos.errors import BadMask, UserError
from robustvos.seeding import numpy_rng
from robustvos.types import Clip
from robustvos.video.masks import masks_from_ids


@dataclass(frozen=True)
class TrainingClips:
    """What an epoch of training clips is made of.

    Attributes:
        frames: Length of a clip.
        frames_per_batch: Clips in a batch (of each process) are this over their length.
        batches: Batches in an epoch (of each process); None: ``repeats`` clips of every video.
        repeats: Clips of every video in an epoch, where ``batches`` is None.
        max_objects: Objects in a clip, at most: some of those seen in its first frame.
        stride: 1 for consecutive frames.
        annotated_only: Pass over frames without annotation. Otherwise they are read too, and carry no loss.
        reverse: Chance that a clip runs backwards in time, 0 to 1. One whose last frame shows no annotated object does not:
            there would be nothing to prompt. It is corrupted after it is reversed, so that rain still falls down; that of a
            rendered copy then rises.
        size: Side of the square that clips are squashed to, pixels; None: the model's.
        geometric: Flips and affine maps; None: none.
        photometric: Mild jitter of colours; None: none.
        corruption: What clips are corrupted by; None: nothing.
        select: Train on these videos alone: a name, a pattern such as ``dog*``, or several; None: all.
    """

    frames: int = 4
    frames_per_batch: int = 16
    batches: int | None = None
    repeats: int = 1
    max_objects: int = 3
    stride: int = 1
    annotated_only: bool = True
    reverse: float = 0.0
    size: int | None = None
    geometric: Geometric | None = None
    photometric: Photometric | None = None
    corruption: Corruption | None = None
    select: str | list[str] | None = None

    @property
    def clips_per_batch(self) -> int:
        """Clips in a batch of one process."""
        return max(1, self.frames_per_batch // self.frames)

    def clips_of_epoch(self, videos: int, processes: int) -> int:
        """Clips of an epoch of all processes, from so many videos."""
        if self.batches is None:
            return self.repeats * videos
        return self.batches * self.clips_per_batch * processes

    def check(self, layered: bool) -> None:
        """Refuse numbers that are out of range.

        Args:
            layered: Whether it is known what is near and what is far, which some corruptions need.

        Raises:
            UserError: Naming the setting, or the corruption.
        """
        for name in ("frames", "frames_per_batch", "batches", "repeats", "max_objects", "stride", "size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"train.{name} is {value}; it must be 1 or more")
        if not 0 <= self.reverse <= 1:
            raise UserError(f"train.reverse is {self.reverse:g}; it is a chance, from 0 to 1")
        if self.corruption is not None and not layered:
            check_layers(self.corruption.known_names())


class VosClips(Dataset[Clip]):
    """Training clips by number: clip ``n`` is clip ``n % len`` of epoch ``n // len``.

    An item depends on its number, the seed and the files alone. Frames are corrupted at their native size, as in
    evaluation and in the sets that come corrupted; then warped, squashed to a square and jittered.

    Args:
        sampler: Which frames make which clip.
        settings: What is done to them.
        size: Side ``S`` of the square.
        count: Clips in an epoch.
        seed: Of everything drawn.
        binary: Masks are black and white.
        depth: Folder of depth maps (:mod:`robustvos.datasets.vos.depth_maps`), which local corruptions need.
    """

    def __init__(
        self,
        sampler: ClipSampler,
        settings: TrainingClips,
        size: int,
        count: int,
        seed: int = 0,
        binary: bool = False,
        depth: Path | None = None,
    ) -> None:
        names = settings.corruption.known_names() if settings.corruption is not None else ()
        self.sampler, self.settings, self.size = sampler, settings, size
        self.count, self.seed, self.binary = count, seed, binary
        self.depth = depth if any(map(needs_layers, names)) else None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Clip:
        """Clip ``number``: ``(T, 3, S, S)`` frames and ``(T, O, S, S)`` masks, with at least one object in the first.

        Raises:
            BadMask: If no video shows an object; or a mask cannot be read or has another size than its frame.
            BadVideo: If a frame cannot be read.
        """
        epoch, index = divmod(number, self.count)
        barren: dict[str, None] = {}
        for window in self.sampler.windows(epoch, index):
            clip = self._clip(window, f"{epoch}.{index}")
            if clip is not None:
                for name in (name for name in barren if name != window.record.name):
                    warnings.warn(f"video '{name}' shows no object where a clip can start; passed over", stacklevel=2)
                return clip
            barren[window.record.name] = None
        raise BadMask(
            f"none of {len(self.sampler.videos)} video(s) shows an object on a frame where a clip of "
            f"{self.settings.frames} can start; check the annotations"
        )

    def _clip(self, window: Window, sample: str) -> Clip | None:
        """The clip in a window, backwards if that is drawn; None if the window's first frame shows no object."""
        record = window.record
        opened = record.open_frames()
        first = self._ids(window, 0, opened.size)
        if not self._shows_object(first):
            return None
        if self._is_reversed(window, sample):
            last = self._ids(window, len(window.frames) - 1, opened.size)
            if self._shows_object(last):
                window, first = replace(window, frames=window.frames[::-1]), last
        source = window.source if record.corruption == "clean" else f"{window.source}/{record.corruption}"
        name = f"{source}/{record.name}/{record.frame_names[window.frames[0]]}/{sample}"
        ids = np.stack([first, *(self._ids(window, t, opened.size) for t in range(1, len(window.frames)))])
        warp, planes = self._warp(ids, name)
        rng = numpy_rng("objects", self.seed, name)
        seen = visible(planes[0])
        chosen = rng.choice(seen, size=min(len(seen), self.settings.max_objects), replace=False)
        object_ids = tuple(sorted(int(i) for i in chosen))
        clip = Clip(
            name=name,
            frames=torch.stack([opened[t] for t in window.frames]),
            masks=torch.stack([masks_from_ids(plane, object_ids) for plane in planes]),
            object_ids=object_ids,
            corruption=record.corruption,
            annotated=torch.tensor([record.annotation_paths[t] is not None for t in window.frames]),
        )
        return self._augment(clip, warp, window)

    def _is_reversed(self, window: Window, sample: str) -> bool:
        rng = numpy_rng("reverse", self.seed, window.source, window.record.name, window.frames[0], sample)
        return bool(rng.random() < self.settings.reverse)

    def _shows_object(self, ids: np.ndarray) -> bool:
        """Whether one is left of an ``(H, W)`` map when it is squashed."""
        return bool(visible(warp_ids(ids[None], Warp(), self.size)[0]))

    def _ids(self, window: Window, t: int, size: tuple[int, int]) -> np.ndarray:
        path = window.record.annotation_paths[window.frames[t]]
        return np.zeros(size, dtype=np.uint8) if path is None else read_ids(path, size, self.binary)

    def _warp(self, ids: np.ndarray, name: str) -> tuple[Warp, Tensor]:
        """Draw a warp that leaves an object in the first frame, and apply it to the ids."""
        warp = draw_warp(self.settings.geometric, numpy_rng("geometric", self.seed, name))
        if not visible(warp_ids(ids[:1], warp, self.size)[0]):
            warp = warp.without_affine()
        if not visible(warp_ids(ids[:1], warp, self.size)[0]):
            warp = Warp()
        return warp, warp_ids(ids, warp, self.size)

    def _augment(self, clip: Clip, warp: Warp, window: Window) -> Clip:
        if self.settings.corruption is not None:
            length = len(window.record.frame_paths)
            layers = None
            if self.depth is not None:
                size = int(clip.frames.shape[-2]), int(clip.frames.shape[-1])
                layers = partial(depth_layers, self.depth, window.record.frame_paths, size)
            clip = corrupt_training_clip(clip, self.settings.corruption, self.seed, layers, window.frames, length)
        clip = replace(clip, frames=warp_frames(clip.frames, warp, self.size))
        if self.settings.photometric is not None:
            clip = augment_photometrically(clip, self.settings.photometric, self.seed)
        return clip


def visible(ids: Tensor) -> list[int]:
    """Objects in an ``(H, W)`` uint8 map, ascending; neither background nor void.

    >>> visible(torch.tensor([[0, 7], [255, 2]], dtype=torch.uint8))
    [2, 7]
    """
    return list(visible_ids(ids.numpy()))
