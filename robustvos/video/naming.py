"""The order of file names as a person would sort them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``frame2`` comes before ``frame10``.

    >>> sorted(["10.jpg", "9.jpg", "0010.jpg", "a.jpg"], key=natural_key)
    ['9.jpg', '0010.jpg', '10.jpg', 'a.jpg']
    """
    parts = re.split(r"(\d+)", name)
    numbers = tuple((0, int(part), "") if i % 2 else (1, 0, part) for i, part in enumerate(parts) if part)
    # The name itself breaks ties between 010 and 10, which compare equal as numbers.
    return (*numbers, (2, 0, name))


def list_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Visible files of ``folder`` with one of ``suffixes`` (lower case, with dot), in natural order."""
    wanted = frozenset(suffixes)
    files = (path for path in folder.iterdir() if path.suffix.lower() in wanted and not path.name.startswith("."))
    return sorted(files, key=lambda path: natural_key(path.name))


def list_folders(folder: Path) -> list[Path]:
    """Visible folders inside ``folder``, in natural order."""
    folders = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(folders, key=lambda path: natural_key(path.name))


def name_some(names: Iterable[str], limit: int = 5) -> str:
    """The first few names for an error message, and how many more there are.

    >>> name_some(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    listed = list(names)
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")
