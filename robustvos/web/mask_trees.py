"""Annotations as the benchmarks have them: trees in the layouts of DAVIS, ACDC-Video and MVSeg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from robustvos.errors import UserError
from robustvos.files.atomic_folder import atomic_folder, discard_folder
from robustvos.files.paths import under
from robustvos.video.masks import VOID, write_indexed_mask
from robustvos.web.annotation import Plane
from robustvos.web.frames import FramePictures, jpeg_bytes

Layout = Literal["davis", "acdc", "mvseg"]
GROUPS: dict[str, tuple[str, ...]] = {
    "davis": (),
    "acdc": ("fog", "night", "rain", "snow"),
    "mvseg": ("INO", "KAIST", "RGBT234"),
}
"""Of each layout the groups of videos; the first part of a video's place or name."""

_QUALITY = 95


def write_tree(
    layout: Layout, folder: Path, name: str, pictures: FramePictures, planes: Mapping[int, Plane], group: str = ""
) -> Path:
    """Write frames and masks in one step; a tree of the same layout that is there is replaced.

    Args:
        layout: ``davis``: ``JPEGImages/NAME/00000.jpg`` and ``Annotations/NAME/00000.png``; ``acdc``:
            ``GROUP/NAME/split_000/1.jpg`` and ``GROUP/NAME/gt/1.png``; ``mvseg``: ``GROUP_NAME.-1/visible/1v.jpg`` and
            ``label/1vl.png``.
        folder: Where; the tree is ``folder/LAYOUT``.
        name: Of the video; characters that no folder should have become hyphens.
        pictures: The video; all frames are written, as JPEGs of quality 95.
        planes: Masks of the frames that are annotated; others get none.
        group: Weather (ACDC) or source (MVSeg).

    Returns:
        The tree's folder.

    Raises:
        UserError: If nothing is annotated, the group is unknown, or it cannot be written.
    """
    if layout not in GROUPS:
        raise UserError(f"there is no layout '{layout}'; known: {', '.join(GROUPS)}")
    if GROUPS[layout] and group not in GROUPS[layout]:
        raise UserError(f"the layout of {layout} sorts videos by {', '.join(GROUPS[layout])}: choose one")
    if not any(plane.ids for plane in planes.values()):
        raise UserError("nothing is annotated yet; mark an object first")
    video = re.sub(r"[^\w-]+", "-", name).strip("-") or "video"
    place = under(folder, layout)
    building = under(folder, f"{layout}.new")
    discard_folder(building)
    with atomic_folder(building) as temporary:
        for index in range(len(pictures.frames)):
            picture, mask = _places(layout, video, group, index)
            (temporary / picture).parent.mkdir(parents=True, exist_ok=True)
            (temporary / picture).write_bytes(jpeg_bytes(pictures.frame(index), _QUALITY))
            if index in planes:
                _write(planes[index], temporary / mask)
    discard_folder(place)
    building.rename(place)
    return place


def _places(layout: Layout, video: str, group: str, index: int) -> tuple[str, str]:
    if layout == "davis":
        return f"JPEGImages/{video}/{index:05d}.jpg", f"Annotations/{video}/{index:05d}.png"
    number = index + 1
    if layout == "acdc":
        return f"{group}/{video}/split_000/{number}.jpg", f"{group}/{video}/gt/{number}.png"
    return f"{group}_{video}.-1/visible/{number}v.jpg", f"{group}_{video}.-1/label/{number}vl.png"


def _write(plane: Plane, path: Path) -> None:
    ids = plane.array
    object_ids = [*plane.ids, *([VOID] if (ids == VOID).any() else [])]
    masks = np.stack([ids == i for i in object_ids]) if object_ids else np.zeros((0, *plane.shape), bool)
    write_indexed_mask(torch.from_numpy(masks), object_ids, path)
