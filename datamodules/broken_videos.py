"""What is missing of the videos of a dataset that was copied in part, all of it in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from robustvos.video.frames import IMAGE_SUFFIXES
from robustvos.video.layouts import resolve_folder
from robustvos.video.naming import list_files, list_folders, name_some


def describe_broken(root: Path, annotations: Path, listed: Sequence[str] | None = None) -> str | None:
    """One line on the videos that are not whole; None if fewer than two are not, or the folders themselves are missing.

    Args:
        root: Folder that holds ``JPEGImages``.
        annotations: Folder that holds ``Annotations``.
        listed: The videos; None: those of which there are frames.
    """
    if not (root / "JPEGImages").is_dir() or not (annotations / "Annotations").is_dir():
        return None
    frames_root, masks_root = resolve_folder(root, "JPEGImages"), resolve_folder(annotations, "Annotations")
    names = listed if listed is not None else [folder.name for folder in list_folders(frames_root)]
    broken = [(name, what) for name in names for what in _problem(frames_root / name, masks_root / name)]
    if len(broken) < 2:
        return None
    return (
        f"looked for frames in {frames_root} and annotations in {masks_root}, found {len(names) - len(broken)} whole videos, "
        f"and {len(broken)} of {len(names)} that are not: {name_some(f'{name} ({what})' for name, what in broken)}; "
        "the copy is incomplete: copy it again"
    )


def _problem(frames: Path, masks: Path) -> Iterator[str]:
    """What is wrong with a video, if anything is."""
    shown = {path.stem for path in list_files(frames, IMAGE_SUFFIXES)} if frames.is_dir() else set()
    annotated = {path.stem for path in list_files(masks, (".png",))} if masks.is_dir() else set()
    strays = len(annotated - shown)
    if not shown:
        yield "no frames"
    elif not annotated:
        yield "no annotations"
    elif strays:
        yield f"{strays} of {len(annotated)} annotations without a frame"
