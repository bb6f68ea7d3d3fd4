"""Read what external systems leave: images, gifs that merge frames, videos, arrays."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from robustvos.errors import BadMask, DataNotFound
from robustvos.external.placement import Placement
from robustvos.external.recipe import Recipe
from robustvos.files.arrays import UNREADABLE_ARRAYS
from robustvos.files.naming import list_files, natural_key
from robustvos.video.masks import read_binary_plane
from robustvos.video.pictures import UNREADABLE, why_unreadable
from robustvos.video.video_file import VideoFile

_CHANNELS = {"red": 0, "green": 1, "blue": 2, "alpha": 3}
_WINDOW = re.compile(r"_i(\d+)_f(\d+)_")
"""In the names of TCOW's outputs: every how many frames, from which one."""


def find_output(root: Path, recipe: Recipe, clip: str) -> list[Path]:
    """Files or folders that a system left for a clip, in natural order; the characters of its name stand for themselves."""
    found = root.glob(recipe.output.format(clip=glob.escape(clip)))
    return sorted(found, key=lambda path: natural_key(path.name))


def read_output(
    root: Path, recipe: Recipe, placement: Placement, clip: str
) -> tuple[list[np.ndarray], list[str]] | None:
    """The masks of one clip, one for each of its frames at its own size, and what was done to them.

    Returns:
        ``(H, W)`` bool each, and a line for each change; None if the system left nothing for the clip.

    Raises:
        BadMask: If they are too few or too many, of another size, soft where two values are expected, or unreadable.
    """
    found = find_output(root, recipe, clip)
    if not found:
        return None
    path, given, window = _choose(found, placement)
    masks = _FORMS[recipe.form](path, recipe, len(given))
    if recipe.trailing and len(masks) == len(given) + recipe.trailing:
        masks = masks[: len(given)]
    if len(masks) != len(given):
        raise BadMask(f"{path}: {len(masks)} frames, expected {len(given)} for {clip}; run the system on it again")
    wanted = recipe.output_size or placement.canvas
    for t, mask in enumerate(masks):
        placement.check_size(mask.shape, wanted, f"{path}, frame {t}")
    timed = Placement(placement.size, placement.canvas, placement.box, tuple(given), placement.frames)
    changes = [*window]
    if wanted != placement.size:
        changes.append(f"masks brought from {wanted[1]}x{wanted[0]} to the clip's size by nearest neighbour")
    restored = [placement.restore(mask) for mask in masks]
    return [restored[index] for index in timed.nearest_given()], changes


def _choose(found: list[Path], placement: Placement) -> tuple[Path, list[int], list[str]]:
    """Of several outputs with a stride in their names the one of the smallest that covers the clip, else the largest."""
    windows = [(int(m[1]), int(m[2]), path) for path in found if (m := _WINDOW.search(path.name))]
    if not windows:
        if len(found) > 1:
            raise BadMask(f"{found[0].parent} holds {len(found)} outputs for one clip ({found[0].name}, ...); keep one")
        return found[0], list(placement.taken), []
    windows = [window for window in windows if window[1] == 0] or windows
    reach = {stride: 29 * stride for stride, _, _ in windows}
    covering = [stride for stride in reach if reach[stride] >= placement.frames - 1]
    best = min(covering) if covering else max(reach)
    stride, start, path = next(window for window in windows if window[0] == best)
    given = [min(start + stride * k, placement.frames - 1) for k in range(30)]
    lines = [f"took the output at stride {stride} from frame {start}; frames between take the nearest mask"]
    if start or reach[best] < placement.frames - 1:
        lines.append(f"it covers frames {start} to {given[-1]} of {placement.frames}; others hold the nearest mask")
    return path, given, lines


