"""Write a file under a temporary name and rename it, so that a killed run leaves nothing half-written."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robustvos.errors import UserError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; rename it to ``path`` if the block ends well.

    The temporary file starts with a dot and ends in ``.tmp``, so that no reader takes it for data. It is deleted when
    the block fails. Missing parent folders are made.

    Args:
        path: Where the finished file shall be; replaced if it exists.

    Yields:
        The path to write to. It does not exist yet.

    Raises:
        UserError: If the system refuses: read-only folder, full disk, a file where a folder is needed.
    """
    target = Path(path)
    # A short random name: the target's own name may already use up the 255 bytes that file systems allow.
    temporary = target.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {target}: {reason}; free space there or choose another folder") from error
    finally:
        _discard(temporary)


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` in one step; see :func:`atomic_path` for what it raises."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``path`` in one step; newlines stay as they are."""
    atomic_write_bytes(path, text.encode("utf-8"))


def atomic_write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON to ``path`` in one step.

    Raises:
        ValueError: If ``value`` holds NaN or infinity, which JSON has no word for; use None.
        UserError: See :func:`atomic_path`.
    """
    atomic_write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # The folder has become unreachable: the error that matters is already on its way.
        return
