"""``test --resume``: which folder a test goes on in, and whether it is the same test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from robustvos.errors import UserError
from robustvos.evaluation.journal import is_unfinished
from robustvos.experiments.identity import FILE, differences
from robustvos.experiments.overrides import leaves
from robustvos.termination import JOB_FILE, slurm_job

_WRITTEN = ("masks", "strips", "videos", "gates", "trainer.callbacks", "results")
"""Settings that decide which files a test leaves, but no figure."""


def resumed_test(config: Any, subcommand: str, parser: Any, identity: Callable[..., dict[str, Any]]) -> str | None:
    """The ``version_N`` of the test that ``--resume`` goes on with: the newest of the run that has begun and left no results.

    A job that SLURM starts again goes on with its own, without being asked.

    Args:
        config: Parsed settings of a loop. ``resume`` is set to False where there is nothing to go on with.
        subcommand: Name of the loop.
        parser: Lightning's, which can write the settings as ``config.yaml`` has them.
        identity: Given these in plain values and the loop's name, what decides the figures, see
            :mod:`robustvos.experiments.identity`.

    Returns:
        The folder's name in ``runs/RUN``; None to begin anew.

    Raises:
        UserError: If the loop is no test, the run keeps its files elsewhere, or the test was begun with other settings, which
            are named.
    """
    requeued = subcommand == "test" and os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")
    if not config.resume and not requeued:
        return None
    if subcommand != "test":
        how = "a training goes on with --ckpt_path FILE" if subcommand == "fit" else f"run {subcommand} again"
        raise UserError(f"--resume goes on with a test; {how}")
    if config.trainer.logger not in (None, True):
        if requeued and not config.resume:
            return None
        raise UserError(
            "--resume looks in runs/RUN/version_N, but --trainer.logger writes elsewhere; leave one of them out"
        )
    run = Path("runs", str(config.run or subcommand))
    folder = _newest(run, slurm_job(os.environ) if requeued and not config.resume else None)
    if folder is None:
        if config.resume:
            print(f"no test of {run} was left unfinished; one begins", flush=True)
        config.resume = False
        return None
    settings = yaml.safe_load(parser.dump(config, skip_none=False))
    _check_same(folder, identity(settings, subcommand), settings)
    config.resume = True
    return folder.name


def _newest(run: Path, job: str | None) -> Path | None:
    """Of the folders ``version_N``; those of one SLURM job, if it is named."""
    found = [folder for folder in run.glob("version_*") if is_unfinished(folder)]
    if job is not None:
        found = [folder for folder in found if _job_of(folder) == job]
    return max(found, key=_number, default=None)


def _number(folder: Path) -> int:
    digits = folder.name.removeprefix("version_")
    return int(digits) if digits.isdecimal() else -1


def _job_of(folder: Path) -> str | None:
    try:
        return (folder / JOB_FILE).read_text().strip()
    except OSError:
        return None


def _check_same(folder: Path, now: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    try:
        then = json.loads((folder / FILE).read_text(encoding="utf-8"))
        former = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{folder} cannot be gone on with ({error}); leave --resume out to begin anew") from error
    found = differences(now, then) + differences(_written(settings), _written(former))
    if found:
        raise UserError(
            f"{folder} was begun with other settings: {', '.join(dict.fromkeys(found))}; give those it had, or leave --resume "
            "out to begin anew"
        )


def _written(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of :data:`_WRITTEN`, flat."""
    return {
        name: value
        for name, value in leaves(settings)
        if any(name == chosen or name.startswith(f"{chosen}.") for chosen in _WRITTEN)
    }
