"""A function becomes a subcommand: its signature is the flags, its docstring the help."""

from __future__ import annotations

import argparse
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, NoReturn

import docstring_parser

from robustvos.errors import UserError


class _Parser(argparse.ArgumentParser):
    """Errors in one line, by way of the door."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")


def run_tool(function: Callable[..., Any], argv: Sequence[str], positional: Sequence[str] = ()) -> Any:
    """Parse ``argv`` (subcommand first) into the arguments of ``function`` and call it.

    Args:
        function: With type hints and a docstring in Google's style. A ``list`` is a flag that may be repeated, or any
            number of positional words; a ``bool`` is a switch; a ``Literal`` takes one of its words.
        argv: As typed.
        positional: Arguments that need no flag, in order.
    """
    parser = tool_parser(function, f"cli.py {argv[0]}", positional)
    return function(**vars(parser.parse_args([_spelt(token, parser) for token in argv[1:]])))


def tool_parser(function: Callable[..., Any], program: str, positional: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of :func:`run_tool`."""
    documentation = docstring_parser.parse(inspect.getdoc(function) or "")
    texts = {p.arg_name: (p.description or "").replace("\n", " ").replace("%", "%%") for p in documentation.params}
    description = "\n\n".join(filter(None, [documentation.short_description, documentation.long_description]))
    parser = _Parser(
        program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    hints = typing.get_type_hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, is_list = _element(hints[name])
        required = parameter.default is inspect.Parameter.empty
        text = texts.get(name, "")
        if name in positional:
            parser.add_argument(name, type=kind, help=text, nargs="+" if is_list else None)
            continue
        if not required and parameter.default not in (None, False):
            text += f" (default: {parameter.default})"
        options: dict[str, Any] = {"dest": name, "default": None if required else parameter.default, "help": text}
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options |= {
                **({"choices": typing.get_args(kind)} if typing.get_origin(kind) is Literal else {"type": kind}),
                "required": required,
                "metavar": name.upper(),
                **({"action": "append"} if is_list else {}),
            }
        parser.add_argument(f"--{name}", **options)
    return parser


def _spelt(token: str, parser: argparse.ArgumentParser) -> str:
    """A flag as the parser has it, whether it was typed with hyphens or underscores: ``--dry-run`` is ``--dry_run``."""
    flag, *value = token.split("=", 1)
    known = {option.replace("-", "_"): option for action in parser._actions for option in action.option_strings}
    return "=".join([known.get(flag.replace("-", "_"), flag), *value]) if flag.startswith("--") else token


def _element(hint: Any) -> tuple[Any, bool]:
    """Type of one value, and whether there may be several: ``list[str] | None`` -> ``(str, True)``."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (h for h in typing.get_args(hint) if h is not type(None))
    if typing.get_origin(hint) is list:
        return typing.get_args(hint)[0], True
    return hint, False
