"""The order of file names as a person would sort them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from robustvos.errors import DataNotFound


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``frame2`` comes before ``frame10``.

    >>> sorted(["10.jpg", "9.jpg", "0010.jpg", "a.jpg"], key=natural_key)
    ['9.jpg', '0010.jpg', '10.jpg', 'a.jpg']
    """
    parts = re.split(r"(\d+)", name)
    numbers = tuple((0, int(part), "") if i % 2 else (1, 0, part) for i, part in enumerate(parts) if part)
    # The name itself breaks ties between 010 and 10, which compare equal as numbers.
    return (*numbers, (2, 0, name))


_SYSTEM = frozenset(
    (
        *("@eadir", "@recycle", "#recycle", "#snapshot", "__macosx", "$recycle.bin", "system volume information"),
        *("lost+found", "thumbs.db", "desktop.ini"),
    )
)


def is_visible(name: str) -> bool:
    """Whether a file or folder is a person's own: neither hidden, nor put there by a system (thumbnails, waste bins).

    >>> [is_visible(name) for name in ("00000.jpg", "._00000.jpg", "@eaDir", "Thumbs.db")]
    [True, False, False, False]
    """
    return not name.startswith(".") and name.lower() not in _SYSTEM


def list_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Visible files of ``folder`` with one of ``suffixes`` (lower case, with dot), in natural order.

    Raises:
        DataNotFound: See :func:`check_name`.
    """
    wanted = frozenset(suffixes)
    return _in_order(path for path in folder.iterdir() if path.suffix.lower() in wanted)


def list_folders(folder: Path) -> list[Path]:
    """Visible folders inside ``folder``, in natural order.

    Raises:
        DataNotFound: See :func:`check_name`.
    """
    return _in_order(path for path in folder.iterdir() if path.is_dir())


def _in_order(paths: Iterable[Path]) -> list[Path]:
    visible = [path for path in paths if is_visible(path.name)]
    for path in visible:
        check_name(path)
    return sorted(visible, key=lambda path: natural_key(path.name))


def check_name(path: Path) -> None:
    """Refuse a name that no text can hold: its bytes are not UTF-8, as old archives and disks leave them.

    Raises:
        DataNotFound: Showing the bytes.
    """
    if printable(path.name) != path.name:
        raise DataNotFound(f"the name {printable(str(path))} is not UTF-8; rename it")


def printable(text: str) -> str:
    r"""The text with what is not UTF-8 in it as escapes.

    >>> printable("caf\udce9.mp4")
    'caf\\udce9.mp4'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def count_of(count: int, thing: str) -> str:
    """A number with what it counts.

    >>> count_of(1, "clip"), count_of(2, "clip"), count_of(0, "clip")
    ('1 clip', '2 clips', '0 clips')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def name_some(names: Iterable[str], limit: int = 5) -> str:
    """The first few names for an error message, and how many more there are.

    >>> name_some(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    listed = list(names)
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")
