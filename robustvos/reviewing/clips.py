"""The clips of a run that are reviewed and published: those of ``composite`` and of ``contain``."""

from __future__ import annotations

import os
from pathlib import Path

from robustvos.errors import DataNotFound
from robustvos.files.stage import Result, open_results
from robustvos.program import program

STAGES = ("composite", "contain")


def clips_of(root: str | os.PathLike[str]) -> tuple[Result, ...]:
    """Every clip that was made, in the order of their keys.

    Raises:
        DataNotFound: If there is none.
    """
    found: list[Result] = []
    for stage in STAGES:
        try:
            found += [clip for clip in open_results(Path(root), stage, complete=False).kept if clip.folder.is_dir()]
        except DataNotFound:
            continue
    if not found:
        raise DataNotFound(f"{root} holds no clips; make some first: {program()} realvas run VIDEOS... --out {root}")
    return tuple(sorted(found, key=lambda clip: clip.key))


def needs_review(clip: Result) -> bool:
    """Whether it may be published only after somebody passed it."""
    return bool(clip.figures.get("needs_review"))
