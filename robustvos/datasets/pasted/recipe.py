"""What clips of stills and videos are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from robustvos.datasets.pasted.lighting import Lighting
from robustvos.datasets.pasted.paths import Motion
from robustvos.errors import UnknownName, UserError

KINDS = ("videos", "stills", "cutouts", "shapes")


@dataclass(frozen=True)
class Movement:
    """How footage moves, and what light it is in.

    Attributes:
        motion: Of pictures; objects that are laid on go farther.
        lighting: Photometric change.
        strides: Lowest and highest stride of a video.

    Raises:
        UserError: If strides are not in order.
    """

    motion: Motion = field(default_factory=Motion)
    lighting: Lighting = field(default_factory=Lighting)
    strides: tuple[int, int] = (1, 4)

    def __post_init__(self) -> None:
        if not 1 <= self.strides[0] <= self.strides[1]:
            raise UserError(f"strides {tuple(self.strides)} are no range of strides of at least 1")


@dataclass(frozen=True)
class Recipe(Movement):
    """What clips are made of; how it moves: :class:`Movement`.

    Attributes:
        weights: Share of each kind. ``videos``: as they are, cropped, at some stride, forwards or backwards. ``stills``:
            the whole picture moves. ``cutouts``: objects of stills and videos move over another picture. ``shapes``: drawn
            scenes (:mod:`robustvos.scenes`). Only ratios matter.
        pasted: Chances that 0, 1, 2, ... further objects are laid on a clip; they move, hide and leave. Cutouts have one
            at least.
        made_up: Chance that an object that is laid on is a made-up thing rather than one that is cut out
            (:mod:`robustvos.datasets.pasted.things`).
        exits: Chance that an object that is laid on leaves the picture, and returns if the clip is long enough.
        max_objects: Objects followed, at most.
        min_objects: Objects followed, at least: clips that show fewer in their first frame are drawn again.
        smallest: Least part of the first frame that an object followed covers.
        largest: Largest part.

    Raises:
        UnknownName: If a weight is of no kind.
        UserError: If no weight is above 0, one is below, ``made_up`` is no chance, strides are not in order, or
            ``min_objects`` is below 1 or above ``max_objects``.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {"videos": 0.4, "stills": 0.3, "cutouts": 0.3})
    pasted: tuple[float, ...] = (0.5, 0.35, 0.15)
    made_up: float = 0.0
    exits: float = 0.25
    max_objects: int = 2
    min_objects: int = 1
    smallest: float = 0.006
    largest: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind in self.weights:
            if kind not in KINDS:
                raise UnknownName.of("kind of clip", kind, KINDS)
        if not sum(self.weights.values()) > 0 or min(self.weights.values()) < 0:
            raise UserError(f"weights {dict(self.weights)}: give each kind 0 or more, and one of them more than 0")
        if not 1 <= self.min_objects <= self.max_objects:
            raise UserError(f"min_objects is {self.min_objects}; give 1 to max_objects, which is {self.max_objects}")
        if not 0 <= self.made_up <= 1:
            raise UserError(f"made_up is {self.made_up:g}; a chance is in [0, 1]")
        if not self.pasted or sum(self.pasted) <= 0:
            raise UserError(f"pasted {tuple(self.pasted)}: give the chances of 0, 1, ... objects that are laid on")
