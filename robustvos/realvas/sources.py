"""The videos of a run: ``sources.jsonl`` in its folder. Videos may be added at any time; none is ever taken away."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from robustvos.errors import BadVideo, DataNotFound
from robustvos.files.manifest import Manifest
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.video.frames import IMAGE_SUFFIXES

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".gif", ".mpg", ".ts")
SOURCES = "sources.jsonl"
Role = Literal["any", "occludee", "occluder"]


@dataclass(frozen=True)
class Source:
    """A video that clips are made of.

    Attributes:
        key: Names its results; from the file's name.
        path: Video file or folder of frames.
        digest: Of the content.
        camera: Videos of one camera in one place may be paired; by default each is alone.
        role: What its objects may become.
    """

    key: str
    path: str
    digest: str
    camera: str
    role: Role = "any"


def read_sources(root: str | os.PathLike[str]) -> dict[str, Source]:
    """The videos of the run in ``root`` by key; none if there is no such run."""
    return {key: Source(**line) for key, line in Manifest(Path(root) / SOURCES).read().items()}


def add_sources(
    root: str | os.PathLike[str],
    videos: Iterable[Path],
    *,
    cameras: Mapping[Path, str] | None = None,
    roles: Mapping[Path, Role] | None = None,
) -> list[Source]:
    """Add videos to a run; those that are in it already stay as they are, and one that was changed since counts as it is now.

    Args:
        root: Folder of the run.
        videos: Files, folders of frames, or folders of such.
        cameras: Identity of the camera of some of them; of a folder: of all videos in it.
        roles: Role of some of them; likewise.

    Returns:
        What was given, in order.

    Raises:
        DataNotFound: If one does not exist or holds no video.
    """
    manifest, known, added = Manifest(Path(root) / SOURCES), read_sources(root), []
    given = ((Path(video), single) for video in videos for single in _single_videos(Path(video)))
    for video, path in given:
        digest = content_digest(path)
        # Known by its content, wherever it is; else by its place: what was made of the former content is made again.
        same = [source for source in known.values() if source.digest == digest] or [
            source for source in known.values() if source.path == os.path.abspath(path)
        ]
        key = same[0].key if same else _free_key(path, digest, known)
        camera = (cameras or {}).get(path, (cameras or {}).get(video))
        role = (roles or {}).get(path, (roles or {}).get(video))
        before = same[0] if same else None
        source = Source(
            key,
            os.path.abspath(path),
            digest,
            camera or (before.camera if before else key),
            role or (before.role if before else "any"),
        )
        manifest.add(asdict(source))
        known[key] = source
        added.append(source)
    manifest.settle()
    return added


def content_digest(path: Path) -> str:
    """Of a file, or of the images of a folder and their names."""
    digest = hashlib.blake2b(digest_size=12)
    for file in list_files(path, IMAGE_SUFFIXES) if path.is_dir() else [path]:
        digest.update(file.name.encode() if path.is_dir() else b"")
        with file.open("rb") as stream:
            while block := stream.read(2**22):
                digest.update(block)
    return digest.hexdigest()


def safe_key(name: str) -> str:
    """A name as part of file names: letters and digits of any script, ``-``, ``_``; no dot, which separates parts of keys.

    At most 60 bytes, since keys are made of several and file systems count bytes.

    >>> safe_key("Straße 5 (neu).final")
    'Straße_5_neu_final'
    """
    name = re.sub(r"[^\w-]+", "_", name).strip("_")
    return name.encode()[:60].decode(errors="ignore").strip("_") or "video"


def _free_key(path: Path, digest: str, known: Mapping[str, Source]) -> str:
    key = safe_key(path.name if path.is_dir() else path.stem)
    return key if key not in known else f"{key}-{digest[:8]}"


def _single_videos(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise DataNotFound(f"video {path} does not exist; check the path")
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            raise BadVideo(f"{path} is a single image; give its folder, or a video file")
        yield path
        return
    if list_files(path, IMAGE_SUFFIXES):
        yield path
        return
    inside = [*list_files(path, VIDEO_SUFFIXES), *(f for f in list_folders(path) if list_files(f, IMAGE_SUFFIXES))]
    if not inside:
        seen = name_some(sorted(entry.name for entry in path.iterdir())) or "nothing"
        raise DataNotFound(f"{path} holds neither videos nor folders of frames, but {seen}; give video files")
    yield from inside
