"""How far a loop is: a bar for people at a terminal, a line a minute where output goes to a file or a log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm

MINUTE_S = 60.0
_LINE = "{desc}: {percentage:.0f} %, {n:.0f} of {total:.0f} {unit}s, {elapsed} so far, {remaining} left"
_COUNT = "{desc}: {n_fmt} {unit}s, {elapsed} so far"


class MinuteLines(tqdm):  # type: ignore[type-arg]
    """A ``tqdm`` whose redraws are lines of their own, the first after a minute, and none at the end."""

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """Write each state on a line."""

        def write(text: str) -> None:
            if text:
                file.write(f"{text}\n")
                file.flush()

        return write

    def close(self) -> None:
        """End without a last line: the command's own words follow."""
        if not self.disable:
            self.disable = True
            self._decr_instances(self)  # type: ignore[attr-defined]


def is_watched(stream: TextIO | None = None) -> bool:
    """Whether a person sees the stream (stderr, if none is given) as it is written."""
    stream = sys.stderr if stream is None else stream
    return bool(stream.isatty())


def progress_bar(*arguments: Any, every_s: float = MINUTE_S, **options: Any) -> Any:
    """A ``tqdm`` of these arguments at a terminal; elsewhere one that writes a line a minute to stderr.

    Args:
        arguments: As ``tqdm`` takes them.
        every_s: Seconds between lines.
        options: As ``tqdm`` takes them; ``desc`` and ``unit`` make the line.

    >>> import io
    >>> from contextlib import redirect_stderr
    >>> with redirect_stderr(io.StringIO()) as log:
    ...     for _ in progress_bar(range(3), desc="track", unit="frame", every_s=0.0):
    ...         pass
    >>> log.getvalue().splitlines()[-1].startswith("track: 100 %, 3 of 3 frames, ")
    True
    """
    if options.get("disable") or is_watched():
        return tqdm(*arguments, **options)
    length = options.get("total")
    if length is None and arguments and hasattr(arguments[0], "__len__"):
        length = len(arguments[0])
    form = {
        "bar_format": _COUNT if length is None else _LINE,
        "delay": every_s,
        "mininterval": every_s,
        "miniters": 1,
        "maxinterval": max(10.0, every_s),
    }
    return MinuteLines(*arguments, **(options | form))
