"""A function becomes a subcommand: its signature is the settings, its docstring the help.

Tools speak as the loops do: ``--model``, ``--sam2`` and ``--data`` name files in ``configs/``, single settings of them follow
(``--model.adapter.rank 8``, ``--sam2.checkpoint FILE``), ``--config FILE`` holds any of this, plugins are known. But nothing
heavy is imported before everything is read: what ``model``, ``sam2`` and ``data`` are made of is checked when it is made.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import docstring_parser
import yaml
from jsonargparse import ArgumentError, ArgumentParser

from robustvos.commands.pages import Line, page
from robustvos.commands.plugins import load_plugins
from robustvos.errors import UserError
from robustvos.parsing import plain, unknown_setting
from robustvos.program import program
from robustvos.registry import read_yaml, resolve_run

GROUPS = ("model", "sam2", "data")
"""What has settings of its own."""
_EXAMPLES = {"model": "--model.adapter.rank 8", "sam2": "--sam2.checkpoint FILE", "data": "--data.root FOLDER"}
_DESCRIBED = ("model", "sam2")  # by a class or settings in a file, as well as by a name
SETTINGS = "settings"
"""Parameter of a tool that takes these, by name: ``{"model.adapter.rank": "8"}``."""
_OF_A_RUN = ("trainer", "seed_everything", "recipe", "run", "resume", "checkpoint")  # keys of fit and test alone
_SWITCH = {"true": "true", "yes": "true", "false": "false", "no": "false"}
_MOVED = {"root": "data.root", "sam2_checkpoint": "sam2.checkpoint"}
"""Settings as version 0.1 spelt them."""


def run_tool(function: Callable[..., Any], argv: Sequence[str], positional: Sequence[str] = ()) -> Any:
    """Read the arguments of ``function`` and call it.

    Args:
        function: With type hints and a docstring in Google's style. A ``list`` may be given again and again, or is any
            number of positional words; a ``bool`` is a switch that may be followed by ``true`` or ``false``.
        argv: As typed, subcommand first.
        positional: Arguments that need no name, in order.
    """
    tool = Tool(function, argv[0], positional)
    if {"-h", "--help"} & set(argv[1:]):
        print(tool.help())
        raise SystemExit(0)
    values = tool.read(argv[1:])
    load_plugins()
    return function(**values)


class Tool:
    """Reads what was typed for a function, see :func:`run_tool`."""

    def __init__(self, function: Callable[..., Any], name: str, positional: Sequence[str] = ()) -> None:
        self.command = f"{program()} {name}"
        self.positional = list(positional)
        self.documentation = docstring_parser.parse(inspect.getdoc(function) or "")
        hints = typing.get_type_hints(function)
        self.defaults = {n: p.default for n, p in inspect.signature(function).parameters.items() if n != SETTINGS}
        self.hints = {name: hints[name] for name in self.defaults}
        self.groups = [g for g in GROUPS if SETTINGS in hints and g in self.hints]

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """Arguments of the function.

        Raises:
            UserError: If a setting is unknown, lacks, or has a value of another kind.
        """
        typed, settings, files = self._typed(words)
        from_files, of_files = self._of_files(files)
        values = self._parsed({**from_files, **typed})
        lacking = [n for n, d in self.defaults.items() if d is inspect.Parameter.empty and values[n] in (None, [])]
        if lacking:
            names = " and ".join(n.upper() if n in self.positional else f"--{n}" for n in lacking)
            raise UserError(f"{self.command} needs {names} (see {self.command} --help)")
        if self.groups:
            of_files = {n: v for n, v in of_files.items() if n.partition(".")[0] not in typed}  # of another
            values[SETTINGS] = {**of_files, **settings}
        return values

    def help(self) -> str:
        """A page."""
        texts = {p.arg_name: (p.description or "").replace("\n", " ") for p in self.documentation.params}
        lines = {name: self._line(name, texts.get(name, "")) for name in self.defaults}
        usage = [self._usage(name) for name, default in self.defaults.items() if default is inspect.Parameter.empty]
        about = "\n\n".join(filter(None, [self.documentation.short_description, self.documentation.long_description]))
        more = [Line("--config FILE", "YAML with any of these; of a run's config.yaml model and sam2 count")]
        if self.groups:
            examples = " and ".join(_EXAMPLES[group] for group in self.groups)
            more.insert(
                0, Line(f"--{self.groups[0]}.NAME VALUE", f"a single setting, as fit and test have it: {examples}")
            )
        return page(
            f"usage: {self.command} {' '.join(usage)} [SETTINGS]".replace("  ", " "),
            about.replace("  cli.py ", f"  {program()} "),
            {
                "": [lines[n] for n in self.positional],
                "settings": [lines[n] for n in lines if n not in self.positional] + more,
            },
        )

    def _usage(self, name: str) -> str:
        several = "..." if _is_list(self.hints[name]) else ""
        return f"{name.upper()}{several}" if name in self.positional else f"--{name} {name.upper()}"

    def _line(self, name: str, text: str) -> Line:
        hint, default = self.hints[name], self.defaults[name]
        choices = (
            typing.get_args(_without_none(hint)) if typing.get_origin(_without_none(hint)) is typing.Literal else ()
        )
        value = "true|false" if _is_switch(hint) else "|".join(map(str, choices)) or name.upper()
        shown = default not in (None, False, inspect.Parameter.empty) and str(default) not in text
        text += f" (default: {str(default).lower() if default is True else default})" if shown else ""
        return Line(name.upper() if name in self.positional else f"--{name} {value}", text)

    def _typed(self, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
        """What was typed: of the function, of what has settings of its own, and config files."""
        typed: dict[str, Any] = {}
        settings: dict[str, str] = {}
        files: list[str] = []
        rest, free = list(words), list(self.positional)
        while rest:
            word = rest.pop(0)
            if not word.startswith("--") and word != "-c":
                self._add(typed, self._place(free, word), word)
                continue
            flag, equals, value = word.partition("=")
            name = "config" if flag == "-c" else self._name(flag[2:])
            if equals == "" and _is_switch(self.hints.get(name)):
                value = rest.pop(0) if rest and rest[0].lower() in _SWITCH else "true"
            elif equals == "":
                if not rest or rest[0].startswith("--"):
                    raise UserError(f"--{name} needs a value (see {self.command} --help)")
                value = rest.pop(0)
            if name == "config":
                files.append(value)
            elif name in self.hints:
                self._add(typed, name, _SWITCH.get(value.lower(), value) if _is_switch(self.hints[name]) else value)
            else:
                settings[name] = value
        return typed, settings, files

    def _add(self, typed: dict[str, Any], name: str, value: str) -> None:
        several = yaml.safe_load(value) if value.startswith("[") and value.endswith("]") else [value]
        typed[name] = [*typed.get(name, []), *map(str, several)] if _is_list(self.hints[name]) else value

    def _place(self, free: list[str], word: str) -> str:
        if not free:
            raise UserError(f"'{word}' stands alone: which setting is it of? (see {self.command} --help)")
        return free[0] if _is_list(self.hints[free[0]]) else free.pop(0)

    def _name(self, typed: str) -> str:
        """A setting as the function has it, whether it was typed with hyphens or underscores.

        Raises:
            UnknownName: If there is none; suggests the nearest.
        """
        name = typed.replace("-", "_")
        if name == "config" or name in self.hints:
            return name
        name = typed.replace("init_args.", "")
        if name.partition(".")[0] in self.groups:
            return name
        moved = _MOVED.get(name, "")
        if moved.partition(".")[0] in self.groups:
            raise UserError(f"--{name} is now --{moved}")
        raise unknown_setting(typed, [*self.hints, "config"])

    def _of_files(self, files: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What config files say; of a run's ``config.yaml`` its system alone.

        Raises:
            UserError: If one holds a key that this tool does not have, or is a run's and names no system.
        """
        from_files: dict[str, Any] = {}
        settings: dict[str, Any] = {}
        for file in map(resolve_run, files):
            content = read_yaml(file)
            if any(key in content for key in _OF_A_RUN) or isinstance(content.get("data"), dict):
                content = {name: content[name] for name in _DESCRIBED if name in self.groups and name in content}
                if not content:
                    raise UserError(f"{file} is of fit and test, and says nothing that {self.command} takes")
            for key, value in content.items():
                name = self._name(key)
                (from_files if name in self.hints else settings)[name] = value
        return from_files, settings

    def _parsed(self, from_files: Mapping[str, Any]) -> dict[str, Any]:
        """With the types of the function's parameters; systems, bases and data that a file describes stay as they are."""
        parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
        for name, default in self.defaults.items():
            known = {} if default is inspect.Parameter.empty else {"default": default}
            parser.add_argument(f"--{name}", type=self.hints[name], **known)
        described = {
            name: value for name, value in from_files.items() if name in _DESCRIBED and isinstance(value, Mapping)
        }
        tokens = [
            f"--{n}={v if isinstance(v, str) else json.dumps(v)}" for n, v in from_files.items() if n not in described
        ]
        try:
            return {**parser.parse_args(tokens).as_dict(), **described}
        except ArgumentError as error:
            raise UserError(f"{plain(str(error), self.hints)} (see {self.command} --help)") from error


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (h for h in typing.get_args(hint) if h is not type(None))
    return hint


def _is_list(hint: Any) -> bool:
    return typing.get_origin(_without_none(hint)) is list


def _is_switch(hint: Any) -> bool:
    return hint is not None and _without_none(hint) is bool
