"""The files of a folder of frames, which is one sequence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from robustvos.errors import BadVideo
from robustvos.files.naming import list_files, name_some
from robustvos.video.pictures import IMAGE_SUFFIXES

# What file managers and browsers add to the name of a copy, and people to that of a mask.
_ADDED = re.compile(r"(.+?)(?: ?\(\d+\)| - (?:copy|kopie)(?: \(\d+\))?|[ _]copy(?: ?\d+)?|[ _.-](?:mask|seg|gt))", re.I)


def list_frames(folder: Path) -> list[Path]:
    """The frames of ``folder`` in natural order; hidden and system files are passed over.

    Raises:
        BadVideo: If two files are of one frame: copies, or masks among the frames.
    """
    files = list_files(folder, IMAGE_SUFFIXES)
    check_one_sequence(folder, files)
    return files


def check_one_sequence(folder: Path, files: Iterable[Path]) -> None:
    """Refuse ``00000.jpg`` beside ``00000.png``, ``00000_mask.jpg``, ``00000 (1).jpg`` or ``00000 copy.jpg``.

    Raises:
        BadVideo: Naming them.
    """
    by_stem: dict[str, Path] = {}
    twice = []
    for path in files:
        if path.stem in by_stem:
            twice.append(f"{by_stem[path.stem].name} and {path.name}")
        by_stem.setdefault(path.stem, path)
    for stem, path in by_stem.items():
        added = _ADDED.fullmatch(stem)
        if added is not None and added[1] in by_stem:
            twice.append(f"{by_stem[added[1]].name} and {path.name}")
    if twice:
        raise BadVideo(
            f"{folder} holds two files of one frame: {name_some(twice, 3)}; a folder of frames is one sequence: move copies "
            "and masks to other folders"
        )
