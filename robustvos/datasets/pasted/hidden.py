"""Amodal clips of real pixels: a cut-out object that another one, or a piece of a picture, passes before.

What is laid over the object is known to the pixel; what hid part of it in its own picture is not, and counts as not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from robustvos.corruptions import Layers
from robustvos.datasets.pasted.arrange import CutOut, base_layer, cut_out, pick
from robustvos.datasets.pasted.collection import Collection
from robustvos.datasets.pasted.composite import Layer, compose, layers_of_labels, whole_masks
from robustvos.datasets.pasted.lighting import relight
from robustvos.datasets.pasted.numbered import NumberedClips
from robustvos.datasets.pasted.paths import affine_path, eased, stretch
from robustvos.datasets.pasted.recipe import Movement
from robustvos.errors import BadMask, DataNotFound
from robustvos.types import Clip
from robustvos.video.native_tree import QUERY_ID
from robustvos.video.occlusion_levels import NO_MORE_THAN

PASSES = ("across", "back", "stays")
"""What the occluder does: it goes on to the other side, turns back, or stays before the object until the end."""

_ATTEMPTS = 100
_PREVIEW = 64  # side at which an arrangement is looked at before it is drawn
_OBJECT = (0.2, 0.5)  # longer side of the object, in frame sides
_MOTION = 0.6  # of the motion that stills have
_PATCH = 0.5  # chance that the occluder is a piece of a picture: a wall, a panel, a post
_BEHIND = 0.5  # chance that the occluder keeps its place, and the object goes behind it
_CAMERA = 0.5  # chance that everything moves with the picture
_OTHER = 0.35  # chance of a further object, below both
_WORTH = 0.05  # hidden part from which a frame teaches what cannot be seen


@dataclass(frozen=True)
class HiddenClip:
    """A clip and what is known of it besides.

    Attributes:
        clip: Frames, visible masks and whole ones.
        passing: One of :data:`PASSES`.
        layers: What is seen where, and how far it is.
        footage: Name of the still or video that the object is of.
    """

    clip: Clip
    passing: str
    layers: Layers
    footage: str


class HiddenClips(NumberedClips[HiddenClip]):
    """Clips with ``(T, 1, S, S)`` visible and whole masks.

    In the first frame the object is uncovered and wholly in the picture; in its own footage, too, it is never cut by the
    border. Later at least 30 % of it are hidden at once, and some of it in at least a sixth of the frames.

    Raises:
        DataNotFound: If there is no footage.
    """

    stream = "hidden"

    def __init__(self, footage: Collection, *arguments: Any, **named: Any) -> None:
        super().__init__(footage, *arguments, **named)
        if not footage.stills and not footage.videos:
            raise DataNotFound("no stills and no videos to make clips of hidden objects of; add some")

    def draw(self, number: int, rng: np.random.Generator) -> HiddenClip:
        """See :class:`robustvos.datasets.pasted.numbered.NumberedClips`.

        Raises:
            BadMask: If no object can be hidden in any of several attempts.
        """
        for _ in range(_ATTEMPTS):
            passing = str(rng.choice(PASSES))
            layers, query = arrange_hiding(passing, self.footage, self.recipe, self.frames, rng)
            if not layers or not is_useful(*_masks(layers, query, compose(layers, _PREVIEW)[1])):
                continue
            frames, labels = compose(layers, self.size)
            seen, whole = _masks(layers, query, labels)
            if is_useful(seen, whole):
                break
        else:
            raise BadMask(
                f"no object could be hidden in {_ATTEMPTS} attempts at a clip; check that the masks show whole objects"
            )
        frames = relight(frames, self.recipe.lighting, rng)
        clip = Clip(
            name=f"{passing}_{number:010d}",
            frames=torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(),
            masks=torch.from_numpy(seen[:, None]),
            object_ids=(QUERY_ID,),
            amodal=torch.from_numpy(whole[:, None]),
        )
        return HiddenClip(clip, passing, layers_of_labels(labels), layers[query].footage)


def arrange_hiding(
    passing: str, footage: Collection, recipe: Movement, frames: int, rng: np.random.Generator
) -> tuple[list[Layer], int]:
    """The layers of a clip, the base first, and the place of the query object among them; no layers if none was found."""
    recipe = replace(recipe, motion=recipe.motion.scaled(_MOTION))
    from_video = bool(footage.videos) and (not footage.stills or rng.random() < 0.5)
    base = base_layer(pick(footage, from_video, rng), from_video, recipe, frames, rng)
    query = cut_out(footage, recipe, frames, _OBJECT, rng)
    if query is not None and not is_whole(query):
        return [], 0
    other = cut_out(footage, recipe, frames, _OBJECT, rng) if rng.random() < _OTHER else None
    if query is None:
        return [], 0
    occluder = _occluder(query, footage, recipe, frames, rng)
    if occluder is None:
        return [], 0
    anchor = affine_path(rng, frames, recipe.motion)
    anchor[:, :2, 2] += rng.uniform(-0.25, 0.25, 2)
    apart = _distance(query, occluder, passing, frames, rng)
    # One of the two keeps to the anchor; of the occluder's path only the translation is the anchor's.
    behind = rng.random() < _BEHIND
    beside = np.tile(np.eye(3), (frames, 1, 1))
    beside[:, :2, 2] = anchor[:, :2, 2] + (0 if behind else apart)
    if behind:
        anchor = anchor.copy()
        anchor[:, :2, 2] -= apart
    camera = base.path @ np.linalg.inv(base.path[:1]) if not from_video and rng.random() < _CAMERA else None
    layers = [base]
    if other is not None:
        path = affine_path(rng, frames, recipe.motion)
        path[:, :2, 2] += rng.uniform(-0.4, 0.4, 2)
        layers.append(other.along(_moved(path, camera)))
    layers += [query.along(_moved(anchor, camera)), occluder.along(_moved(beside, camera))]
    return layers, len(layers) - 2


def is_whole(cutout: CutOut) -> bool:
    """Whether the object lies within its own picture in every frame, off the border, which would cut it."""
    for ids in {id(plane): plane for plane in cutout.ids}.values():
        mask = ids == cutout.cut
        if not mask.any() or mask[[0, -1]].any() or mask[:, [0, -1]].any():
            return False
    return True


def is_useful(seen: np.ndarray, whole: np.ndarray) -> bool:
    """Whether ``(T, S, S)`` visible and whole masks make a clip: a clean start off the border, and enough hidden later."""
    areas = whole.sum((1, 2))
    if areas[0] < 0.004 * whole[0].size or whole[0][[0, -1]].any() or whole[0][:, [0, -1]].any():
        return False
    hidden = np.where(areas > 0, 1 - seen.sum((1, 2)) / np.maximum(areas, 1), 0.0)
    return bool(hidden[0] <= NO_MORE_THAN and hidden.max() >= 0.3 and (hidden > _WORTH).mean() >= 1 / 6)


def _masks(layers: Sequence[Layer], query: int, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(T, S, S)`` bool each: what is seen of the query object, and the whole of it."""
    layer = layers[query]
    return labels == 256 * query + (layer.cut or 0), whole_masks(layer, labels.shape[-1])