def _inside(pixels: np.ndarray, recipe: Recipe, where: str) -> np.ndarray:
    """``(H, W)`` or ``(H, W, C)`` values as a bool mask."""
    if recipe.inside in _CHANNELS:
        channel = _CHANNELS[recipe.inside]
        if pixels.ndim != 3 or pixels.shape[2] <= channel:
            raise BadMask(
                f"{where}: no {recipe.inside} channel in an image of shape {pixels.shape}; set another inside in the recipe"
            )
        pixels = pixels[..., channel]
    elif pixels.ndim == 3:
        pixels = pixels[..., :3].mean(2)
    if recipe.threshold is None:
        values = np.unique(pixels)
        if len(values) > 2 or values.min() < 0:
            raise BadMask(
                f"{where}: soft values ({len(values)} levels, {values.min():g} to {values.max():g}); write two values, "
                "or set threshold in the recipe"
            )
        return np.asarray(pixels > 0)
    return np.asarray(pixels <= recipe.threshold if recipe.inside == "dark" else pixels > recipe.threshold)


def _images(path: Path, recipe: Recipe, expected: int) -> list[np.ndarray]:
    if not path.is_dir():
        raise DataNotFound(f"{path} is no folder of images; check the recipe's output")
    files = list_files(path, (".png", ".jpg", ".jpeg"))
    if recipe.threshold is None and recipe.inside == "bright" and all(f.suffix == ".png" for f in files):
        return [_two_valued(file, recipe) for file in files]
    mode = "RGBA" if recipe.inside == "alpha" else "RGB"
    return [_inside(_pixels(file, mode), recipe, str(file)) for file in files]


def _two_valued(file: Path, recipe: Recipe) -> np.ndarray:
    try:
        with Image.open(file) as image:
            grey = image.mode == "L"
    except UNREADABLE as error:
        raise BadMask(f"{file}: {why_unreadable(error)}; write it again") from error
    return _inside(_pixels(file, "L"), recipe, str(file)) if grey else read_binary_plane(file)


def _pixels(file: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(file) as image:
            if mode == "RGBA" and image.mode != "RGBA":
                raise BadMask(f"{file}: no alpha channel (mode {image.mode}); is it the layer of the object?")
            return np.asarray(image.convert(mode))
    except UNREADABLE as error:
        raise BadMask(f"{file}: {why_unreadable(error)}; write it again") from error


def _gif(path: Path, recipe: Recipe, expected: int) -> list[np.ndarray]:
    """Writers merge equal neighbours into one frame that lasts longer: durations give them back."""
    frames, durations = [], []
    try:
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                frames.append(np.asarray(frame.convert("L")))
                durations.append(float(frame.info.get("duration", 0)))
    except UNREADABLE as error:
        raise BadMask(f"{path}: {why_unreadable(error)}; write it again") from error
    threshold = 127.0 if recipe.threshold is None else recipe.threshold
    masks = [frame > threshold for frame in frames]
    if len(masks) >= expected:
        return masks
    if len(masks) == 1:
        return masks * expected  # all were equal
    unit = sum(durations) / expected
    repeats = [round(duration / unit) if unit else 0 for duration in durations]
    if sum(repeats) != expected or min(repeats, default=0) < 1:
        raise BadMask(
            f"{path}: {len(masks)} frames, expected {expected}, and their durations do not say which were merged; "
            "save the masks as an array instead"
        )
    return [mask for mask, times in zip(masks, repeats, strict=True) for _ in range(times)]


def _video(path: Path, recipe: Recipe, expected: int) -> list[np.ndarray]:
    frames = VideoFile(path)
    return [_inside(frames[t].permute(1, 2, 0).numpy(), recipe, f"{path}, frame {t}") for t in range(len(frames))]


def _npz(path: Path, recipe: Recipe, expected: int) -> list[np.ndarray]:
    try:
        content = np.load(path, allow_pickle=False)
        array = content if isinstance(content, np.ndarray) else content[content.files[0]]
    except UNREADABLE_ARRAYS as error:
        raise BadMask(f"{path} is no array of masks ({error}); write it again") from error
    array = array.reshape(array.shape[-3:]) if array.ndim > 3 and array.size == np.prod(array.shape[-3:]) else array
    if array.ndim != 3:
        raise BadMask(f"{path}: an array of shape {array.shape}, expected (frames, height, width); write it so")
    return [_inside(plane, recipe, f"{path}, frame {t}") for t, plane in enumerate(array)]


_FORMS: dict[str, Callable[[Path, Recipe, int], list[np.ndarray]]] = {
    "images": _images,
    "gif": _gif,
    "video": _video,
    "npz": _npz,
}
