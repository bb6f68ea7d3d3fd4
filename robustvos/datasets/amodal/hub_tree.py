"""A Hub snapshot of an amodal dataset, in whatever arrangement, as a tree in Real-VAS's native form.

Read are: a native tree in any folder of it; parquet files whose image columns hold a frame a row, or a list of frames a
row; and ``metadata.jsonl`` or ``metadata.csv`` beside images or videos, a frame or a clip a row. What is not native is
unpacked once into the cache: frames as they are, masks as PNGs of 0 and 255.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from robustvos.datasets.amodal.column_roles import roles_of
from robustvos.datasets.amodal.object_mask import has_soft_edges, mask_of_video, object_mask
from robustvos.errors import BadMask, DataNotFound
from robustvos.files.atomic import atomic_write_json
from robustvos.files.atomic_folder import atomic_folder
from robustvos.files.names import check_name
from robustvos.files.paths import under
from robustvos.optional import require
from robustvos.video.masks import write_binary_mask
from robustvos.video.native_tree import AMODAL, ANNOTATIONS, FRAMES, MODAL
from robustvos.video.pictures import UNREADABLE, why_unreadable
from robustvos.video.video_file import VideoFile

_VIDEOS = {".mp4", ".webm", ".mkv", ".avi", ".mov"}
_METADATA = ("metadata.jsonl", "metadata.csv")
_PICTURED = ("frame", "amodal", "modal")
_VERSION = 2  # of what is unpacked: raised when the same files give other masks


@dataclass(frozen=True)
class _Picture:
    image: Image.Image
    of_video: bool = False


_Series = dict[str, _Picture]
"""A frame and its two masks, by role."""


def native_root(root: Path, cache: Path, columns: Mapping[str, str] | None = None) -> tuple[Path, str]:
    """The folder of native clips that ``root`` is, holds, or is unpacked to, and a line on what it was taken for.

    Raises:
        DataNotFound: If nothing in it is known, or columns are; or if two rows give one frame of one clip.
        BadMask: If a mask is soft, unreadable, or grey with nothing white in it.
        MissingExtra: If parquet files are to be read and pyarrow is not installed.
    """
    if not root.is_dir():
        return root, ""
    if _holds_clips(root):
        return root, ""
    nested = sorted(
        {path.parent.parent for path in root.glob(f"*/*/{FRAMES}")}
        | {p.parent.parent for p in root.glob(f"*/*/*/{FRAMES}")}
    )
    if nested:
        if len(nested) > 1:
            raise DataNotFound(
                f"{root} holds {len(nested)} trees of clips; give one of them: {', '.join(map(str, nested))}"
            )
        return nested[0], f"took {nested[0]} for a native tree"
    tables = sorted(root.rglob("*.parquet"))
    metadata = sorted(path for name in _METADATA for path in root.rglob(name))
    files = tables or metadata
    if not files:
        return root, ""  # the reader of native trees says what it looked for
    target = cache / f"unpacked-{_fingerprint(root, files, columns)}"
    roles = roles_of(_columns(files[0]), columns, str(files[0]))
    taken = ", ".join(f"{column} = {role}" for role, column in roles.items())
    if not target.is_dir():
        with atomic_folder(target) as temporary:
            _unpack(files, roles, temporary)
    kind = "parquet" if tables else "metadata"
    return target, f"took {len(files)} {kind} file(s) of {root} for clips: {taken}; --data.columns corrects it"


def _holds_clips(root: Path) -> bool:
    return any((root / FRAMES).is_dir() or any(root.glob(f"*/{name}")) for name in (FRAMES, AMODAL, MODAL))


def _fingerprint(root: Path, files: list[Path], columns: Mapping[str, str] | None) -> str:
    state = [(str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    text = json.dumps([_VERSION, str(root.resolve()), state, dict(columns or {})])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _columns(file: Path) -> list[str]:
    if file.suffix == ".parquet":
        return list(require("pyarrow.parquet", "hub").read_schema(file).names)
    return list(next(_rows(file), {}))


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of one file; of metadata, names of files are made whole."""
    if file.suffix == ".parquet":
        for batch in require("pyarrow.parquet", "hub").ParquetFile(file).iter_batches(batch_size=8):
            yield from batch.to_pylist()
        return
    text = file.read_text(encoding="utf-8")
    yield from (
        csv.DictReader(io.StringIO(text)) if file.suffix == ".csv" else map(json.loads, filter(None, text.split("\n")))
    )


