"""Help that fits on a page: one look for loops and tools."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_NAMES, _NAMES_BRIEF = 30, 48
_WIDEST = 124


class Line(NamedTuple):
    """A setting and what it says."""

    name: str
    text: str


def page(usage: str, about: str, groups: Mapping[str, Sequence[Line]], brief: bool = False) -> str:
    """Usage, a paragraph or more, and settings under headings.

    Args:
        usage: The first line.
        about: Paragraphs.
        groups: Settings by heading; an empty heading is not shown, nor an empty group.
        brief: Keep every setting to one line, as far as its first sentence goes.
    """
    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    longest = max((len(line.name) for lines in groups.values() for line in lines), default=0)
    parts = [usage, about]
    for heading, lines in groups.items():
        if lines:
            shown = (
                [_brief(line, width, min(longest, _NAMES_BRIEF)) for line in lines] if brief else _whole(lines, width)
            )
            parts.append("\n".join([*([f"{heading}:"] if heading else []), *shown]))
    return "\n\n".join(filter(None, parts))


def _brief(line: Line, width: int, column: int) -> str:
    sentence = re.split(r"(?<=[.;])\s", line.text)[0].rstrip(";")
    name = f"  {line.name:<{column}} "
    return f"{name}{textwrap.shorten(sentence, max(width - len(name), 20), placeholder=' ...')}".rstrip()


def _whole(lines: Sequence[Line], width: int) -> list[str]:
    indent = " " * (_NAMES + 3)
    shown = []
    for line in lines:
        first = f"  {line.name:<{_NAMES}} "
        if len(first) > len(indent):
            shown.append(first.rstrip())
            first = indent
        shown += textwrap.wrap(line.text, width, initial_indent=first, subsequent_indent=indent) or [first.rstrip()]
    return shown
