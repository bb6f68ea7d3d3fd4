"""The prompt files of a run: ``prompt_files.jsonl`` in its folder. Files may be added at any time; none is ever taken away."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from robustvos.errors import BadPrompt
from robustvos.files.manifest import Manifest
from robustvos.program import program
from robustvos.video.prompt_file import read_prompt_lines

PROMPT_FILES = "prompt_files.jsonl"


def read_prompt_files(root: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The prompt files of the run in ``root``; none if there is no such run."""
    return tuple(Path(key) for key in sorted(Manifest(Path(root) / PROMPT_FILES).read()))


def add_prompt_files(root: str | os.PathLike[str], files: Iterable[Path]) -> None:
    """Add prompt files to a run; one that was changed since counts as it is now.

    Raises:
        BadPrompt: If a file does not exist, or is broken; then none is added.
    """
    chosen = list(files)
    for path in chosen:
        if not path.is_file():
            raise BadPrompt(f"prompt file {path} does not exist; `{program()} annotate VIDEO` writes one")
        read_prompt_lines(path)  # a broken file is not taken in
    if not chosen:
        return
    manifest = Manifest(Path(root) / PROMPT_FILES)
    for path in chosen:
        manifest.add({"key": os.path.abspath(path)})
    manifest.settle()
