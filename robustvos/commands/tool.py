"""A function becomes a subcommand: its signature is the flags, its docstring the help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from robustvos.commands.messages import condense
from robustvos.errors import UserError


class _Parser(ArgumentParser):
    """Errors in one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise UserError(condense(message)) from ex


def run_tool(function: Callable[..., Any], argv: Sequence[str], positional: Sequence[str] = ()) -> Any:
    """Parse ``argv`` (subcommand first) into the arguments of ``function`` and call it.

    Args:
        function: With type hints and a docstring in Google's style.
        argv: As typed.
        positional: Arguments that need no flag, in order.
    """
    summary = (function.__doc__ or "").split("\n\n")[0]
    parser = _Parser(prog=f"cli.py {argv[0]}", description=summary)
    parser.add_function_arguments(function, as_positional=bool(positional), skip=None)
    parsed = parser.parse_args(list(argv[1:]))
    return function(**{name: value for name, value in parsed.as_dict().items()})
