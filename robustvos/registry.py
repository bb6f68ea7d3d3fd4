"""The registry: every file in ``configs/`` is a name of a dataset, a system, a base, a recipe."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from robustvos.errors import UnknownName, UserError

KINDS = {"data": "dataset", "model": "system", "sam2": "SAM 2 base", "recipe": "recipe"}
VALUES = ("sam2", "recipe")  # plain settings, no classes
DEFAULT_SYSTEM = "moga"
DEFAULT_BASE = "nano"
DEFAULT_DATA = "shapes"


def configs_folder() -> Path:
    """``configs/`` of a checkout, or as it was installed with the package."""
    packaged = Path(__file__).parent / "configs"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "configs"


CONFIGS = configs_folder()


def known_names(configs: Path, kind: str) -> list[str]:
    """Names that ``--kind`` takes, read off the folder."""
    return sorted(path.stem for path in (configs / kind).glob("*.yaml"))


def find_config(value: str, configs: Path = CONFIGS) -> str | None:
    """A YAML file as it is named anywhere: a path that is there, or ``configs/...`` of the registry; None if there is none.

    So ``configs/moga.yaml`` is there wherever the package is installed, and whatever folder one stands in.
    """
    path = Path(value)
    if path.is_file():
        return value
    inside = path.parts[:1] == ("configs",) and ".." not in path.parts
    registered = configs.joinpath(*path.parts[1:])
    return str(registered) if inside and registered.is_file() else None


def resolve_run(value: str, configs: Path = CONFIGS) -> str:
    """The file of ``--config``: see :func:`find_config`, or ``moga`` for ``configs/moga.yaml``; YAML text stays as it is.

    Raises:
        UserError: If there is no such file.
        UnknownName: If there is none of that name.
    """
    named = configs / f"{value}.yaml"
    found = find_config(value, configs) or (str(named) if named.is_file() else None)
    if found is not None or ":" in value or Path(value).exists():
        return found or value  # the parser knows what is wrong with a folder
    if value.endswith((".yaml", ".yml")):
        raise UserError(f"--config {value}: there is no such file here; configs/moga.yaml is there from any folder")
    runs = [path for folder in (configs, configs / "pretrain") for path in folder.glob("*.yaml")]
    raise UnknownName.of("--config", value, [path.relative_to(configs).with_suffix("").as_posix() for path in runs])


def resolve(kind: str, value: str, configs: Path = CONFIGS, classes: Iterable[str] = ()) -> str:
    """The file of a registered name; a path or a class stays as it is.

    Args:
        kind: Key of :data:`KINDS`.
        value: As typed.
        configs: Folder of the registry.
        classes: Names of those that there are, to be suggested too.

    Raises:
        UnknownName: For anything else; suggests the nearest name and class.
    """
    registered = configs / kind / f"{value}.yaml"
    if registered.is_file():
        return str(registered)
    file = find_config(value, configs)
    if file is not None:
        return file
    is_class = kind not in VALUES and ("." in value or value[:1].isupper()) and not value.endswith((".yaml", ".yml"))
    if is_class or value == "null":
        return value
    raise UnknownName.of(KINDS[kind], value, known_names(configs, kind), classes)


def read_yaml(file: str) -> dict[str, Any]:
    """The mapping in a YAML file; empty if there is no file, or something else in it.

    Raises:
        UserError: If it is no YAML.
    """
    path = Path(file)
    if not path.is_file():
        return {}  # the parser says so
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file} is not readable as YAML ({' '.join(str(error).split())[:160]})") from error
    return content if isinstance(content, dict) else {}
