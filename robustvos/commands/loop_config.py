"""What a training or evaluation loop needs besides what was said: a strategy, a checkpoint that is there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch

from robustvos.errors import CheckpointNotFound
from robustvos.progress import is_watched
from robustvos.state_dicts import read_checkpoint
from robustvos.termination import JOB_FILE, slurm_job

TRAINER_DEFAULTS = {
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,  # the system says what it trains in one line
    "reload_dataloaders_every_n_epochs": 1,  # every epoch has clips of its own, also after a resumption
}
_DISTRIBUTED = "ddp_find_unused_parameters_true"  # not every step prompts in every way, or tracks at all
_KEYWORDS = ("best", "last", "hpc")  # checkpoints that Lightning finds by itself


def prefer_requeued(config: Any, subcommand: str | None) -> None:
    """A training that SLURM starts again goes on from what it saved before, not from the checkpoint of its command line.

    That is the newest checkpoint of the folders ``version_N`` that this job has made, or an ``hpc_ckpt_N.ckpt`` beside them
    if one is newer: those Lightning finds by itself, but only where no checkpoint is given.
    """
    root = Path(config.trainer.default_root_dir or f"runs/{config.run or subcommand}")
    again = os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")
    if subcommand != "fit" or not again:
        return
    saved = [*root.glob("hpc_ckpt_*.ckpt"), *_saved_by_job(Path("runs") / str(config.run or subcommand))]
    if saved:
        newest = max(saved, key=lambda path: path.stat().st_mtime_ns)
        config.ckpt_path = None if newest.name.startswith("hpc_ckpt_") else str(newest)


def _saved_by_job(run: Path) -> list[Path]:
    """Checkpoints to go on from in the folders that this SLURM job has made: ``last`` and ``interrupted`` ones."""
    own = [
        note.parent for note in run.glob(f"version_*/{JOB_FILE}") if note.read_text().strip() == slurm_job(os.environ)
    ]
    names = ("last*.ckpt", "interrupted.ckpt")
    return [path for folder in own for name in names for path in (folder / "checkpoints").glob(name)]


def trainer_settings(trainer: Any, run: str, subcommand: str | None, io: Any) -> dict[str, Any]:
    """What depends on other settings: a strategy that fits several processes, a folder of the run's own, how it is saved.

    Args:
        trainer: Parsed settings of Lightning's trainer; what was said there stays.
        run: Name of the run. Checkpoints of preempted trainings are left in ``runs/RUN`` and looked for there, so that no
            other run takes them for its own.
        subcommand: Only ``fit`` has such checkpoints; evaluations must not find them.
        io: Lightning's ``CheckpointIO`` for checkpoints, unless the trainer brings its own.
    """
    processes = process_count(trainer.devices, trainer.accelerator, trainer.num_nodes, torch.cuda.device_count())
    return {
        "strategy": _DISTRIBUTED if trainer.strategy == "auto" and processes > 1 else trainer.strategy,
        "default_root_dir": trainer.default_root_dir
        or f"runs/{run}" + ("" if subcommand == "fit" else f"/{subcommand}"),
        "plugins": _plugins(trainer, io),
        **({} if is_watched(sys.stdout) else {"enable_progress_bar": False}),  # callbacks.MinuteLines speaks
    }


def _plugins(trainer: Any, io: Any) -> list[Any]:
    """The trainer's own plugins, and ``io`` unless they or the strategy write checkpoints of another kind."""
    given = trainer.plugins or []
    plugins = list(given) if isinstance(given, list | tuple) else [given]
    strategy = str(getattr(trainer.strategy, "strategy_name", trainer.strategy)).lower()
    special = any(name in strategy for name in ("deepspeed", "xla", "model_parallel"))
    return plugins if special or any(hasattr(plugin, "save_checkpoint") for plugin in plugins) else [*plugins, io]


def process_count(devices: Any, accelerator: str, nodes: int = 1, gpus: int = 0) -> int:
    """How many processes a run has.

    Args:
        devices: As Lightning takes it: a number, ``auto``, -1 for all, or a list; also as text.
        accelerator: ``auto``, ``cpu``, ``gpu``, ...
        nodes: Machines.
        gpus: On this machine.

    >>> [process_count(devices, "cpu") for devices in (1, "auto", 2, "2")]
    [1, 1, 2, 2]
    >>> [process_count(devices, "auto", gpus=4) for devices in ("auto", -1, "0,3", [1])]
    [4, 4, 2, 1]
    """
    if isinstance(devices, str):
        devices = devices.strip()
        if "," in devices:
            devices = [part for part in devices.split(",") if part.strip()]
        elif devices.lstrip("-").isdigit():
            devices = int(devices)
    if isinstance(devices, list | tuple):
        return nodes * len(devices)
    if isinstance(devices, int) and devices >= 0:
        return nodes * devices
    return nodes * (gpus if accelerator in ("auto", "gpu", "cuda") and gpus else 1)


def check_checkpoint(path: Any) -> None:
    """Refuse a checkpoint that is not there, or cannot be read, before anything is built."""
    if path is None or str(path) in _KEYWORDS or "://" in str(path) or str(path).startswith("registry"):
        return
    if not Path(path).is_file():
        raise CheckpointNotFound(
            f"no checkpoint at '{path}'; a run leaves it in runs/NAME/version_N/checkpoints/last.ckpt{_others(Path(path))}"
        )
    if Path(path).suffix != ".safetensors":
        read_checkpoint(Path(path))


def _others(path: Path) -> str:
    """Checkpoints of other versions of the same run, if ``path`` is of a run that was asked for: ``; did you mean ...``."""
    run = path.parent.parent.parent
    found = sorted(map(str, run.glob("version_*/checkpoints/*.ckpt"))) if path.parent.name == "checkpoints" else []
    return f"; did you mean {' or '.join(found[-3:])}?" if found else ""
