"""Find the videos of a dataset laid out as DAVIS is; YouTube-VOS, MOSE and most others follow it.

``<root>/JPEGImages[/480p]/<video>/*.jpg`` and ``<root>/Annotations[/480p]/<video>/*.png``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from robustvos.errors import DataNotFound
from robustvos.video.frames import IMAGE_SUFFIXES, FrameFolder
from robustvos.video.naming import list_files, list_folders, name_some

RESOLUTIONS = ("480p", "Full-Resolution", "1080p")


@dataclass(frozen=True)
class SequenceRecord:
    """Where one video's files are; nothing is decoded.

    Attributes:
        name: Folder name of the video.
        frame_paths: One image per frame, in order.
        annotation_paths: As long as ``frame_paths``; None where a frame has no annotation.
        corruption: Name of the corruption that the frames on disk carry; ``"clean"`` if none.
        parts: The clips that it was joined of, in order (:mod:`robustvos.video.joining`); none if it is one on disk.
    """

    name: str
    frame_paths: tuple[Path, ...]
    annotation_paths: tuple[Path | None, ...]
    corruption: str = "clean"
    parts: tuple[SequenceRecord, ...] = ()

    @property
    def frame_names(self) -> tuple[str, ...]:
        """File stems of the frames; after the part's place and an underscore, 1 first, if there are parts."""
        stems = [path.stem for path in self.frame_paths]
        places = [place for place, part in enumerate(self.parts, 1) for _ in part.frame_paths]
        return (
            tuple(f"{place:02d}_{stem}" for place, stem in zip(places, stems, strict=True)) if places else tuple(stems)
        )

    def open_frames(self) -> FrameFolder:
        """The frames as a lazy sequence."""
        return FrameFolder(self.frame_paths[0].parent, files=self.frame_paths)


def find_sequences(
    root: str | os.PathLike[str],
    *,
    image_set: str | os.PathLike[str] | None = None,
    annotations: str | os.PathLike[str] | None = None,
) -> tuple[SequenceRecord, ...]:
    """Every video under ``root``, in natural order.

    Args:
        root: Folder that holds ``JPEGImages`` and ``Annotations``; each may have a ``480p`` folder in between.
        image_set: Text file with one video name per line, or one frame as DAVIS 2016 has them, that limits which videos
            are looked for and orders them. Absolute, or relative to ``root/ImageSets`` or ``root``, e.g. ``2017/val.txt``.
        annotations: Folder that holds ``Annotations``; None: ``root``. Copies with other frames may share them.

    Raises:
        DataNotFound: If a folder, a listed video, its frames or its annotations are missing, or annotations have no
            frames. The text says what was looked for, what was found, and what to do; of all videos that are not whole.
    """
    base = Path(root)
    frames_root = resolve_folder(base, "JPEGImages")
    truth = base if annotations is None else Path(annotations)
    masks_root = resolve_folder(truth, "Annotations")
    names = _read_image_set(base, image_set) if image_set else [folder.name for folder in list_folders(frames_root)]
    if not names:
        raise DataNotFound(f"{frames_root} holds no video folder; {_ADVICE}")
    missing = [name for name in names if not (frames_root / name).is_dir()]
    found = [_record(name, frames_root, masks_root) for name in names]
    broken = {name: video for name, video in zip(names, found, strict=True) if isinstance(video, _Broken)}
    if broken and len(missing) == len(broken):
        raise DataNotFound(
            f"looked for {len(names)} video folders in {frames_root}, {len(missing)} are missing: "
            f"{name_some(missing)}; {_ADVICE}"
        )
    if len(broken) > 1:
        raise DataNotFound(
            f"looked for frames in {frames_root} and annotations in {masks_root}, found {len(names) - len(broken)} of "
            f"{len(names)} videos whole, and {len(broken)} that are not: "
            f"{name_some(f'{name} ({video.what})' for name, video in broken.items())}; the copy is incomplete: copy it again"
        )
    for video in broken.values():
        raise DataNotFound(video.message)
    return tuple(video for video in found if isinstance(video, SequenceRecord))


def resolve_folder(root: Path, kind: str) -> Path:
    """The folder of videos inside ``root/kind``: a resolution's folder such as ``480p`` is stepped into.

    Raises:
        DataNotFound: If ``root`` or ``root/kind`` does not exist.
    """
    folder = root / kind
    if not folder.is_dir():
        seen = name_some(sorted(entry.name for entry in root.iterdir())) if root.is_dir() else None
        found = "the root does not exist" if seen is None else f"the root holds {seen or 'nothing'}"
        raise DataNotFound(f"looked for {folder}, but {found}; {_ADVICE}")
    return next((folder / name for name in RESOLUTIONS if (folder / name).is_dir()), folder)


_ADVICE = "give the folder that holds JPEGImages and Annotations, or copy the dataset again"


def _read_image_set(root: Path, image_set: str | os.PathLike[str]) -> list[str]:
    candidates = (root / "ImageSets" / image_set, root / image_set)
    for path in candidates:
        if path.is_file():
            lines = [line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
            if lines:
                return _videos_of_frames(lines) or lines
            raise DataNotFound(f"{path} names no video; expected one name per line")
    looked = " and ".join(str(path) for path in dict.fromkeys(candidates))
    raise DataNotFound(f"image set not found: looked for {looked}; give a text file with one video name per line")


def _videos_of_frames(lines: Sequence[str]) -> list[str]:
    """Videos, in order, of a list of frames and their masks; none if it is no such list.

    >>> _videos_of_frames(["/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png"])
    ['bear']
    >>> _videos_of_frames(["bear", "black swan"])
    []
    """
    frames = [PurePosixPath(line.split()[0].lstrip("/")) for line in lines]
    are_frames = all(path.parts[:1] == ("JPEGImages",) and path.suffix.lower() in IMAGE_SUFFIXES for path in frames)
    return list(dict.fromkeys(path.parent.name for path in frames)) if are_frames else []


@dataclass(frozen=True)
class _Broken:
    """A video that is not whole: what is wrong in a few words, among others; and alone, with what to do."""

    what: str
    message: str


def _record(name: str, frames_root: Path, masks_root: Path) -> SequenceRecord | _Broken:
    frames = list_files(frames_root / name, IMAGE_SUFFIXES) if (frames_root / name).is_dir() else []
    if not frames:
        return _Broken("no frames", f"looked for frames in {frames_root / name}, found none; {_ADVICE}")
    folder = masks_root / name
    masks = {path.stem: path for path in list_files(folder, (".png",))} if folder.is_dir() else {}
    if not masks:
        return _Broken("no annotations", f"looked for annotations (.png) in {folder}, found none; {_ADVICE}")
    strays = sorted(set(masks) - {frame.stem for frame in frames})
    if strays:
        return _Broken(
            f"{len(strays)} of {len(masks)} annotations without a frame",
            f"{folder} annotates {len(masks)} frames, {len(strays)} of which are not among the {len(frames)} "
            f"in {frames_root / name}: {name_some(strays)}; the copy is incomplete: copy the frames again",
        )
    return SequenceRecord(name, tuple(frames), tuple(masks.get(frame.stem) for frame in frames))
