"""Fill a folder under a temporary name and rename it, so that a folder that is there is whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from robustvos.errors import UserError

_OURS = re.compile(r"\.[0-9a-f]+\.tmp$")  # others may have hidden temporary files of their own


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a new, empty folder next to ``path``; rename it to ``path`` if the block ends well.

    If somebody else has made ``path`` in the meantime, theirs stays and the new folder is dropped: of two processes
    that make the same thing at once, the first wins and neither fails, even if the first has removed what the second had
    begun (:func:`remove_leftovers`). The temporary folder starts with a dot and ends in ``.tmp``; it is deleted when the
    block fails.

    Args:
        path: Where the finished folder shall be.

    Yields:
        The folder to fill.

    Raises:
        UserError: If the system refuses: read-only folder, full disk.
    """
    target = Path(path)
    temporary = target.parent / f"{_prefix(target)}.{uuid.uuid4().hex}.tmp"
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(target)
    except OSError as error:
        if target.is_dir():  # somebody else's
            return
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {target}: {reason}; free space there or choose another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def discard_folder(path: str | os.PathLike[str]) -> None:
    """Delete a folder so that nobody sees it half-deleted; nothing happens if it does not exist.

    Raises:
        UserError: If the system refuses.
    """
    folder = Path(path)
    if not folder.exists():
        return
    temporary = folder.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        folder.rename(temporary)
    except FileNotFoundError:  # another process was faster
        return
    except OSError as error:
        raise UserError(f"cannot remove {folder}: {error.strerror}; delete it by hand") from error
    shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(parent: str | os.PathLike[str], of: Collection[str] | None = None) -> None:
    """Delete what killed processes left half-written in ``parent``.

    Args:
        parent: Folder; nothing happens if it does not exist.
        of: Names of folders in ``parent``: only what was to become one of them. None: everything, files too; not for use
            while others are writing there.
    """
    folder = Path(parent)
    prefixes = None if of is None else {_prefix(folder / name) for name in of}
    for leftover in folder.glob(".*.tmp") if folder.is_dir() else ():
        if not _OURS.search(leftover.name):
            continue
        if prefixes is not None and leftover.name.rsplit(".", 2)[0] not in prefixes:
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def remove_leftovers_below(folder: Path) -> None:
    """The same at any depth; only for a folder that nobody else writes to now."""
    for parent in {leftover.parent for leftover in folder.rglob(".*.tmp")}:
        remove_leftovers(parent)


def _prefix(target: Path) -> str:
    """Of the names under which ``target`` is made: short, because its own may use up what file systems allow."""
    return f".{hashlib.blake2b(target.name.encode(), digest_size=8).hexdigest()}"
