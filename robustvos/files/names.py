"""Names that files give: of videos, frames, corruptions. Each becomes part of a path, and is checked where it is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from robustvos.errors import UnsafePath

_LONGEST = 255  # bytes of a name, on every file system in use
_DRIVE = re.compile(r"[A-Za-z]:")


def check_name(name: object, where: str) -> str:
    """A name from a file, if it can be the name of one file or folder, on any system.

    Args:
        name: As read.
        where: What it was read from, for the message: ``val.txt, line 3``.

    Returns:
        The name, unchanged.

    Raises:
        UnsafePath: If it is no text, empty, ``.`` or ``..``, hidden (a leading dot), longer than 255 bytes; holds a slash, a
            backslash, a control character or what is not Unicode; begins like a drive (``C:``); or ends in a dot or a space,
            which Windows drops, so that two names would be one.

    >>> check_name("bear", "val.txt, line 1")
    'bear'
    """
    if not isinstance(name, str):
        raise UnsafePath(f"{where}: {name!r} is no name; give a text")
    reason = _fault(name)
    if reason is not None:
        raise UnsafePath(f"{where}: {_shown(name)} {reason}; expected the name of a folder or file alone, such as bear")
    return name


def check_relative(path: object, where: str) -> str:
    """A name of one or several parts, ``weather/video``; each part passes :func:`check_name`.

    Returns:
        The parts, joined by single slashes; a trailing slash is dropped.

    Raises:
        UnsafePath: As :func:`check_name`; also if the path is absolute.

    >>> check_relative("fog/GOPR0476/", "prompts.json")
    'fog/GOPR0476'
    """
    if not isinstance(path, str):
        raise UnsafePath(f"{where}: {path!r} is no name; give a text")
    if path.startswith("/"):
        raise UnsafePath(f"{where}: {_shown(path)} is an absolute path; expected a name, such as bear")
    parts = path.rstrip("/").split("/")
    for part in parts:
        reason = _fault(part)
        if reason is not None:
            what = "" if len(parts) == 1 else f"{_shown(part)} in "
            raise UnsafePath(f"{where}: {what}{_shown(path)} {reason}; expected a name, such as bear")
    return "/".join(parts)


def check_listed(names: Sequence[str], where: str) -> None:
    """Check names of folders that were found on disk, before results are written under the same names.

    Raises:
        UnsafePath: If one holds a backslash, a control character or bytes that are not UTF-8; or two differ by case or by the
            form of their accents alone, so that on macOS or Windows what is written for one would replace the other's.
    """
    for name in names:
        reason = _unreadable(name)
        if reason is not None:
            raise UnsafePath(f"{where}: {_shown(name)} {reason}; rename it")
    check_distinct(names, where)


def check_distinct(names: Iterable[str], where: str) -> None:
    """Refuse names that are one and the same where case, or the form of accents, does not count.

    Raises:
        UnsafePath: Naming both.
    """
    seen: dict[str, str] = {}
    for name in names:
        former = seen.setdefault(nfc(name).casefold(), name)
        if former != name:
            how = "the form of their accents (NFC and NFD)" if nfc(former) == nfc(name) else "upper and lower case"
            raise UnsafePath(
                f"{where}: {_shown(former)} and {_shown(name)} differ by {how} alone; what is written for one would replace "
                "the other's on macOS and Windows: rename one"
            )


def nfc(name: str) -> str:
    r"""A name with composed accents, as most systems write it; macOS decomposes them (NFD).

    >>> nfc("ba\u0308r") == "b\u00e4r"
    True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def names_on_disk(names: Sequence[str], folder: Path) -> list[str]:
    """The names as the entries of ``folder`` are spelt, whose accents may be composed otherwise; others stay as they are."""
    found = list(names)
    spelt: dict[str, str] | None = None
    for index, name in enumerate(names):
        if name.isascii() or (folder / name).exists():
            continue
        if spelt is None:
            spelt = {nfc(entry.name): entry.name for entry in folder.iterdir()} if folder.is_dir() else {}
        found[index] = spelt.get(nfc(name), name)
    return found


def _fault(name: str) -> str | None:
    if not name:
        return "is empty"
    if name in (".", ".."):
        return "is a path to another folder"
    if name.startswith("/"):
        return "is an absolute path"
    if "/" in name:
        return "is a path"
    if _DRIVE.match(name):
        return "begins with the name of a drive"
    if name.startswith("."):
        return "begins with a dot: hidden files are passed over"
    if name[-1] in ". ":
        return "ends in a dot or a space, which Windows drops"
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    return _unreadable(name)


def _unreadable(name: str) -> str | None:
    if "\\" in name:
        return "holds a backslash, which separates folders on Windows"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "holds a control character"
    if any(unicodedata.category(character) == "Cs" for character in name):
        return "is not UTF-8"
    return None


def _shown(name: str) -> str:
    """A name for a message: control characters escaped, not too long."""
    text = name if len(name) <= 80 else f"{name[:60]}...{name[-15:]}"
    return ascii(text) if _unreadable(text) else f"'{text}'"
