"""Docstrings as they stand in the code, made ready for Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|mod|meth|data|attr|exc|const):`~?([^`]+)`")
_PROMPT = re.compile(r"(?:^ *>>> .*\n)(?:^ *\S.*(?:\n|\Z))*", re.MULTILINE)


class ForMarkdown(griffe.Extension):
    """Turns roles into links, doctests into code blocks, and ``::`` before an indented block into a colon."""

    def on_object(self, *, obj: griffe.Object, loader: Any, **kwargs: Any) -> None:
        """Change the docstring of whatever was loaded, once."""
        if obj.docstring is None:
            return
        obj.docstring.value = for_markdown(obj.docstring.value, obj)


def for_markdown(text: str, obj: griffe.Object) -> str:
    """A docstring's text as Markdown."""
    text = _ROLE.sub(lambda role: _link(role[1], obj), text)
    text = re.sub(r"::(?=\n\n {4})", ":", text)
    return _PROMPT.sub(_fence, text)


def _link(name: str, obj: griffe.Object) -> str:
    """To the page where the name is described; plain code if none does."""
    short = name.rpartition(".")[2] if name.startswith("robustvos.") else name
    return f'<autoref identifier="{_full(name, obj)}" optional><code>{short}</code></autoref>'


def _full(name: str, obj: griffe.Object) -> str:
    """The path of a name as it is seen from an object."""
    try:
        return obj.resolve(name) if "." not in name else obj.resolve(name.split(".")[0]) + name[name.index(".") :]
    except griffe.NameResolutionError:
        return name


def _fence(block: re.Match[str]) -> str:
    lines = block[0].rstrip("\n").split("\n")
    margin = " " * (len(lines[0]) - len(lines[0].lstrip()))
    return "\n".join([f"{margin}```pycon", *lines, f"{margin}```", ""])
