"""Which pictures make a clip, and where they lie: a base, and the objects laid on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robustvos.datasets.pasted.collection import Collection, Footage
from robustvos.datasets.pasted.composite import Layer
from robustvos.datasets.pasted.paths import affine_path, shift, stretch, way_out
from robustvos.datasets.pasted.recipe import Movement, Recipe
from robustvos.datasets.pasted.things import made_up_thing

_LONGEST = (0.15, 0.6)  # of an object that is laid on, in picture sides
_OF_VIDEO = 0.3  # of the motion that stills have; videos move by themselves
_OF_OBJECT = 1.5
_WHOLE = 0.45  # chance that a picture is shown whole, not cropped


@dataclass(frozen=True)
class CutOut:
    """An object of a still or a video, to be laid on a clip of ``T`` frames.

    Attributes:
        images: ``T`` pictures ``(H, W, 3)`` uint8.
        ids: ``T`` maps ``(H, W)`` uint8 of object ids.
        cut: Id of the object.
        place: ``(3, 3)``, from the picture to the frame: the object's box at its size there, about the centre.
        extent: Width and height of that box, in frame sides.
        footage: Name of the still or video.
    """

    images: Sequence[np.ndarray]
    ids: Sequence[np.ndarray]
    cut: int
    place: np.ndarray
    extent: tuple[float, float]
    footage: str = ""

    def along(self, path: np.ndarray) -> Layer:
        """The object on a path ``(T, 3, 3)``."""
        return Layer(self.images, self.ids, path @ self.place, self.cut, self.footage)


def arrange(kind: str, footage: Collection, recipe: Recipe, frames: int, rng: np.random.Generator) -> list[Layer]:
    """The layers of a clip, the base first.

    Args:
        kind: ``videos``, ``stills`` or ``cutouts``.
        footage: What there is.
        recipe: Motion, strides, objects that are laid on.
        frames: Length of the clip.
        rng: Draws everything.
    """
    from_video = bool(footage.videos) and (kind == "videos" or (kind == "cutouts" and rng.random() < 0.5))
    from_video = from_video or not footage.stills
    layers = [base_layer(pick(footage, from_video, rng), from_video, recipe, frames, rng)]
    chances = np.array(recipe.pasted, dtype=np.float64)
    count = int(rng.choice(len(chances), p=chances / chances.sum()))
    for _ in range(max(1, count) if kind == "cutouts" else count):
        layer = _object(footage, recipe, frames, rng)
        if layer is not None:
            layers.append(layer)
    return layers


def pick(footage: Collection, from_video: bool, rng: np.random.Generator) -> Footage:
    """One of the videos or stills, drawn uniformly."""
    pool = footage.videos if from_video else footage.stills
    return pool[int(rng.integers(len(pool)))]


def _window(
    source: Footage, frames: int, strides: tuple[int, int], rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images and ids of ``frames`` frames: of a still the same, of a video at some stride, forwards or backwards.

    A video that is too short for the stride is shown at a smaller one; one that is too short at all turns back at its ends.
    """
    length = len(source.frame_paths)
    if length == 1:
        image, ids = source.read(0)
        return [image] * frames, [ids] * frames
    longest = max(1, (length - 1) // max(1, frames - 1))
    stride = min(int(rng.integers(strides[0], strides[1] + 1)), longest)
    span = (frames - 1) * stride + 1
    start = int(rng.integers(max(1, length - span + 1)))
    places = start + stride * np.arange(frames)
    places = np.abs((places + length - 1) % (2 * length - 2) - (length - 1)) if span > length else places
    order = places[::-1] if rng.random() < 0.5 else places
    pairs = {int(t): source.read(int(t)) for t in dict.fromkeys(order)}
    return [pairs[int(t)][0] for t in order], [pairs[int(t)][1] for t in order]


def base_layer(source: Footage, from_video: bool, recipe: Movement, frames: int, rng: np.random.Generator) -> Layer:
    """A picture or video that fills the frame, and moves a little."""
    images, ids = _window(source, frames, recipe.strides, rng)
    motion = recipe.motion.scaled(_OF_VIDEO) if from_video else recipe.motion
    path = affine_path(rng, frames, motion)
    return Layer(images, ids, path @ _crop(ids[0], rng), footage=source.name)


def _crop(ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From a picture to the frame: whole, or a window around one of its objects; mirrored half of the time."""
    mirror = stretch(-1.0 if rng.random() < 0.5 else 1.0, 1.0)
    if rng.random() < _WHOLE:
        return mirror
    side = rng.uniform(0.45, 1.0)
    aspect = np.exp(rng.uniform(-0.25, 0.25))
    width, height = min(1.0, side * aspect), min(1.0, side / aspect)
    centre = rng.uniform(-0.5, 0.5, 2)
    seen = np.unique(ids[ids > 0])
    if len(seen):
        y, x = np.nonzero(ids == rng.choice(seen))
        about = np.array([x.mean() / ids.shape[1] - 0.5, y.mean() / ids.shape[0] - 0.5])
        centre = about + rng.uniform(-0.25, 0.25, 2) * (width, height)
    reach = np.array([1 - width, 1 - height]) / 2
    x0, y0 = np.clip(centre, -reach, reach)
    crop: np.ndarray = mirror @ stretch(1 / width, 1 / height) @ shift(-x0, -y0)
    return crop


def _object(footage: Collection, recipe: Recipe, frames: int, rng: np.random.Generator) -> Layer | None:
    """A made-up thing, or an object cut out of a still or a video, on a path of its own; None if the picture shows none."""
    if recipe.made_up and rng.random() < recipe.made_up:
        images, ids = made_up_thing(pick(footage, not footage.stills, rng).read(0)[0], frames, rng)
        made: CutOut | None = _placed(images, ids, 1, _LONGEST, "", rng)
    else:
        made = cut_out(footage, recipe, frames, _LONGEST, rng)
    if made is None:
        return None
    path = affine_path(rng, frames, recipe.motion.scaled(_OF_OBJECT))
    where = np.tile(shift(*rng.uniform(-0.4, 0.4, 2)), (frames, 1, 1))
    if rng.random() < recipe.exits:
        where[:, :2, 2] += way_out(rng, frames, 1.0 + max(made.extent) / 2)
    return made.along(where @ path)


def cut_out(
    footage: Collection, recipe: Movement, frames: int, longest: tuple[float, float], rng: np.random.Generator
) -> CutOut | None:
    """An object of a still or a video, mirrored half of the time; None if the picture drawn shows none.

    Args:
        footage: What there is.
        recipe: Strides of videos.
        frames: Length of the clip.
        longest: Its longer side, at least and at most, in frame sides.
        rng: Draws everything.
    """
    from_video = bool(footage.videos) and (not footage.stills or rng.random() < 0.4)
    source = pick(footage, from_video, rng)
    images, ids = _window(source, frames, recipe.strides, rng)
    seen, counts = np.unique(ids[0][ids[0] > 0], return_counts=True)
    seen = seen[counts >= 0.002 * ids[0].size]
    if not len(seen):
        return None
    return _placed(images, ids, int(rng.choice(seen)), longest, source.name, rng)


def _placed(
    images: list[np.ndarray],
    ids: list[np.ndarray],
    cut: int,
    longest: tuple[float, float],
    name: str,
    rng: np.random.Generator,
) -> CutOut:
    """An object at a size that is drawn, in the middle of the frame, mirrored half of the time."""
    x0, y0, x1, y1 = _box(ids, cut)
    height, width = ids[0].shape
    # The object's box, in unit coordinates of its picture, is brought to the frame's centre at its size there.
    side = rng.uniform(*longest)
    ratio = (x1 - x0) / (y1 - y0) * np.exp(rng.uniform(-0.25, 0.25))
    wide, high = (side, side / ratio) if ratio > 1 else (side * ratio, side)
    place = stretch(wide * width / (x1 - x0), high * height / (y1 - y0))
    place = place @ shift(0.5 - (x0 + x1) / 2 / width, 0.5 - (y0 + y1) / 2 / height)
    place = stretch(-1.0 if rng.random() < 0.5 else 1.0, 1.0) @ place
    return CutOut(images, ids, cut, place, (wide, high), name)


def _box(ids: list[np.ndarray], cut: int) -> tuple[float, float, float, float]:
    """Box of an object over the frames of a clip: ``x0, y0, x1, y1`` in pixels, each extent at least 1."""
    columns = np.any([np.any(plane == cut, axis=0) for plane in ids], axis=0).nonzero()[0]
    rows = np.any([np.any(plane == cut, axis=1) for plane in ids], axis=0).nonzero()[0]
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
