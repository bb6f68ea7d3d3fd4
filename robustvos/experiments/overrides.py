"""Settings that replace others: nested as in a ``--config``, merged, and written as flags of the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from robustvos.errors import UserError
from robustvos.registry import KINDS

NAME = "from"
"""In ``model``, ``data``, ``sam2`` and ``recipe``: the file in ``configs/`` that the settings beside it change."""


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings, later ones over earlier ones; a list or another value is replaced whole.

    >>> merged({"data": "shapes", "fit": True}, {"data": {"size": 64}, "fit": {"run": "a"}})
    {'data': {'from': 'shapes', 'size': 64}, 'fit': {'run': 'a'}}
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            former = _spelt_out(key, result.get(key))
            if isinstance(value, Mapping):
                result[key] = merged(former if isinstance(former, Mapping) else {}, value)
            elif key in KINDS and isinstance(former, Mapping):
                result[key] = merged(former, {NAME: value})
            else:
                result[key] = value
    return result


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """Nested settings as the command line has them: ``--data.test.limit 3``.

    Lists, and classes with their arguments, are one value each, as JSON.

    >>> arguments({"model": {"from": "moga", "adapter": {"rank": 8}}, "data": "shapes", "trainer": {"devices": [0, 1]}})
    ['--model', 'moga', '--model.adapter.rank', '8', '--data', 'shapes', '--trainer.devices', '[0, 1]']
    """
    flags: list[str] = []
    for key, value in settings.items():
        values = value if key == "config" and isinstance(value, list) else [value]
        flags += [word for one in values for word in _flags(f"--{key}", one)]
    return flags


def leaves(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value within nested settings with its dotted name; an empty mapping is a value.

    >>> dict(leaves({"a": {"b": 1, "c": [2]}, "d": {}}))
    {'a.b': 1, 'a.c': [2], 'd': {}}
    """
    if isinstance(settings, Mapping) and settings:
        for key, value in settings.items():
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, settings


def checked_overrides(node: Any, where: str) -> dict[str, Any]:
    """Settings as an experiment's file has them; none if nothing is there.

    Raises:
        UserError: If they are arguments as one types them, which files of version 0.1 had, or anything but a mapping; says
            what to write.
    """
    if node is None or node == {}:
        return {}
    if isinstance(node, str) and "--" in node:
        raise UserError(f"{where}: '{node}' is written as flags; write settings: {suggestion(node)}")
    if not isinstance(node, Mapping):
        raise UserError(
            f"{where}: expected settings as in a --config, got {node!r}; e.g. {{data: {{test: {{limit: 3}}}}}}"
        )
    return {str(key): value for key, value in node.items()}


def suggestion(flags: str) -> str:
    """Flags as nested settings, in one line of YAML.

    >>> suggestion("--data shapes --data.test.limit 3 --model.adapter.rank=8")
    '{data: {from: shapes, test: {limit: 3}}, model: {adapter: {rank: 8}}}'
    """
    settings: dict[str, Any] = {}
    words = [part for word in shlex.split(flags) for part in (word.split("=", 1) if word[:2] == "--" else [word])]
    for flag, text in zip(words[::2], words[1::2], strict=False):
        value: Any = _as_yaml(text)
        for part in reversed(flag.removeprefix("--").split(".")):
            value = {part: value}
        settings = merged(settings, value)
    return yaml.safe_dump(settings, default_flow_style=True, sort_keys=False, width=10**6).strip()


def _spelt_out(key: str, value: Any) -> Any:
    """``data: shapes`` is ``data: {from: shapes}``."""
    return {NAME: value} if key in KINDS and isinstance(value, str) else value


def _flags(flag: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping) or "class_path" in value:
        return [flag, _text(value)]
    named = [flag, str(value[NAME])] if NAME in value else []
    return [*named, *(word for key, inner in value.items() if key != NAME for word in _flags(f"{flag}.{key}", inner))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _as_yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def texts(value: Any, where: str) -> list[str]:
    """A list of texts; one text is a list of one, nothing an empty one.

    Raises:
        UserError: If it is anything else.
    """
    found = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(found, Sequence) or not all(isinstance(text, str) for text in found):
        raise UserError(f"{where}: {value!r} is no list of names; write e.g. [shapes]")
    return list(found)
