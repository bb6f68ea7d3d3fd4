"""Write clips in the form that an external system reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from robustvos.errors import BadMask, UserError
from robustvos.external.placement import Placement
from robustvos.external.recipe import Recipe
from robustvos.files.atomic import atomic_write_json
from robustvos.files.atomic_folder import atomic_folder
from robustvos.optional import require
from robustvos.video.native import NativeClip
from robustvos.video.writer import VideoWriter

RECORD = "export.json"
Masks = Callable[[int], np.ndarray]
"""The visible mask ``(H, W)`` bool of a frame."""


def export_clip(
    clip: NativeClip, recipe: Recipe, folder: Path, masks: Masks | None = None, modal: str = "truth"
) -> Path:
    """Write ``folder/<clip>`` and, in it, ``export.json``: what was given, and every change.

    Args:
        clip: Its first visible mask is the query.
        recipe: Of the system.
        folder: Of all exports; the clip must not be there.
        masks: Visible masks of every frame; None: the true ones.
        modal: Where they come from, for the record.

    Raises:
        BadMask: If the query mask is empty, or a true mask is missing that the system wants.
        UserError: If the clip was exported before, or cannot be written.
    """
    query, file = clip.modal[0], clip.modal.paths[0]
    if query is None or file is None or not query.any():
        raise BadMask(f"{file or clip.name}: the query mask is empty; trim the clip's start, or leave the clip out")
    target = folder / clip.name
    if target.exists():
        raise UserError(f"{target} was exported before; delete it, or give another --out")
    placement = Placement.of(recipe, clip.frames.size, len(clip.frames))
    source = masks if masks is not None else _true_masks(clip)
    record = {
        "system": recipe.name,
        "clip": clip.name,
        "data": str(Path(file).resolve().parents[2]),
        "frame_names": list(clip.frames.frame_names),
        "modal": modal if recipe.modal == "every_frame" else "query mask alone",
        "true_box": recipe.box,
        "placement": placement.to_json(),
        "changes": placement.changes(),
    }
    with atomic_folder(target) as temporary:
        LAYOUTS[recipe.layout](_Given(clip, recipe, placement, source), temporary)
        atomic_write_json(temporary / RECORD, record)
    return target


def read_export(folder: Path) -> dict[str, Any]:
    """The record of an exported clip. Raises UserError if there is none, or it is broken."""
    try:
        content: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        Placement.from_json(content["placement"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} has no readable {RECORD}; export the clip again") from error
    return content


class _Given:
    """The frames and masks of one clip as the system gets them."""

    def __init__(self, clip: NativeClip, recipe: Recipe, placement: Placement, masks: Masks) -> None:
        self.clip, self.recipe, self.placement, self.masks = clip, recipe, placement, masks

    def frames(self) -> Iterator[np.ndarray]:
        for t in self.placement.taken:
            yield self.placement.place(self.clip.frames[t].permute(1, 2, 0).contiguous().numpy())

    def visible(self) -> Iterator[np.ndarray]:
        for t in self.placement.taken if self.recipe.modal == "every_frame" else self.placement.taken[:1]:
            mask = self.masks(t) if t else np.asarray(self.clip.modal[0])[0]
            yield self.placement.place(mask.astype(np.uint8) * 255, mask=True)


def _true_masks(clip: NativeClip) -> Masks:
    def read(t: int) -> np.ndarray:
        mask = clip.modal[t]
        if mask is None:
            raise BadMask(f"{clip.name}: frame {clip.frames.frame_names[t]} has no visible mask; take --modal sam2")
        return np.asarray(mask[0].numpy())

    return read


def _images(pictures: Iterator[np.ndarray], folder: Path, pattern: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for t, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / pattern.format(t), quality=95)  # of the JPEGs


def _video(pictures: Iterator[np.ndarray], path: Path, fps: float | None, quality: int = 10) -> None:
    with VideoWriter(path, fps=fps or 24, quality=quality) as writer:
        for pixels in pictures:
            rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
            writer.add(torch.from_numpy(rgb.copy()).permute(2, 0, 1).contiguous())


def _folder(given: _Given, out: Path) -> None:
    _images(given.frames(), out / "frames", "{:05d}.jpg")
    _images(given.visible(), out / "visible_masks", "{:05d}.png")


def _squares(given: _Given, out: Path) -> None:
    _images(given.frames(), out / "rgb", "{:05d}.png")
    _images(given.visible(), out / "mask", "{:05d}.png")


def _diffusion_vas(given: _Given, out: Path) -> None:
    _images(given.frames(), out / "rgbs", "frame_{:03d}.png")
    _images(given.visible(), out / "masks", "frame_{:03d}.png")


def _tcow(given: _Given, out: Path) -> None:
    _video(given.frames(), out / "clip.mp4", given.clip.frames.fps)
    query = next(given.visible())
    Image.fromarray(query).convert("RGB").save(out / "clip_0_query.png")  # it cuts three columns off a grey one


def _omnimatte(given: _Given, out: Path) -> None:
    fps = given.clip.frames.fps
    _video(given.frames(), out / "input_video.mp4", fps)
    _video(given.visible(), out / "mask_00.mp4", fps, quality=0)
    if given.recipe.name.endswith("with_occluder"):
        _video(_occluders(given), out / "mask_01.mp4", fps, quality=0)
    atomic_write_json(out / "prompt.json", {"bg": "an empty scene"})


def _occluders(given: _Given) -> Iterator[np.ndarray]:
    """What hides the object, as far as the truth shows it: the object's own hidden pixels."""
    clip = given.clip
    if clip.amodal is None:
        raise BadMask(f"{clip.name}: without gt_masks nobody knows what is hidden; take the target alone")
    for t in given.placement.taken:
        whole, seen = clip.amodal[t], clip.modal[t]  # true ones, whatever masks the system is given
        if seen is None:
            raise BadMask(
                f"{clip.name}: frame {clip.frames.frame_names[t]} has no visible mask, so that nobody knows what is hidden; "
                "take the target alone"
            )
        hidden = (np.asarray(whole)[0] if whole is not None else False) & ~np.asarray(seen[0])
        yield given.placement.place(hidden.astype(np.uint8) * 255, mask=True)


