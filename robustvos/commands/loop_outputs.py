"""Where a training or evaluation loop writes: never over, or among, what it reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from robustvos.files.names import check_relative
from robustvos.files.paths import existing_paths, lies_in, refuse_dataset_folders, refuse_inputs_as_output

_READ = ("data", "model", "sam2")


def check_outputs(settings: Mapping[str, Any], subcommand: str) -> None:
    """Refuse folders of results that are or contain data, lists, prompt files or weights, or lie among a dataset's files.

    Checkpoints that a training goes on from may lie in its own folder; weights and whatever else is read, in an earlier
    version of the same run.

    Args:
        settings: All of a loop, parsed: ``run``, ``trainer``, ``checkpoint``, ``data``, ``model``, ``sam2``.
        subcommand: Name of the run where none is given.

    Raises:
        UnsafePath: Naming the setting, the folder, and what is read.
    """
    if settings.get("run") is not None:
        check_relative(settings["run"], "--run (a name below runs/)")
    inputs = [path for name in _READ for path in existing_paths(settings.get(name))]
    inputs += existing_paths(os.environ.get("ROBUSTVOS_DATA"))
    for folder in _logger_roots(settings):
        refuse_inputs_as_output(folder, [path for path in inputs if lies_in(folder, path)], "--trainer.logger.save_dir")
    for what, folder in _folders(settings, subcommand):
        refuse_inputs_as_output(folder, _but_of_earlier_versions(inputs, folder) if what == "--run" else inputs, what)
        refuse_dataset_folders(folder, what)


def _but_of_earlier_versions(inputs: Sequence[Path], run: Path) -> list[Path]:
    """Inputs that do not lie in a ``version_N`` of the run: a version is made anew, and earlier ones are left as they are."""
    versions = list(run.glob("version_*"))
    return [path for path in inputs if not any(lies_in(path, version) for version in versions)]


def _folders(settings: Mapping[str, Any], subcommand: str) -> Iterator[tuple[str, Path]]:
    """Each folder that is written to, and the setting that names it; a version that is made anew holds nothing yet."""
    trainer = settings.get("trainer") or {}
    run = Path("runs", settings.get("run") or subcommand)
    root = Path(trainer.get("default_root_dir") or run)
    yield "--trainer.default_root_dir" if trainer.get("default_root_dir") else "--run", root
    for arguments in _loggers(settings):
        parts = [str(arguments[key]) for key in ("save_dir", "name") if arguments.get(key)]
        version = arguments.get("version")
        if version is not None:
            parts.append(version if isinstance(version, str) else f"version_{version}")
        if parts:
            yield "--trainer.logger", Path(*parts)
    dirpath = (settings.get("checkpoint") or {}).get("dirpath")
    if dirpath:
        yield "--checkpoint.dirpath", Path(dirpath)


def _loggers(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Arguments of each logger that was configured; none where Lightning's default, or none, is used."""
    logger = (settings.get("trainer") or {}).get("logger")
    nodes = logger if isinstance(logger, list) else [logger]
    return [node.get("init_args") or {} for node in nodes if isinstance(node, dict)]


def _logger_roots(settings: Mapping[str, Any]) -> list[Path]:
    """Where loggers make the folders of runs: may contain what is read, but not be it."""
    return [Path(arguments["save_dir"]) for arguments in _loggers(settings) if arguments.get("save_dir")]
