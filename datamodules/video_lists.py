"""Lists of videos: one name a line, or one frame a line, as DAVIS 2016 has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from robustvos.video.frames import IMAGE_SUFFIXES


def find_list(root: Path, image_set: str) -> Path | None:
    """The file that ``image_set`` names: absolute, or in ``root/ImageSets`` or ``root``; None if there is none."""
    candidates = (root / "ImageSets" / image_set, root / image_set)
    return next((path for path in candidates if path.is_file()), None)


def read_lines(path: Path) -> list[str]:
    """Its lines without white space around them; empty ones are left out."""
    return [line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def videos_of_frames(lines: Sequence[str]) -> tuple[str, ...] | None:
    """Videos, in order, of a list of frames; None if it is none.

    >>> videos_of_frames(["/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png"])
    ('bear',)
    >>> videos_of_frames(["bear", "black swan"])
    """
    frames = [PurePosixPath(line.split()[0].lstrip("/")) for line in lines]
    if not all(path.parts[0] == "JPEGImages" and path.suffix.lower() in IMAGE_SUFFIXES for path in frames):
        return None
    return tuple(dict.fromkeys(path.parent.name for path in frames))