def _unpack(files: list[Path], roles: Mapping[str, str], out: Path) -> None:
    counts: dict[str, int] = {}
    given: dict[tuple[str, object], str] = {}  # by clip and frame, the row that gave it
    for file in files:
        for number, row in enumerate(_rows(file)):
            where = f"{file}, row {number}"
            name = check_name(_clip_of(row, roles) or f"{len(counts):05d}", where)
            pictures = _together(row, roles, file.parent, f"{where} ({name})")
            ahead = list(itertools.islice(pictures, 2))
            first = 0
            if len(ahead) == 1:  # a frame a row
                first = int(row[roles["index"]]) if "index" in roles else counts.get(name, 0)
                _note(given, name, row[roles["frame"]], where, roles)
            for index, series in enumerate(itertools.chain(ahead, pictures), first):
                _note(given, name, index, where, roles)
                _write(series, index, out / name, where)
                counts[name] = counts.get(name, 0) + 1
            if "category" in roles and row[roles["category"]]:
                atomic_write_json(out / name / ANNOTATIONS, {"category": str(row[roles["category"]])})
    if not counts:
        raise DataNotFound(f"{files[0]} has no rows; fetch it again")


def _clip_of(row: Mapping[str, Any], roles: Mapping[str, str]) -> str:
    """The name of a row's clip: what the columns of clips and of their objects say; empty if there are none."""
    return "_".join(str(row[roles[role]]) for role in ("clip", "object") if role in roles)


def _note(given: dict[tuple[str, object], str], name: str, frame: object, where: str, roles: Mapping[str, str]) -> None:
    """Remember that a row gave a frame, a number or the name of a file; pictures themselves tell nothing."""
    if not isinstance(frame, int | str):
        return
    former = given.setdefault((name, frame), where)
    if former != where:
        taken = ", ".join(f"{column} = {role}" for role, column in roles.items() if role in ("clip", "object", "index"))
        raise DataNotFound(
            f"{former} and {where} both give clip {name}, frame {frame} (taken: {taken or 'no column of clips'}); if they are "
            "of two objects, say which column tells these apart: --data.columns '{object: COLUMN}'"
        )


def _together(row: Mapping[str, Any], roles: Mapping[str, str], folder: Path, where: str) -> Iterator[_Series]:
    """A row's frames, each with its two masks; no more than one of each is held."""
    series = [_pictures(row[roles[role]], folder, where) for role in _PICTURED]
    count = 0
    for found in itertools.zip_longest(*series):
        if None in found:
            lengths = [
                count + (one is not None) + sum(1 for _ in rest) for one, rest in zip(found, series, strict=True)
            ]
            told = ", ".join(f"{n} of {roles[role]}" for role, n in zip(_PICTURED, lengths, strict=True))
            raise DataNotFound(f"{where}: {told}; every frame needs both masks")
        yield dict(zip(_PICTURED, found, strict=True))
        count += 1
    if not count:
        raise DataNotFound(f"{where}: no frame in {roles['frame']}; fetch it again")


def _pictures(value: Any, folder: Path, where: str) -> Iterator[_Picture]:
    """One picture, a list of them, or the frames of a video; as bytes, or as the name of a file beside the metadata."""
    if isinstance(value, list):
        for one in value:
            yield from _pictures(one, folder, where)
        return
    data = value.get("bytes") if isinstance(value, dict) else value
    path = value.get("path") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        yield _Picture(_opened(io.BytesIO(data), where))
    elif isinstance(path, str) and path[:1] == "[":
        yield from _pictures(json.loads(path), folder, where)
    elif isinstance(path, str) and under(folder, path).is_file():
        file = under(folder, path)
        if file.suffix.lower() in _VIDEOS:
            for frame in VideoFile(file):
                yield _Picture(Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy()), of_video=True)
        else:
            yield _Picture(_opened(file, where))
    else:
        raise DataNotFound(f"{where}: expected a picture or the name of a file in {folder}, found {str(value)[:60]!r}")


def _opened(source: Any, where: str) -> Image.Image:
    try:
        image = Image.open(source)
        image.load()
        return image
    except UNREADABLE as error:
        raise BadMask(f"{where}: {why_unreadable(error)}; fetch the file again") from error


def _write(series: _Series, index: int, clip: Path, where: str) -> None:
    (clip / FRAMES).mkdir(parents=True, exist_ok=True)
    series["frame"].image.convert("RGB").save(clip / FRAMES / f"{index:05d}.png", compress_level=1)
    for role, folder in (("amodal", AMODAL), ("modal", MODAL)):
        mask = torch.from_numpy(_mask(series[role], f"{where}, frame {index}: the {role} mask"))
        write_binary_mask(mask, clip / folder / f"{index:05d}.png")


def _mask(picture: _Picture, where: str) -> np.ndarray:
    if picture.of_video:
        return mask_of_video(picture.image)
    if has_soft_edges(picture.image):
        raise BadMask(f"{where} is soft; masks hold two values")
    return object_mask(picture.image, where)
