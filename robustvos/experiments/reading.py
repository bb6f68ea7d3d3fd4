"""Reading the files of experiments and scales: what is known, what holds at a scale, and what version 0.1 wrote otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustvos.errors import UnknownName, UserError
from robustvos.experiments.overrides import merged, suggestion
from robustvos.registry import CONFIGS as REGISTRY
from robustvos.registry import find_config

CONFIGS = REGISTRY / "experiments"
SCALES = "scales"
EXAMPLE = "configs/experiments/table7.yaml"


def known_experiments() -> list[str]:
    """Names of the files."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def known_scales() -> list[str]:
    """Names of the scales."""
    return sorted(path.stem for path in (CONFIGS / SCALES).glob("*.yaml"))


def file_of(name: str, folder: Path, kind: str, known: Sequence[str]) -> Path:
    """A registered name's, or a path; raises UnknownName if there is none."""
    is_path = name.endswith((".yaml", ".yml"))
    found = find_config(name) if is_path else str(folder / f"{name}.yaml")
    if found is None or not Path(found).is_file():
        raise UnknownName.of(kind, name, known)
    return Path(found)


def at_scale(node: Mapping[str, Any], scale: str, where: str, known: Sequence[str]) -> dict[str, Any]:
    """What holds at this scale: what stands under ``scales`` for it, over what stands beside."""
    for field, value in node.items():
        if isinstance(value, Mapping) and value and field != SCALES and set(map(str, value)) <= set(known_scales()):
            raise UserError(f"{where}: {field} differs by scale; write scales: {_by_scale(field, value)}")
    scales = mapping(node.get(SCALES) or {}, f"{where}: {SCALES}")
    own = checked(scales.get(scale) or {}, known, f"{where}: {SCALES}: {scale}")
    return merged({field: value for field, value in node.items() if field != SCALES}, own)


def _by_scale(field: str, values: Mapping[str, Any]) -> str:
    parts = [f"{scale}: {{{field}: {_settings_of(value)}}}" for scale, value in values.items()]
    return f"{{{', '.join(parts)}}}"


def _settings_of(value: Any) -> str:
    return suggestion(value) if isinstance(value, str) and "--" in value else json.dumps(value)


def refuse_former_row(row: Any, where: str) -> None:
    """Version 0.1 had a field ``system`` with flags."""
    if isinstance(row, Mapping) and isinstance(row.get("system"), str | Mapping):
        said = row["system"]
        flags = [said] if isinstance(said, str) else [text for text in said.values() if isinstance(text, str)]
        shown = " or ".join(suggestion(f"--model {row.get('model')} {text}") for text in flags)
        by_scale = "" if isinstance(said, str) else ", under scales: {NAME: ...} where it differs by scale"
        raise UserError(f"{where}: settings of the system stand in model itself: {shown}{by_scale}")


def mapping(node: Any, where: str) -> Mapping[str, Any]:
    """The node, if it is a mapping; raises UserError."""
    if not isinstance(node, Mapping):
        seen = "a list" if isinstance(node, list) else repr(node)
        raise UserError(f"{where}: expected names with values, got {seen}; see {EXAMPLE}")
    return node


def checked(node: Any, known: Sequence[str], where: str) -> Mapping[str, Any]:
    """The node, if it is a mapping of known fields; raises UnknownName."""
    fields = mapping(node, where)
    for name in fields:
        if name not in known:
            raise UnknownName.of(f"field of {where}", str(name), list(known))
    return fields
