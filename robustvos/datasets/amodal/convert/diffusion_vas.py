"""The JSON of Diffusion-VAS (kaihuac/diffusion_vas_datasets on the Hub): sequences of SAIL-VOS and of TAO-Amodal.

SAIL-VOS: a list of ``{segmentation, visible_mask, bbox, image_ids, obj_id, category_id, image_file_names}``, run-length
codes of the whole and the visible object, a frame each. TAO-Amodal: ``{rles, amodal_bboxes, file_names, height, width,
track_id, video_id, category_id}``; nobody has drawn whole masks of it, so its clips can be tracked and not scored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from robustvos.datasets.amodal.convert.clip import ForeignClip
from robustvos.datasets.amodal.convert.coco import coco_mask
from robustvos.errors import DataNotFound
from robustvos.files.names import check_relative

_WHOLE, _BOXES = ("segmentation", "visible_mask", "image_file_names"), ("rles", "amodal_bboxes", "file_names")


def clips(src: Path, frames: Path | None = None) -> Iterator[ForeignClip]:
    """Every sequence of a JSON file, or of the one that a folder holds.

    Args:
        src: File or folder.
        frames: Root of the images; None: the file's folder.

    Raises:
        DataNotFound: If it is no such file, or frames are missing.
        BadMask: If a mask is broken.
    """
    file = _file(src)
    root = frames or file.parent
    try:
        samples = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataNotFound(f"{file} is no JSON ({error}); fetch it again") from error
    if not isinstance(samples, list) or not samples:
        raise DataNotFound(f"{file} is no list of sequences, as Diffusion-VAS has them; is it another file of it?")
    for number, sample in enumerate(samples):
        where = f"{file}, sequence {number}"
        if all(key in sample for key in _WHOLE):
            yield _sailvos(sample, root, where)
        elif all(key in sample for key in _BOXES):
            yield _tao(sample, root, where)
        else:
            raise DataNotFound(
                f"{where}: neither {', '.join(_WHOLE)} nor {', '.join(_BOXES)}; it has {', '.join(sample)}"
            )


def _sailvos(sample: Mapping[str, Any], root: Path, where: str) -> ForeignClip:
    files = [_image(root, name) for name in sample["image_file_names"]]
    ids = [int(i) for i in sample["image_ids"]]
    return ForeignClip(
        f"sailvos_{ids[0]}_{int(sample['obj_id'])}",
        files,
        lambda t: coco_mask(sample["visible_mask"][t], None, f"{where}, visible_mask {t}"),
        lambda t: coco_mask(sample["segmentation"][t], None, f"{where}, segmentation {t}"),
        details={
            "source": "SAIL-VOS, sequences of Diffusion-VAS",
            "image_ids": ids,
            "object": int(sample["obj_id"]),
            "class": int(sample["category_id"]),
        },
    )


def _tao(sample: Mapping[str, Any], root: Path, where: str) -> ForeignClip:
    size = (int(sample["height"]), int(sample["width"]))
    return ForeignClip(
        f"tao_{sample['video_id']}_{sample['track_id']}",
        [_image(root, name) for name in sample["file_names"]],
        lambda t: coco_mask({"counts": sample["rles"][t], "size": list(size)}, size, f"{where}, rles {t}"),
        lambda t: None,
        details={
            "source": "TAO-Amodal, sequences of Diffusion-VAS",
            "amodal_boxes": sample["amodal_bboxes"],  # x, y, width, height; beyond the frame too
            "file_names": list(sample["file_names"]),
            "object": int(sample["track_id"]),
            "class": int(sample["category_id"]),
        },
    )


def _file(src: Path) -> Path:
    if src.is_file():
        return src
    found = sorted(src.glob("diffusion_vas_*.json")) if src.is_dir() else []
    if len(found) != 1:
        told = f"{len(found)} such files" if found else "none"
        raise DataNotFound(f"looked for one diffusion_vas_*.json in {src}, found {told}; give the file itself")
    return found[0]


def _image(root: Path, name: str) -> Path:
    """SAIL-VOS has bitmaps, which many keep as PNGs."""
    file = root / check_relative(name, "a frame of the sequences")
    other = file.with_suffix(".png")
    return other if not file.is_file() and other.is_file() else file