def _occluder(
    query: CutOut, footage: Collection, recipe: Movement, frames: int, rng: np.random.Generator
) -> CutOut | None:
    """Something that can hide the object: another object, larger, or a piece of a picture."""
    if rng.random() >= _PATCH:
        longest = max(query.extent)
        return cut_out(footage, recipe, frames, (1.2 * longest, 2.2 * longest), rng)
    source = pick(footage, not footage.stills or (bool(footage.videos) and rng.random() < 0.3), rng)
    image, ids = source.read(0)
    height, width = ids.shape
    part = rng.uniform(0.2, 0.6, 2)
    x0, y0 = (int(rng.integers(int(room * (1 - share)) + 1)) for room, share in zip((width, height), part, strict=True))
    piece = np.ascontiguousarray(image[y0 : y0 + max(8, int(height * part[1])), x0 : x0 + max(8, int(width * part[0]))])
    wide, high = query.extent[0] * rng.uniform(1.1, 2.2), query.extent[1] * rng.uniform(1.1, 2.8)
    solid = np.ones(piece.shape[:2], dtype=np.uint8)
    return CutOut([piece] * frames, [solid] * frames, 1, stretch(wide, high), (wide, high))


def _distance(query: CutOut, occluder: CutOut, passing: str, frames: int, rng: np.random.Generator) -> np.ndarray:
    """``(T, 2)``, where the occluder is, seen from the object: apart at first, then before it."""
    time = np.arange(frames) / frames
    comes, stays, goes = rng.uniform(0.12, 0.35), rng.uniform(0.05, 0.45), rng.uniform(0.12, 0.35)
    start = rng.uniform(0.05, 0.3)
    arrives = eased((time - start) / comes)
    leaves = eased((time - start - comes - stays) / goes)
    after = {"across": -1.0, "back": 1.0, "stays": 0.0}[passing]
    along = 1 - arrives + after * leaves
    angle = rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    room = (np.array(query.extent) + occluder.extent) / 2  # boxes that are so far apart on one axis do not meet
    far = float(np.min(room / np.maximum(np.abs(direction), 1e-6))) * rng.uniform(1.05, 1.3)
    across = np.array([-direction[1], direction[0]]) * rng.uniform(-0.25, 0.25) * min(query.extent)
    placed: np.ndarray = along[:, None] * far * direction + across
    return placed


def _moved(path: np.ndarray, camera: np.ndarray | None) -> np.ndarray:
    return path if camera is None else camera @ path
