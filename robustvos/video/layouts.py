"""Find the videos of a dataset laid out as DAVIS is; YouTube-VOS, MOSE and most others follow it.

``<root>/JPEGImages[/480p]/<video>/*.jpg`` and ``<root>/Annotations[/480p]/<video>/*.png``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    annotated: bool = True,
    annotations: str | os.PathLike[str] | None = None,
) -> tuple[SequenceRecord, ...]:
    """Every video under ``root``, in natural order.

    Args:
        root: Folder that holds ``JPEGImages`` and ``Annotations``; each may have a ``480p`` folder in between.
        image_set: Text file with one video name per line, that limits which videos are looked for and orders them.
            Absolute, or relative to ``root/ImageSets`` or ``root``, e.g. ``2017/val.txt``.
        annotated: Whether each video needs at least one annotated frame.
        annotations: Folder that holds ``Annotations``; None: ``root``. Copies with other frames may share them.

    Raises:
        DataNotFound: If a folder, a listed video, its frames or its annotations are missing, or annotations have no
            frames. The text says what was looked for, what was found, and what to do.
    """
    base = Path(root)
    frames_root = resolve_folder(base, "JPEGImages")
    truth = base if annotations is None else Path(annotations)
    has_annotations = annotated or (truth / "Annotations").is_dir()
    masks_root = resolve_folder(truth, "Annotations") if has_annotations else None
    names = _read_image_set(base, image_set) if image_set else [folder.name for folder in list_folders(frames_root)]
    if not names:
        raise DataNotFound(f"{frames_root} holds no video folder; {_ADVICE}")
    missing = [name for name in names if not (frames_root / name).is_dir()]
    if missing:
        raise DataNotFound(
            f"looked for {len(names)} video folders in {frames_root}, {len(missing)} are missing: "
            f"{name_some(missing)}; {_ADVICE}"
        )
    return tuple(_record(name, frames_root, masks_root, annotated=annotated) for name in names)


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
            lines = path.read_text(encoding="utf-8").split("\n")
            names = [line.strip() for line in lines if line.strip()]
            if names:
                return names
            raise DataNotFound(f"{path} names no video; expected one name per line")
    looked = " and ".join(str(path) for path in dict.fromkeys(candidates))
    raise DataNotFound(f"image set not found: looked for {looked}; give a text file with one video name per line")


def _record(name: str, frames_root: Path, masks_root: Path | None, *, annotated: bool) -> SequenceRecord:
    frames = list_files(frames_root / name, IMAGE_SUFFIXES)
    if not frames:
        raise DataNotFound(f"looked for frames in {frames_root / name}, found none; {_ADVICE}")
    masks = _annotations(masks_root / name, frames_root / name, frames) if masks_root else {}
    if annotated and not masks:
        raise DataNotFound(f"looked for annotations (.png) in {masks_root}/{name}, found none; {_ADVICE}")
    return SequenceRecord(name, tuple(frames), tuple(masks.get(frame.stem) for frame in frames))


def _annotations(folder: Path, frames_folder: Path, frames: Sequence[Path]) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    masks = {path.stem: path for path in list_files(folder, (".png",))}
    strays = [stem for stem in masks if stem not in {frame.stem for frame in frames}]
    if strays:
        raise DataNotFound(
            f"{folder} annotates {len(masks)} frames, {len(strays)} of which are not among the {len(frames)} in "
            f"{frames_folder}: {name_some(strays)}; the copy is incomplete: copy the frames again"
        )
    return masks
