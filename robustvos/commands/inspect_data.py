"""``cli.py inspect --data NAME``: how large a dataset is, beside what was published of it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from robustvos.commands.config_files import read_yaml
from robustvos.commands.messages import refuse
from robustvos.commands.names import resolve
from robustvos.commands.system import CONFIGS
from robustvos.errors import DataNotFound, UserError

_COLUMNS = ("clips", "frames", "objects", "masks")


def inspect_data(name: str, root: Path | None = None) -> None:
    """Print a dataset's table.

    Args:
        name: A name in ``configs/data``, a YAML file of that form, or a class.
        root: Folder of the dataset; None: what the file says, or ``$ROBUSTVOS_DATA/<name>``.

    Raises:
        UnknownName: If there is no such dataset; suggests the nearest.
        DataNotFound: If it is not on disk; says where to get it, and what to set.
        UserError: If a root is given for a set that is drawn, or the file is wrong.
    """
    data = load_data(name, root)
    # Datasets stand above the library and are reached by name, as YAML files do it.
    sizes = import_module("datamodules.set_size").sizes_of(data)
    published = import_module("datamodules.published_sets")
    print("\n".join(data_table(data.name, sizes, published)))


def load_data(name: str, root: Path | None = None) -> Any:
    """The datamodule that a name stands for, once its data are known to be there; arguments and errors as above."""
    kind = import_module("datamodules").Data
    file = resolve("data", name, CONFIGS)
    node: dict[str, Any] = read_yaml(file) if Path(file).is_file() else {"class_path": file}
    if not isinstance(node.get("class_path"), str):
        raise UserError(f"{file} is no dataset: it needs a class_path, as in configs/data/davis.yaml")
    arguments = dict(node.get("init_args") or {})
    if root is not None:
        _require_root(node["class_path"], name)
        arguments["root"] = str(root)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--data", type=kind)
    try:
        config = parser.parse_object({"data": {"class_path": node["class_path"], "init_args": arguments}})
        describe = getattr(_class_of(config.data.class_path), "describe_missing", None)
        missing = None if describe is None else describe(arguments)
        if missing is not None:
            raise DataNotFound(missing)
        return parser.instantiate_classes(config)["data"]
    except ArgumentError as error:
        refuse(str(error), error)


def data_table(name: str, sizes: Sequence[Any], published: Any) -> list[str]:
    """Lines of the table.

    Args:
        name: Of the dataset.
        sizes: Rows with ``part``, ``clips``, ``frames``, ``objects`` and ``masks``.
        published: Has ``SIZES``, published rows by name of dataset, and ``SIZES_FROM``, where these come from.
    """
    told = published.SIZES.get(name)
    label = None if told is None else f"published ({told.part})"
    width = max(len(part) for part in (name, label or "", *(size.part for size in sizes))) + 2
    lines = ["".join([f"{name:<{width}}", *(f"{column:>12}" for column in _COLUMNS)])]
    lines += [_line(size.part, [getattr(size, column) for column in _COLUMNS], width) for size in sizes]
    if told is None:
        lines.append(f"the paper's Table 1 has no row for {name}")
    else:
        lines += [_line(label or "", [told.clips, told.frames, told.objects], width)]
        lines.append(f"published: {published.SIZES_FROM}{f'; {told.remark}' if told.remark else ''}")
    if sizes and not any(size.objects for size in sizes):
        lines.append(
            "no mask shows an object: are they black and white? then set binary: true (--data.binary true in runs)"
        )
    return [*lines, "objects: ids in a clip, summed over clips; masks: ids in a frame, summed over annotated frames"]


def _line(part: str, numbers: Sequence[int], width: int) -> str:
    return "".join([f"{part:<{width}}", *(f"{number:>12,}" for number in numbers)])


def _class_of(class_path: str) -> Any:
    module, _, name = class_path.rpartition(".")
    return getattr(import_module(module or "datamodules"), name)


def _require_root(class_path: str, name: str) -> None:
    if "root" not in signature(_class_of(class_path)).parameters:
        raise UserError(f"{name} is drawn, it lies in no folder: leave --root out")
