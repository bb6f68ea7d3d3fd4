"""``croissant.json``: Croissant metadata by ``mlcroissant``; its records are the rows of ``clips.csv`` and ``frames.csv``.

Source: Akhtar et al., Croissant, NeurIPS 2024; https://docs.mlcommons.org/croissant.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.errors import UserError
from robustvos.files.atomic import atomic_path, atomic_write_text
from robustvos.optional import require
from robustvos.publishing.clips import EXTRA, Frame, PublishedClip, decode
from robustvos.video.native_tree import FRAMES

FILE, CLIPS, CLIP_FRAMES = "croissant.json", "clips.csv", "frames.csv"
_REFUSED = "{}: mlcroissant refuses it: {}; nothing was published; please report it"
_CLIP_FIELDS = {
    "clip": "Name of the clip.",
    "category": "occlusion, surface, articulated or mobile.",
    "frames": "Number of frames.",
    "fps": "Frames per second.",
    "height": "Of the frames, in pixels.",
    "width": "Of the frames, in pixels.",
}
_FRAME_FIELDS = {
    "clip": "Name of the clip.",
    "frame": "Number of the frame, from 0.",
    "image": "Its picture, from the dataset's folder.",
    "height": "In pixels.",
    "width": "In pixels.",
    "amodal": "The whole object: COCO's compressed run-length code.",
    "modal": "What is seen of it: the same.",
}
_INTEGERS, _FLOATS = {"frames", "frame", "height", "width"}, {"fps"}


@dataclass(frozen=True)
class About:
    """What a dataset is called.

    Attributes:
        name: Of the dataset.
        licence: Of the clips: an SPDX name or an address.
        address: Where it will be found.
    """

    name: str
    licence: str
    address: str


def write_croissant(folder: Path, clips: Sequence[PublishedClip], about: About) -> None:
    """Write both tables and the metadata.

    Raises:
        MissingExtra: If mlcroissant is not installed.
        UserError: If mlcroissant finds fault with the metadata; says what.
    """
    _write_csv(folder / CLIPS, _CLIP_FIELDS, (_clip_row(clip) for clip in clips))
    _write_csv(folder / CLIP_FRAMES, _FRAME_FIELDS, (row for clip in clips for row in _frame_rows(clip)))
    mlc = require("mlcroissant", EXTRA)
    metadata = mlc.Metadata(
        name=about.name,
        description=f"{len(clips)} video clips with exact amodal and modal masks of one object each.",
        url=about.address,
        license=[about.licence],
        distribution=[_file(mlc, folder / name) for name in (CLIPS, CLIP_FRAMES)],
        record_sets=[
            _records(mlc, "clips", CLIPS, _CLIP_FIELDS),
            _records(mlc, "frames", CLIP_FRAMES, _FRAME_FIELDS),
        ],
    )
    text = json.dumps(metadata.to_json(), indent=1, ensure_ascii=False, default=str)
    atomic_write_text(folder / FILE, text + "\n")
    _validate(mlc, folder / FILE)


def read_croissant(folder: Path) -> Iterator[Frame]:
    """Read the masks back by way of mlcroissant."""
    mlc = require("mlcroissant", EXTRA)
    for record in mlc.Dataset(jsonld=str(folder / FILE)).records("frames"):
        said = {key.rpartition("/")[2]: value for key, value in record.items()}
        size = (said["height"], said["width"])
        whole, seen = (decode(_text(said[name]), size) for name in ("amodal", "modal"))
        yield _text(said["clip"]), int(said["frame"]), whole, seen


def _validate(mlc: Any, path: Path) -> None:
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        found = mlc.Dataset(jsonld=str(path)).metadata.ctx.issues
    except mlc.ValidationError as error:
        raise UserError(_REFUSED.format(path.name, " ".join(str(error).split()))) from error
    if found.errors:
        raise UserError(_REFUSED.format(path.name, "; ".join(sorted(found.errors))))


def _file(mlc: Any, path: Path) -> Any:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return mlc.FileObject(
        id=path.name, name=path.name, content_url=path.name, encoding_formats=["text/csv"], sha256=digest
    )


def _records(mlc: Any, name: str, file: str, fields: dict[str, str]) -> Any:
    def field(column: str, text: str) -> Any:
        kind = (
            mlc.DataType.INTEGER
            if column in _INTEGERS
            else mlc.DataType.FLOAT
            if column in _FLOATS
            else mlc.DataType.TEXT
        )
        source = mlc.Source(file_object=file, extract=mlc.Extract(column=column))
        return mlc.Field(id=f"{name}/{column}", name=column, description=text, data_types=[kind], source=source)

    return mlc.RecordSet(id=name, name=name, fields=[field(column, text) for column, text in fields.items()])


def _clip_row(clip: PublishedClip) -> dict[str, Any]:
    height, width = clip.size
    held = {"frames": len(clip.amodal), "fps": clip.fps, "height": height, "width": width}
    return {"clip": clip.name, "category": clip.native.category, **held}


def _frame_rows(clip: PublishedClip) -> Iterator[dict[str, Any]]:
    height, width = clip.size
    for t, file in enumerate(clip.native.frames.files):
        image = f"native/{clip.name}/{FRAMES}/{file.name}"
        held = {"height": height, "width": width, "amodal": clip.amodal[t], "modal": clip.modal[t]}
        yield {"clip": clip.name, "frame": t, "image": image, **held}


def _write_csv(path: Path, fields: dict[str, str], rows: Iterator[dict[str, Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
