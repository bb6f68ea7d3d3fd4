"""What a person types to run this: messages advise the command that they have."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent


def program() -> str:
    """``robustvos`` where the package is installed or was called by that name, else ``python cli.py`` of the checkout."""
    installed = (_PACKAGE / "configs").is_dir()
    return "robustvos" if installed or Path(sys.argv[0]).stem == "robustvos" else "python cli.py"


def next_command(*words: object) -> str:
    """The last line of a command: what to type next, so that it leads on from the result.

    >>> print(next_command("report", Path("my runs"), "--out", "page").replace(program(), "robustvos"))
    next: robustvos report 'my runs' --out page
    """
    return f"next: {program()} {shlex.join(map(str, words))}"
