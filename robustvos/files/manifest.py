"""Manifests: JSON lines, one an item, that any number of processes may add to and any of which may be killed.

A line is added under a lock and is whole or not there: a line without its end, left by a killed process, is passed over by
readers and removed by the next writer. Of several lines with one key the last counts. :meth:`Manifest.settle` puts the lines
in the order of their keys, so that the file's bytes depend on what was done and not on who did it, or when.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from robustvos.errors import DataNotFound, UserError
from robustvos.files.atomic import atomic_write_bytes

Line = dict[str, Any]
"""What one item left: ``key`` (text, unique), and whatever else its writer put there; JSON values alone."""


class Manifest:
    """A file of JSON lines with a key each.

    Args:
        path: The file; it need not exist. ``.<name>.lock`` beside it holds the lock.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def read(self) -> dict[str, Line]:
        """The last line of each key, in the order of first appearance; empty if there is no file.

        Raises:
            DataNotFound: If a whole line is not a JSON object with a ``key``.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        lines: dict[str, Line] = {}
        for number, text in enumerate(_whole_lines(content), 1):
            line = self._parse(text, number)
            lines[line["key"]] = line
        return lines

    def add(self, line: Line) -> bool:
        """Append a line, unless the last one of its key is equal.

        Returns:
            Whether it was written.

        Raises:
            ValueError: If the line has no key, or holds what JSON cannot say (NaN, infinity).
            UserError: If the file cannot be written.
        """
        text = encode_line(line)
        with self._writing():
            there = self.read().get(line["key"])
            if there is not None and encode_line(there) == text:
                return False
            with self.path.open("ab") as file:
                file.truncate(_end_of_last_line(self.path))  # what a killed writer has left of a line
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        return True

    def settle(self, keep: Callable[[Line], bool] = lambda line: True) -> None:
        """Rewrite the file with one line a key, in the order of the keys; no rewriting if it is so already.

        Args:
            keep: Lines for which it is false are dropped.

        Raises:
            UserError: If the file cannot be written.
        """
        with self._writing():
            lines = self.read()
            content = b"".join(encode_line(lines[key]) for key in sorted(lines) if keep(lines[key]))
            if not self.path.exists() or self.path.read_bytes() != content:
                atomic_write_bytes(self.path, content)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with locked(self.path.parent / f".{self.path.name}.lock"):
            yield

    def _parse(self, text: bytes, number: int) -> Line:
        try:
            line = json.loads(text)
        except ValueError as error:
            raise DataNotFound(
                f"{self.path}, line {number}: not JSON; remove the line, and run the stage again"
            ) from error
        if not isinstance(line, dict) or not isinstance(line.get("key"), str):
            raise DataNotFound(f"{self.path}, line {number}: no 'key'; remove the line, and run the stage again")
        return line


def encode_line(line: Mapping[str, Any]) -> bytes:
    r"""One line of a manifest, its end included; equal lines give equal bytes.

    Raises:
        ValueError: If there is no textual ``key``, or a number is NaN or infinite.

    >>> encode_line({"share": 0.5, "key": "é"})
    b'{"key": "\xc3\xa9", "share": 0.5}\n'
    """
    if not isinstance(line.get("key"), str):
        raise ValueError(f"a line of a manifest needs a key, got {sorted(line)}")
    text = json.dumps(line, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain)
    return (text + "\n").encode("utf-8")


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"a manifest holds JSON values, not {type(value).__name__}")


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file, which is made if it is missing; a killed holder's lock is free.

    Args:
        path: The lock file; it stays.
        shared: Together with other shared holders.
        wait: Wait for it; if False, and somebody else holds it, the block runs without it.

    Yields:
        Whether the lock is held.

    Raises:
        UserError: If the file cannot be made.
    """
    with open_lock(path) as file:
        yield take_lock(file, shared=shared, wait=wait)


def open_lock(path: Path) -> TextIO:
    """Open a lock file; closing it gives the lock back.

    Raises:
        UserError: If it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another folder") from error


def take_lock(file: TextIO, *, shared: bool = False, wait: bool = True) -> bool:
    """Take, or change the kind of, the lock of an open file; see :func:`locked`."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _whole_lines(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n")[:-1] if line.strip()]


def _end_of_last_line(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1
