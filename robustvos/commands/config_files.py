"""YAML files of the command line, looked at before the parser sees them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from robustvos.errors import UserError
from robustvos.registry import CONFIGS, KINDS, read_yaml, resolve

_REPLACED = ("model", "data")
_BESIDE = ("sam2", "recipe")


def with_forgetting(files: Sequence[str], configs: Path = CONFIGS) -> list[str]:
    """``--config`` for each file; a file that names another class than those before it makes the parser forget theirs.

    What a file calls ``sam2/nano.yaml`` or ``nano`` lies beside it or in the registry: a copy of a shipped file works anywhere.

    Raises:
        UserError: If a file is no readable YAML, or puts ``sam2`` or ``recipe`` inside the model.
        UnknownName: If it names a base or a recipe that is neither beside it nor in the registry.
    """
    spelt: list[str] = []
    classes: dict[str, str] = {}
    for file in files:
        content = read_yaml(file)
        _refuse_inner_settings(content.get("model"), file)
        for kind, name in _class_names(content):
            if classes.get(kind, name) != name:
                spelt.append(f"--{kind}=null")
            classes[kind] = name
        registered = dict(_registered(content, Path(file).parent, configs))
        spelt.append(f"--config={json.dumps({**content, **registered}, default=str) if registered else file}")
    return spelt


def _registered(content: Mapping[str, Any], folder: Path, configs: Path) -> Iterator[tuple[str, str]]:
    """Parts that a file names and that are not beside it, with the registry's files."""
    for kind in KINDS:
        value = content.get(kind)
        if not isinstance(value, str) or (folder / value).is_file():
            continue
        inner = value.removeprefix("configs/")
        name = inner.removesuffix(".yaml") if inner.startswith(f"{kind}/") else value
        found = resolve(kind, name.removeprefix(f"{kind}/"), configs)
        if Path(found).is_file():
            yield kind, str(Path(found).resolve())


def check_settings(kind: str, value: str) -> None:
    """Refuse a system's file that says ``sam2`` or ``recipe``; anything else passes.

    Raises:
        UserError: See :func:`with_forgetting`.
    """
    if kind == "model" and value.endswith((".yaml", ".yml")):
        _refuse_inner_settings(read_yaml(value), value)


def defaults_as_json(settings: Mapping[str, Callable[[], Any]]) -> dict[str, str]:
    """The defaults of dataclasses, by name, as the parser takes them."""
    return {name: json.dumps(asdict(make())) for name, make in settings.items()}


def _class_names(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in _REPLACED:
        node = content.get(kind)
        if isinstance(node, dict) and "class_path" in node:
            yield kind, str(node["class_path"]).rpartition(".")[2]


def _refuse_inner_settings(model: Any, file: str) -> None:
    """The parser fills these from the top level and would overlook them silently."""
    inner = (model.get("init_args") or {}) if isinstance(model, dict) else {}
    for name in _BESIDE:
        if name in inner:
            raise UserError(f"{file}: {name} is not the model's: put it at the top of a --config, or give --{name}")
