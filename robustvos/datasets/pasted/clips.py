"""Clips by number: which footage, how it moves, which objects are followed; a function of seed and number alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from robustvos.corruptions import Layers
from robustvos.datasets.pasted.arrange import arrange
from robustvos.datasets.pasted.collection import Collection
from robustvos.datasets.pasted.composite import compose, layers_of_labels
from robustvos.datasets.pasted.lighting import relight
from robustvos.datasets.pasted.numbered import NumberedClips
from robustvos.datasets.pasted.recipe import Recipe
from robustvos.errors import BadMask, DataNotFound
from robustvos.scenes import SceneSpec, render_scene
from robustvos.types import Clip

FIRST_HELD_BACK = 1_000_000_000  # first number of the clips of held-back footage
_ATTEMPTS = 20


@dataclass(frozen=True)
class PastedClip:
    """A clip and what is known of it besides.

    Attributes:
        clip: Frames and masks; the frames are clean.
        kind: One of :data:`KINDS`.
        layers: What is seen where and how far it is: the base's background, its objects, what is laid on it.
        footage: Name of what fills the frame, ``davis2016/bus``; of shapes the clip's own, since no two share any.
    """

    clip: Clip
    kind: str
    layers: Layers
    footage: str


class MixedClips(NumberedClips[PastedClip]):
    """Clips of a recipe, ``(T, O, S, S)`` masks; each object is seen in the first frame. Shapes need no footage.

    Raises:
        DataNotFound: If there is no footage for a kind that has a weight.
    """

    stream = "pasted"
    recipe: Recipe

    def __init__(self, footage: Collection, recipe: Recipe, *arguments: Any, **named: Any) -> None:
        super().__init__(footage, recipe, *arguments, **named)
        needs = {"videos": footage.videos, "stills": footage.stills, "cutouts": footage.stills + footage.videos}
        for kind, weight in recipe.weights.items():
            if weight and kind in needs and not needs[kind]:
                raise DataNotFound(f"no footage for clips of '{kind}'; add some, or set its weight to 0")

    def draw(self, number: int, rng: np.random.Generator) -> PastedClip:
        """See :class:`robustvos.datasets.pasted.numbered.NumberedClips`.

        Raises:
            BadMask: If too few objects can be followed in each of several attempts.
        """
        kinds = sorted(self.recipe.weights)
        shares = np.array([self.recipe.weights[kind] for kind in kinds], dtype=np.float64)
        kind = str(rng.choice(kinds, p=shares / shares.sum()))
        for _ in range(_ATTEMPTS):
            frames, labels, layers, base = self._draw(kind, rng)
            chosen = self._choose(labels[0], rng)
            if len(chosen) >= self.recipe.min_objects:
                break
        else:
            wanted = (
                "no object covers" if self.recipe.min_objects == 1 else f"fewer than {self.recipe.min_objects} cover"
            )
            raise BadMask(
                f"{wanted} {self.recipe.smallest:.1%} to {self.recipe.largest:.0%} of a first frame in {_ATTEMPTS} "
                f"attempts at a clip of '{kind}'; check the masks, or lower 'smallest'"
            )
        frames = relight(frames, self.recipe.lighting, rng)
        name = f"{kind}_{number:010d}"
        clip = Clip(
            name=name,
            frames=torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(),
            masks=torch.from_numpy(np.stack([labels == label for label in chosen], axis=1)),
            object_ids=tuple(range(1, len(chosen) + 1)),
        )
        return PastedClip(clip, kind, layers, base or name)

    def _draw(self, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Layers, str]:
        """``(T, S, S, 3)`` frames, ``(T, S, S)`` labels, 0 where no object is seen; layers; and the base's name, if any."""
        if kind != "shapes":
            arranged = arrange(kind, self.footage, self.recipe, self.frames, rng)
            frames, labels = compose(arranged, self.size)
            return frames, labels, layers_of_labels(labels), arranged[0].footage
        spec = SceneSpec(size=(self.size, self.size), frames=self.frames, max_objects=self.recipe.max_objects)
        scene = render_scene(spec, rng)
        labels = np.zeros(scene.modal.shape[:1] + scene.modal.shape[2:], dtype=np.int16)
        for row in range(scene.modal.shape[1]):
            labels[scene.modal[:, row]] = row + 1
        return scene.frames, labels, Layers(scene.labels, scene.layer_depth), ""

    def _choose(self, labels: np.ndarray, rng: np.random.Generator) -> list[int]:
        """Labels of the objects to follow, of those that cover enough of the first frame and not too much."""
        values, counts = np.unique(labels[labels > 0], return_counts=True)
        part = counts / labels.size
        fit = values[(part >= self.recipe.smallest) & (part <= self.recipe.largest)]
        count = min(len(fit), self.recipe.max_objects)
        return sorted(int(label) for label in rng.choice(fit, size=count, replace=False))
