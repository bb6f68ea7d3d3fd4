"""Clips of held-back footage as videos to track: what settings of a base, and of a tracker of hidden objects, are chosen by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from robustvos.datasets.evaluation import Evaluation
from robustvos.datasets.pasted.clips import MixedClips, PastedClip
from robustvos.datasets.pasted.collection import Collection
from robustvos.datasets.pasted.hidden import HiddenClip, HiddenClips
from robustvos.datasets.pasted.numbered import NumberedVideos
from robustvos.datasets.pasted.recipe import Movement, Recipe
from robustvos.errors import UserError
from robustvos.evaluation.protocol import Protocol
from robustvos.evaluation.records import CLUSTER_TAG
from robustvos.types import Video


@dataclass(frozen=True)
class HeldBackEvaluation(Evaluation):
    """Evaluation of clips of held-back footage.

    Attributes:
        limit: How many are made.
        frames: Length.
        size: Side of the frames, pixels.
        objects: Objects in a clip, at most.
        weights: Share of each kind; None: cutouts alone.
        fewest: Objects in a clip, at least.
    """

    limit: int | None = 100
    frames: int = 24
    size: int = 384
    objects: int = 3
    weights: dict[str, float] | None = None
    fewest: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("limit", "frames", "size", "objects"):
            if not (getattr(self, name) or 0) >= 1:
                raise UserError(f"{name} is {getattr(self, name)}; clips are made, give 1 or more")
        if not 1 <= self.fewest <= self.objects:
            raise UserError(f"fewest is {self.fewest}; give 1 to objects, which is {self.objects}")

    @property
    def shares(self) -> dict[str, float]:
        """Of each kind."""
        return self.weights or {"cutouts": 1.0}

    @property
    def needs_footage(self) -> bool:
        """Drawn shapes alone need none."""
        return any(share for kind, share in self.shares.items() if kind != "shapes")

    def facts(self, protocol: Protocol) -> dict[str, str]:
        """See :meth:`robustvos.datasets.evaluation.Evaluation.facts`."""
        facts = super().facts(protocol)
        chosen = {"objects tracked up to": facts.pop("objects up to")} if "objects up to" in facts else {}
        made = {"side": str(self.size), "frames": str(self.frames), "objects up to": str(self.objects)}
        fewest = {"objects from": str(self.fewest)} if self.fewest > 1 else {}
        return {**made, **fewest, **chosen, **facts}


class HeldBackVideos(NumberedVideos[PastedClip]):
    """Clips made of held-back footage.

    Args:
        footage: What is held back.
        recipe: What clips are made of.
        settings: How many, how long, of what kinds.
        first: Number of the first clip; those of training, validation and test never meet.
    """

    def __init__(self, footage: Collection, recipe: Recipe, settings: HeldBackEvaluation, first: int) -> None:
        recipe = replace(recipe, weights=settings.shares, min_objects=settings.fewest, max_objects=settings.objects)
        count = settings.limit or 0
        super().__init__(MixedClips(footage, recipe, settings.frames, settings.size, first, count, seed=0), "pasted")

    def video(self, index: int) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`."""
        made = self.made(index)
        clip = made.clip
        return Video(
            name=self.names[index],
            frames=list(torch.unbind(clip.frames)),
            object_ids=clip.object_ids,
            masks=list(torch.unbind(clip.masks)),
            prompts=(),
            frame_names=tuple(f"{t:05d}" for t in range(len(clip.masks))),
            size=(self._clips.size, self._clips.size),
            tags={"kind": made.kind, CLUSTER_TAG: made.footage},
        )


@dataclass(frozen=True)
class HiddenEvaluation(Evaluation):
    """Evaluation of clips whose object is hidden for a while, made of held-back footage.

    Attributes:
        limit: How many are made.
        frames: Length.
        size: Side of the frames, pixels.
    """

    limit: int | None = 100
    frames: int = 32
    size: int = 320

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("limit", "frames", "size"):
            if not (getattr(self, name) or 0) >= 1:
                raise UserError(f"{name} is {getattr(self, name)}; clips are made, give 1 or more")

    def facts(self, protocol: Protocol) -> dict[str, str]:
        """See :meth:`robustvos.datasets.evaluation.Evaluation.facts`."""
        return {"side": str(self.size), "frames": str(self.frames), **super().facts(protocol)}


class HiddenVideos(NumberedVideos[HiddenClip]):
    """Clips of held-back footage whose object is hidden for a while; the category of a clip says how.

    Args:
        footage: What is held back.
        recipe: Motion and light.
        settings: How many, how long.
        first: Number of the first clip; those of training, validation and test never meet.
    """

    def __init__(self, footage: Collection, recipe: Movement, settings: HiddenEvaluation, first: int) -> None:
        count = settings.limit or 0
        super().__init__(HiddenClips(footage, recipe, settings.frames, settings.size, first, count, seed=0), "hidden")

    def video(self, index: int) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`."""
        made = self.made(index)
        clip = made.clip
        assert clip.amodal is not None
        return Video(
            name=self.names[index],
            frames=list(torch.unbind(clip.frames)),
            object_ids=clip.object_ids,
            masks=list(torch.unbind(clip.masks)),
            amodal=list(torch.unbind(clip.amodal)),
            prompts=(),
            frame_names=tuple(f"{t:05d}" for t in range(len(clip.masks))),
            size=(self._clips.size, self._clips.size),
            tags={"category": made.passing, CLUSTER_TAG: made.footage},
        )
