"""Help of the loops: the settings of the dataset and the system that were named, on a page; of any other group when asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pkgutil import resolve_name
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentParser, strip_meta

from robustvos.commands.pages import Line, page
from robustvos.commands.usage import LOOPS
from robustvos.errors import UserError
from robustvos.parsing import plain
from robustvos.program import program

ALL = "--help_all"
_OTHERS = {"fit": ("test",), "validate": ("train", "test"), "test": ("train", "val"), "predict": ("train", "val")}
"""What each loop does not read of a dataset."""
_OFTEN = {
    "run": "the run leaves its files in runs/RUN/version_N",
    "ckpt_path": "weights of a run, its checkpoints/last.ckpt; or exported ones",
    "seed_everything": "of everything random",
    "trainer.max_epochs": "when a training ends",
    "trainer.accelerator": "cpu, gpu, or auto",
    "trainer.devices": "how many, or which",
    "trainer.precision": "e.g. bf16-mixed",
}
"""Settings of a run that are asked for most."""


class LoopHelp:
    """What was asked of the parsers of the loops, and their answers in our words.

    Args:
        argv: As typed, subcommand first.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.loop = argv[0]
        self.asked = next((group for word in argv if (group := _asked(word)) is not None), None)
        self.argv = ["--help" if word == ALL else word for word in argv if _asked(word) is None]
        if self.asked is not None and self.loop == "fit" and not {"--config", "-c"} & {w.split("=")[0] for w in argv}:
            self.argv += ["--config", "configs/moga.yaml"]  # as fit itself advises
        self._parsers: list[ArgumentParser] = []

    def attend(self, parser: ArgumentParser) -> None:
        """Let a parser's errors be one line that names what is nearest."""
        self._parsers.append(parser)
        parser.error = self._refuse  # type: ignore[method-assign, assignment]

    def answer(self, config: Any) -> None:
        """Print what was asked for, and end; go on if nothing was.

        Args:
            config: What the command line comes to.
        """
        if self.asked is None:
            return
        settings = {name: node for name, node in strip_meta(config).as_dict().items() if name != "config"}
        print(self._group(settings, self.asked) if self.asked else self._page(settings))
        raise SystemExit(0)

    def _refuse(self, message: str, cause: Exception | None = None) -> NoReturn:
        names = [name for parser in self._parsers for name in parser.get_defaults().keys()]  # noqa: SIM118
        raise UserError(plain(message, names)) from cause

    def _page(self, settings: Mapping[str, Any]) -> str:
        data, model = settings["data"], settings["model"]
        texts, values = self._texts(settings), dict(_flat("", settings))
        others = tuple(f"--data.{part}." for part in _OTHERS[self.loop])
        hosted = {name: node for name, node in model["init_args"].items() if name not in ("sam2", "recipe")}
        rest = [name for name in settings if name not in ("data", "model", "sam2") and isinstance(settings[name], dict)]
        groups = {
            f"dataset {_named(data)}": [
                line for line in _lines("data", data, texts) if not line.name.startswith(others)
            ],
            f"system {_named(model)}": _lines("model", {**model, "init_args": hosted}, texts),
            f"base {settings['sam2']['variant']}": _lines("sam2", settings["sam2"], texts),
            "run": [_line(name, values[name], text) for name, text in _OFTEN.items() if name in values],
            "more": [
                Line(
                    "--data NAME, --model NAME, --sam2 NAME",
                    "others: files in configs/, paths, classes",
                ),
                Line("--config FILE", "settings from a file; what is typed counts more"),
                Line("--GROUP.help", f"settings of {', '.join(rest)}"),
                Line("--print_config", "what this command line comes to, as YAML"),
                Line(ALL, "everything, as the parser has it"),
            ],
        }
        usage = f"usage: {program()} {self.loop} [--config FILE] [--data NAME] [--model NAME] [--sam2 NAME] [SETTINGS]"
        return page(usage, f"{LOOPS[self.loop]}; each setting with its value here", groups, brief=True)

    def _group(self, settings: Mapping[str, Any], group: str) -> str:
        if not isinstance(settings.get(group), Mapping):
            names = ", ".join(name for name, node in settings.items() if isinstance(node, Mapping))
            raise UserError(f"--{group}.help: there is no such group of settings; there are {names}")
        lines = _lines(group, settings[group], self._texts(settings))
        return page(f"usage: {program()} {self.loop} [--{group}.NAME VALUE] ...", "", {group: lines}, brief=True)

    def _texts(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """What each setting says of itself, by its name."""
        texts = {name: text for parser in self._parsers for name, text in _texts_of(parser)}
        for key, node in _classes("", settings):
            parser = ArgumentParser(exit_on_error=False)
            class_ = resolve_name(node["class_path"])
            parser.add_class_arguments(class_, key, fail_untyped=False)
            texts.update({**dict(_texts_of(parser)), key: (class_.__doc__ or "").partition("\n")[0]})
        return texts


def _asked(word: str) -> str | None:
    """The group whose settings are to be listed; empty: the page; None: this is no call for help."""
    if word in ("-h", "--help"):
        return ""
    asked = re.fullmatch(r"--(\w+)\.help", word)
    return None if asked is None else asked[1]


def _named(node: Mapping[str, Any]) -> str:
    """A class, and what it is made with: ``PromptableVOS with MoGA``."""
    inner = [cls["class_path"].rpartition(".")[2] for _, cls in _classes("", node["init_args"])]
    return " with ".join([node["class_path"].rpartition(".")[2], *inner[:1]])


def _classes(key: str, node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every class that settings name, by the setting that it is."""
    if not isinstance(node, Mapping):
        return
    if "class_path" in node:
        yield key, node
        node = node.get("init_args") or {}
    for name, value in node.items():
        yield from _classes(f"{key}.{name}".lstrip("."), value)


def _flat(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Settings by their names; of a class its own name, then its arguments."""
    if isinstance(node, Mapping) and "class_path" in node:
        yield key, node["class_path"].rpartition(".")[2]
        node = node.get("init_args") or {}
    elif not isinstance(node, Mapping) or not node or not all(str(name).isidentifier() for name in node):
        yield key, node
        return
    for name, value in node.items():
        yield from _flat(f"{key}.{name}".lstrip("."), value)


def _lines(key: str, node: Any, texts: Mapping[str, str]) -> list[Line]:
    return [_line(name, value, texts.get(name, "")) for name, value in _flat(key, node) if name != key]


def _line(name: str, value: Any, text: str) -> Line:
    shown = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
    return Line(f"--{name} {shown if len(shown) <= 20 else shown[:17] + '...'}", text)


def _texts_of(parser: ArgumentParser) -> Iterable[tuple[str, str]]:
    for action in parser._actions:
        if action.help and "==SUPPRESS==" not in action.help:
            yield action.dest, _without_marks(action.help)


def _without_marks(text: str) -> str:
    """A docstring's words."""
    return " ".join(re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "").split())