def _coco(given: _Given, out: Path) -> None:
    coder = require("pycocotools.mask", "coco")
    _images(given.frames(), out / "images", "{:05d}.jpg")
    if given.clip.amodal is None:
        raise BadMask(
            f"{given.clip.name}: this system is given the true box of the whole object, and gt_masks are missing; leave it out"
        )
    images, annotations = [], []
    height, width = given.placement.canvas
    for t, (frame, seen) in enumerate(zip(given.placement.taken, given.visible(), strict=True)):
        whole = given.clip.amodal[frame]
        if whole is None or not whole.any():
            continue  # its reader pairs images and annotations by their places
        images.append({"id": t, "file_name": f"{t:05d}.jpg", "height": height, "width": width})
        rows, columns = np.nonzero(np.asarray(whole)[0])
        x0, y0, x1, y1 = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
        code = coder.encode(np.asfortranarray((seen > 0).astype(np.uint8)))
        region = {
            # The box alone: the outline itself would give the answer away.
            "segmentation": [x0, y0, x1, y0, x1, y1, x0, y1],
            "visible_mask": {"size": code["size"], "counts": code["counts"].decode()},
            "order": 1,
        }
        annotations.append({"id": t, "image_id": t, "regions": [region], "size": 1})
    atomic_write_json(out / "annotations.json", {"images": images, "annotations": annotations})


LAYOUTS: dict[str, Callable[[_Given, Path], None]] = {
    "folder": _folder,
    "tabe": _folder,
    "squares": _squares,
    "tcow": _tcow,
    "coco": _coco,
    "omnimatte": _omnimatte,
    "diffusion_vas": _diffusion_vas,
}
