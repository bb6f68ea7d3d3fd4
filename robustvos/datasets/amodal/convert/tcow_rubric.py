"""TCOW Rubric (tcow.cs.columbia.edu): real videos of things that go behind others and into containers.

``<group>/<video>.mp4`` with ``<video>_<frame>_query.png`` and ``<video>_<frame>_snitch.png`` beside it, or a folder of frames
that holds such masks (its frames are counted from 0 in their order); the number may also stand behind the word. Nobody has
drawn what is hidden: masks are of frames in which the object is seen. The clip begins at the query, and only frames after it
that have a snitch mask are scored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from robustvos.datasets.amodal.convert.clip import ForeignClip, mask_of
from robustvos.errors import DataNotFound
from robustvos.files.naming import list_files
from robustvos.video.pictures import IMAGE_SUFFIXES
from robustvos.video.video_file import VideoFile

_MASK = re.compile(r"(?:(?P<video>.+)_)?(?:(?P<frame>\d+)_(?P<kind>query|snitch|occl|cont|contoccl)"
                   r"|(?P<kind2>query|snitch|occl|cont|contoccl)_(?P<frame2>\d+))")  # fmt: skip
_GROUPS = {"dmpt_cgt": "cup_games", "davis_2017": "davis_ytvos", "ytvos_2019": "davis_ytvos"}
_OFFICE = "office"


def clips(src: Path) -> Iterator[ForeignClip]:
    """Every video with a query. Raises DataNotFound if there is none."""
    found: dict[tuple[Path, str], dict[str, dict[int, Path]]] = {}
    for file in sorted(src.rglob("*.png")):
        match = _MASK.fullmatch(file.stem)
        if match:
            kind, frame = match["kind"] or match["kind2"], int(match["frame"] or match["frame2"])
            found.setdefault((file.parent, match["video"] or ""), {}).setdefault(kind, {})[frame] = file
    queried = {key: masks for key, masks in found.items() if masks.get("query")}
    if not queried:
        raise DataNotFound(f"looked for <video>_<frame>_query.png in {src}, found none; give the folder rubric/")
    for (folder, video), masks in sorted(queried.items()):
        yield _clip(src, folder, video, masks)


def _clip(src: Path, folder: Path, video: str, masks: dict[str, dict[int, Path]]) -> ForeignClip:
    frames, name = _frames(folder, video)
    start = min(masks["query"])
    whole = {frame: file for frame, file in masks.get("snitch", {}).items() if frame > start}
    size = frames.size if isinstance(frames, VideoFile) else _size(frames[0])
    group = name if isinstance(frames, VideoFile) else folder.name
    place = folder if isinstance(frames, VideoFile) else folder.parent
    category = _GROUPS.get(place.name, _OFFICE)
    queried = {start: masks["query"][start], **whole}
    later = [str(frame) for frame in (start, *whole) if frame >= len(frames)]
    if later:
        raise DataNotFound(
            f"{folder / name} has {len(frames)} frames, but masks of frame {', '.join(later)}; copy it again"
        )
    return ForeignClip(
        f"{place.name}_{group}",
        frames,
        lambda t: _resized(mask_of(queried[t]), size) if t in queried else None,
        lambda t: _resized(mask_of(whole[t]), size) if t in whole else None,
        category=category,
        details={"source": "TCOW Rubric", "video": str((folder / name).relative_to(src))},
    )


def _frames(folder: Path, video: str) -> tuple[Sequence[Path] | VideoFile, str]:
    files = sorted(folder.glob(f"{video}.*")) if video else []
    for file in files:
        if file.suffix.lower() in (".mp4", ".mov", ".webm", ".avi", ".mkv"):
            return VideoFile(file), file.stem
    frames = [file for file in list_files(folder, IMAGE_SUFFIXES) if not _MASK.fullmatch(file.stem)]
    if not frames:
        raise DataNotFound(
            f"{folder} holds masks of {video or 'frames'}, but neither {video}.mp4 nor frames; copy it again"
        )
    return frames, folder.name


def _size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.height, image.width


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Masks were drawn on frames of other sizes too."""
    if mask.shape == size:
        return mask
    picture = Image.fromarray(mask.astype(np.uint8) * 255).resize(size[::-1], Image.Resampling.NEAREST)
    return np.asarray(picture) > 127
