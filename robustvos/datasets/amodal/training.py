"""Amodal training clips: drawn plays, and windows of clips in Real-VAS's native form, alone or mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from robustvos.datasets.amodal.windows import hiding_window
from robustvos.datasets.corruption import Corruption, corrupt_training_clip
from robustvos.datasets.photometric import Photometric, augment_photometrically
from robustvos.errors import BadMask, UnknownName, UserError
from robustvos.scenes.amodal import CATEGORIES, render_amodal_clip
from robustvos.scenes.stage import StageSpec
from robustvos.seeding import numpy_rng
from robustvos.types import Clip
from robustvos.video.native import NativeClip
from robustvos.video.native_tree import QUERY_ID
from robustvos.video.occlusion_levels import NO_MORE_THAN

_HEIGHTS, _WIDTHS, _LENGTHS = (112, 168), (144, 208), (44, 72)  # of drawn clips; first and beyond the last


@dataclass(frozen=True)
class AmodalTraining:
    """What an epoch of amodal training clips is made of.

    Attributes:
        frames: Length of a clip; or ``{epoch: length}``, each holding from that epoch on (needs
            ``trainer.reload_dataloaders_every_n_epochs``).
        frames_per_batch: Clips in a batch are this over their length.
        batches: Batches in an epoch, of all processes together.
        stride: Least and greatest distance of a clip's frames in its video; drawn for each clip.
        size: Side of the frames, pixels: the model's image size.
        drawn: Share of drawn clips; None: all without a root, none with one.
        categories: How often each category is drawn, relative to the others.
        held_out: Share of the source videos of a root whose clips are validated on and never trained on.
        share: Of what is there, that much is trained on: of the clips of a root, or of ``pool`` drawn ones; 1: all.
        pool: Drawn clips there are in all; None: no end of them.
        photometric: Mild augmentation; None: none.
        corruption: What clips are corrupted by; None: nothing.

    Raises:
        UserError: If a number is out of range. UnknownName: If a category is not known.
    """

    frames: int | dict[int, int] = 16
    frames_per_batch: int = 64
    batches: int = 100
    stride: tuple[int, int] = (1, 3)
    size: int = 128
    drawn: float | None = None
    categories: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CATEGORIES, 1.0))
    held_out: float = 0.2
    share: float = 1.0
    pool: int | None = None
    photometric: Photometric | None = None
    corruption: Corruption | None = None

    def __post_init__(self) -> None:
        for name in self.categories:
            if name not in CATEGORIES:
                raise UnknownName.of("category", name, CATEGORIES)
        if min(self.categories.values(), default=0) < 0 or not sum(self.categories.values()):
            raise UserError(f"categories {dict(self.categories)} draw nothing; give one of them a share above 0")
        if not 1 <= self.stride[0] <= self.stride[1]:
            raise UserError(f"stride {tuple(self.stride)} is no range from 1 on: give the least distance first")
        for name, least in (("drawn", 0.0), ("held_out", 0.0), ("share", 1e-9)):
            value = getattr(self, name)
            if value is not None and not least <= value <= 1:
                raise UserError(f"{name} is {value:g}; it is a share, between 0 and 1")
        if self.pool is not None and self.pool * self.share < 1:
            raise UserError(f"{self.share:g} of a pool of {self.pool} clips is none; take more")


class AmodalClips(Dataset[Clip]):
    """Training clips ``first`` to ``first + count - 1``; item ``i`` depends on ``first + i``, seed and footage alone.

    Args:
        settings: What clips are made of.
        frames: Length of a clip.
        first: Number of the first.
        count: Clips.
        seed: Of everything drawn.
        footage: Clips of a root that windows are taken from; empty: everything is drawn.
    """

    def __init__(
        self,
        settings: AmodalTraining,
        frames: int,
        first: int,
        count: int,
        seed: int,
        footage: Sequence[NativeClip] = (),
    ) -> None:
        self.settings, self.frames = settings, frames
        self.first, self.count, self.seed = first, count, seed
        self.footage = tuple(footage)
        self.drawn = (0.0 if footage else 1.0) if settings.drawn is None else settings.drawn
        if self.drawn < 1 and not footage:
            raise UserError(
                f"drawn {self.drawn:g} leaves clips to be taken from a root, and there is none; give --data.root DIR, or "
                "leave drawn out"
            )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Clip:
        """Clip: ``(T, 3, S, S)`` frames, ``(T, 1, S, S)`` visible and whole masks; whole in its first frame."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = self.first + index
        rng = numpy_rng("amodal training", self.seed, number)
        clip = self._drawn_clip(rng, number) if rng.random() < self.drawn else self._taken_clip(rng, number)
        if self.settings.photometric is not None:
            clip = augment_photometrically(clip, self.settings.photometric, self.seed)
        if self.settings.corruption is not None:
            clip = corrupt_training_clip(clip, self.settings.corruption, self.seed)
        return clip

    def _drawn_clip(self, rng: np.random.Generator, number: int) -> Clip:
        """A play; of a pool, one of those that it has, and a window of its own."""
        pool = self.settings.pool
        play = (
            rng if pool is None else numpy_rng("amodal pool", self.seed, int(rng.integers(_part(pool, self.settings))))
        )
        weights = np.array([self.settings.categories.get(name, 0.0) for name in CATEGORIES])
        category = CATEGORIES[play.choice(len(CATEGORIES), p=weights / weights.sum())]
        height, width = (4 * int(play.integers(low // 4, high // 4)) for low, high in (_HEIGHTS, _WIDTHS))
        spec = StageSpec((height, width), int(play.integers(*_LENGTHS)))
        made = render_amodal_clip(
            category, play, spec, lambda hidden: hiding_window(hidden, self.frames, self.settings.stride, rng)
        )
        return self._clip(
            f"{category}_{number:010d}",
            torch.from_numpy(made.frames).permute(0, 3, 1, 2),
            torch.from_numpy(made.modal),
            torch.from_numpy(made.amodal),
        )

    def _taken_clip(self, rng: np.random.Generator, number: int) -> Clip:
        clip = self.footage[rng.integers(_part(len(self.footage), self.settings))]
        chosen = hiding_window(hidden_parts(clip), self.frames, self.settings.stride, rng).tolist()
        assert clip.amodal is not None
        return self._clip(
            f"{clip.name}_{number:010d}",
            torch.stack([clip.frames[t] for t in chosen]),
            _stacked(clip.modal, chosen),
            _stacked(clip.amodal, chosen),
        )

    def _clip(self, name: str, frames: Tensor, modal: Tensor, amodal: Tensor) -> Clip:
        side = [self.settings.size] * 2
        frames = resize(frames, side, InterpolationMode.BICUBIC, antialias=True)
        seen, whole = (
            resize(masks.float(), side, InterpolationMode.BILINEAR, antialias=True) >= 0.5 for masks in (modal, amodal)
        )
        return Clip(name, frames, seen & whole, (QUERY_ID,), amodal=whole)


def hidden_parts(clip: NativeClip) -> np.ndarray:
    """``(T,)`` float in [0, 1], the hidden part of the object in each frame, from ``annos.json`` or from its masks.

    Where the object is out of the frame nothing of it is seen: 1.

    Raises:
        BadMask: If a frame lacks a mask, or none shows the whole object.
    """
    if not has_all_masks(clip):
        raise BadMask(f"{clip.frames.path.parent}: some frames have no whole or visible mask; leave the clip out")
    if clip.occlusion is not None:
        parts = [1.0 if entry.amount is None else entry.amount for entry in clip.occlusion]
    else:
        assert clip.amodal is not None
        areas = zip(_areas(clip.modal), _areas(clip.amodal), strict=True)
        parts = [1 - min(seen, whole) / whole if whole else 1.0 for seen, whole in areas]
    if min(parts) > NO_MORE_THAN:
        raise BadMask(f"{clip.frames.path.parent}: no frame shows the whole object; leave the clip out")
    return np.array(parts)


def has_all_masks(clip: NativeClip) -> bool:
    """Whether every frame has both masks, so that any window of the clip can be trained on."""
    return clip.amodal is not None and None not in clip.modal.paths and None not in clip.amodal.paths


def split_by_footage(clips: Sequence[NativeClip], held_out: float) -> tuple[list[NativeClip], list[NativeClip]]:
    """Clips to train on and to validate on; clips that share a source video, however indirectly, are on one side.

    Which side a group of footage is on depends on the names of its videos alone, so that clips may be added. Of several
    groups at least one is trained on, and one is held out if any share is.

    Args:
        clips: With the sources that ``annos.json`` names; a clip that names none is footage of its own.
        held_out: Share of the groups to validate on.
    """
    groups = footage_groups([sources_of(clip) for clip in clips])
    order = sorted(set(groups), key=lambda group: numpy_rng("footage", group).random())
    count = min(max(round(held_out * len(order)), 1 if held_out else 0), len(order) - 1)
    validated = set(order[:count])
    train = [clip for clip, group in zip(clips, groups, strict=True) if group not in validated]
    return train, [clip for clip, group in zip(clips, groups, strict=True) if group in validated]


def footage_groups(sources: Sequence[frozenset[str]]) -> list[str]:
    """For each set of source videos the first name of the group that it belongs to; sets that share one are one group.

    >>> footage_groups([frozenset("ab"), frozenset("c"), frozenset("bd"), frozenset("d")])
    ['a', 'c', 'a', 'a']
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for names in sources:
        heads = sorted({root(name) for name in names})
        for head in heads:
            parent[head] = heads[0]
    return [root(min(names)) for names in sources]


def sources_of(clip: NativeClip) -> frozenset[str]:
    """Names of the videos that a clip was made from: those of its provenance, else its source, else its own name."""
    provenance = clip.details.get("provenance")
    sides = provenance.values() if isinstance(provenance, Mapping) else ()
    named = {str(side["source"]) for side in sides if isinstance(side, Mapping) and side.get("source")}
    source = clip.details.get("source")
    return frozenset(named or ({str(source)} if source else {clip.name}))


def _part(count: int, settings: AmodalTraining) -> int:
    return max(1, round(count * settings.share))


def _areas(masks: Sequence[Tensor | None]) -> list[int]:
    return [0 if mask is None else int(mask.sum()) for mask in masks]


def _stacked(masks: Sequence[Tensor | None], chosen: Sequence[int]) -> Tensor:
    found = [masks[t] for t in chosen]
    return torch.stack([mask for mask in found if mask is not None])
