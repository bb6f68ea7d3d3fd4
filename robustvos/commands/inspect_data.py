"""``cli.py inspect --data NAME``: how large a dataset is, beside what was published of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from datamodules import Data
from robustvos.datasets import published_sets
from robustvos.errors import DataNotFound, UserError
from robustvos.parsing import make, subclass_names
from robustvos.program import next_command
from robustvos.registry import read_yaml, resolve

_COLUMNS = ("clips", "frames", "objects", "masks")


def inspect_data(name: str, settings: Mapping[str, Any] | None = None) -> None:
    """Print a dataset's table.

    Args:
        name: A name in ``configs/data``, a YAML file of that form, or a class.
        settings: Single settings by the names that the command line gives them, e.g. ``data.root``.

    Raises:
        UnknownName: If there is no such dataset; suggests the nearest.
        DataNotFound: If it is not on disk; says where to get it, and what to set.
        UserError: If a root is given for a set that is drawn, or the file is wrong.
    """
    data = load_data(name, settings)
    print("\n".join(data_table(data.name or name, data.sizes(), published_sets)))
    said = [word for setting, value in (settings or {}).items() for word in (f"--{setting}", value)]
    print(next_command("test", "--model", "sam2", "--data", name, *said))


def load_data(name: str, settings: Mapping[str, Any] | None = None, missing: bool = False) -> Data:
    """The datamodule that a name stands for, once its data are known to be there, or ``missing`` allows that they are not.

    Arguments and errors as above.
    """
    node, said = _node(name), dict(settings or {})
    class_path = node["class_path"]
    if "." not in class_path:
        class_path = f"datamodules.{class_path}"
    root = said.get("data.root")
    try:
        class_: Any = resolve_name(class_path)
    except (ImportError, AttributeError):
        # of a plugin, by its short name; else this refuses it, and says which there are
        class_ = type(make(Data, "data", node, [f"{key}={value}" for key, value in said.items()]))
    if root is not None and "root" not in signature(class_).parameters:
        raise UserError(f"{name} is drawn, it lies in no folder: leave --data.root out")
    describe = getattr(class_, "describe_missing", None)
    arguments = {**(node.get("init_args") or {}), **({} if root is None else {"root": root})}
    data: Data = make(Data, "data", node, [f"{key}={value}" for key, value in said.items()])
    lacking = None if describe is None or missing else describe(arguments)
    if lacking is not None:
        raise DataNotFound(lacking)
    return data


def _node(name: str) -> dict[str, Any]:
    """Class and arguments."""
    file = resolve("data", name, classes=subclass_names(Data))
    node = read_yaml(file) if Path(file).is_file() else {"class_path": file}
    if not isinstance(node.get("class_path"), str):
        raise UserError(f"{file} is no dataset: it needs a class_path, as in configs/data/davis.yaml")
    return node


def data_table(name: str, sizes: Sequence[Any], published: Any) -> list[str]:
    """Lines of the table.

    Args:
        name: Of the dataset.
        sizes: Rows with ``part``, ``clips``, ``frames``, ``objects`` and ``masks``.
        published: Has ``SIZES``, published rows by name of dataset, and ``PUBLISHED``, sets that such a row may be missed of.
    """
    row = published.SIZES.get(name)
    label = None if row is None else f"published ({row.part})"
    width = max(len(part) for part in (name, label or "", *(size.part for size in sizes))) + 2
    lines = ["".join([f"{name:<{width}}", *(f"{column:>12}" for column in _COLUMNS)])]
    lines += [_line(size.part, [getattr(size, column) for column in _COLUMNS], width) for size in sizes]
    if row is None and name in published.PUBLISHED:
        lines.append(f"the paper's Table 1 has no row for {name}")
    elif row is not None:
        lines += [_line(label or "", [row.clips, row.frames, row.objects], width)]
        lines.append(f"published: {row.source}{f'; {row.remark}' if row.remark else ''}")
    if sizes and not any(size.objects for size in sizes):
        lines.append("no mask shows an object: are they black and white? then give --data.binary true")
    return [*lines, "objects: ids in a clip, summed over clips; masks: ids in a frame, summed over annotated frames"]


def _line(part: str, numbers: Sequence[int], width: int) -> str:
    return "".join([f"{part:<{width}}", *(f"{number:>12,}" for number in numbers)])
