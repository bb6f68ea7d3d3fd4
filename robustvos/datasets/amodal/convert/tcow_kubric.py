"""TCOW Kubric (tcow.cs.columbia.edu): drawn scenes, a clip for each object.

``<scene>/frames_p0_v0/{rgba,segmentation}_00000.png``, ``divided_segmentation_<object>_<frame>.png`` (the whole object) and
``<scene>/<scene>_p0_v0.json``; older scenes have ``frames`` and ``<scene>.json``. ``segmentation`` is painted in colours
whose hues rise evenly with the object's number, on black.
"""

from __future__ import annotations

import colorsys
import json
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image

from robustvos.datasets.amodal.convert.clip import ForeignClip, mask_of
from robustvos.errors import BadMask, DataNotFound
from robustvos.video.pictures import UNREADABLE, why_unreadable

_FIRST_HUE = 0.01  # of kubric's palette
_MOST_OBJECTS = 96
_INSIDE = 0.9
"""Share of an object's visible pixels that must lie in its whole mask; edges of the two renderings differ a little."""


def clips(src: Path) -> Iterator[ForeignClip]:
    """Every object of every scene; splits may lie between. Raises DataNotFound or BadMask."""
    found = sorted({path for name in ("frames_p0_v0", "frames") for path in src.rglob(name) if path.is_dir()})
    scenes = [path for path in found if any(path.glob("divided_segmentation_*.png"))]
    if not scenes:
        raise DataNotFound(
            f"looked for <scene>/frames_p0_v0/divided_segmentation_*.png in {src}, found none; give the folder of a split"
        )
    for folder in scenes:
        scene = _Scene(folder)
        for k in range(scene.objects):
            yield ForeignClip(
                f"{folder.parent.name}_obj{k:03d}",
                scene.frames,
                partial(scene.visible, k),
                partial(scene.whole, k),
                details={"source": "TCOW Kubric", "object": k, "fps": 12},
            )


class _Scene:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frames = sorted(folder.glob("rgba_*.png"))
        suffix = folder.name.removeprefix("frames")
        about = folder.parent / f"{folder.parent.name}{suffix}.json"
        try:
            self.objects = int(json.loads(about.read_text(encoding="utf-8"))["scene"]["num_valo_instances"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataNotFound(
                f"{about} does not say scene: num_valo_instances ({error}); copy the scene again"
            ) from error

    def whole(self, k: int, t: int) -> np.ndarray:
        number = self.frames[t].stem.removeprefix("rgba_")
        return mask_of(self.folder / f"divided_segmentation_{k:03d}_{number}.png")

    def visible(self, k: int, t: int) -> np.ndarray:
        found = np.zeros(self._colours[t].shape, bool)
        for colour, instance in self._instances.items():
            if instance == k:
                found |= self._colours[t] == colour
        return found

    @cached_property
    def _colours(self) -> list[np.ndarray]:
        """A number for each pixel's colour, ``(H, W)`` a frame."""
        return [_colours_of(file.with_name(file.name.replace("rgba_", "segmentation_", 1))) for file in self.frames]

    @cached_property
    def _instances(self) -> dict[int, int]:
        """Object of each colour: of all even spacings of hues the one that puts visible pixels into whole masks best."""
        colours = sorted({int(c) for plane in self._colours for c in np.unique(plane)} - {0})
        hues = {c: colorsys.rgb_to_hsv(c >> 16, c >> 8 & 255, c & 255)[0] for c in colours}
        areas = {c: np.zeros(self.objects) for c in colours}
        sizes = dict.fromkeys(colours, 0)
        for t, plane in enumerate(self._colours):
            wholes = [self.whole(k, t) for k in range(self.objects)]
            for c in colours:
                mask = plane == c
                sizes[c] += int(mask.sum())
                areas[c] += [int((mask & whole).sum()) for whole in wholes]
        best: tuple[float, float, dict[int, int]] | None = None
        for count in range(self.objects, _MOST_OBJECTS):
            places = {c: (hues[c] - _FIRST_HUE) * count for c in colours}
            rank = {c: round(place) for c, place in places.items()}
            residual = max((abs(places[c] - rank[c]) for c in colours), default=0.0)
            inside = min((areas[c][rank[c]] / sizes[c] for c in colours if 0 <= rank[c] < self.objects), default=0.0)
            if best is None or (inside >= _INSIDE, inside - residual) > (best[0] >= _INSIDE, best[0] - best[1]):
                best = (inside, residual, rank)
        if best is None or (colours and best[0] < _INSIDE):
            raise BadMask(
                f"{self.folder}: the colours of segmentation_*.png fit no numbering of the {self.objects} objects in "
                "divided_segmentation_*.png; copy the scene again"
            )
        return best[2]


def _colours_of(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB")).astype(np.int64)
    except FileNotFoundError as error:
        raise DataNotFound(f"mask {file} does not exist; copy the scene again") from error
    except UNREADABLE as error:
        raise BadMask(f"{file}: {why_unreadable(error)}; copy the scene again") from error
    return (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
