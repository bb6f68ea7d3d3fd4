"""What a training or evaluation loop needs besides what was said: a strategy, a checkpoint that is there."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import torch

from robustvos.errors import CheckpointNotFound
from robustvos.state_dicts import read_checkpoint
from robustvos.video.atomic import atomic_write_text

TRAINER_DEFAULTS = {
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,  # the system says what it trains in one line
    "reload_dataloaders_every_n_epochs": 1,  # every epoch has clips of its own, also after a resumption
}
_DISTRIBUTED = "ddp_find_unused_parameters_true"  # not every step prompts in every way, or tracks at all
_KEYWORDS = ("best", "last", "hpc")  # checkpoints that Lightning finds by itself


def prefer_requeued(config: Any, subcommand: str | None) -> None:
    """A training that SLURM starts again goes on from what it saved before, not from the checkpoint of its command line.

    Lightning looks for ``hpc_ckpt_N.ckpt`` only where no checkpoint is given.
    """
    root = Path(config.trainer.default_root_dir or f"runs/{config.run or subcommand}")
    again = os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")
    if subcommand == "fit" and again and config.ckpt_path is not None and any(root.glob("hpc_ckpt_*.ckpt")):
        config.ckpt_path = None


def trainer_settings(trainer: Any, run: str, subcommand: str | None) -> dict[str, Any]:
    """What depends on other settings: a strategy that fits several processes, a folder of the run's own.

    Args:
        trainer: Parsed settings of Lightning's trainer; what was said there stays.
        run: Name of the run. Checkpoints of preempted trainings are left in ``runs/RUN`` and looked for there, so that no
            other run takes them for its own.
        subcommand: Only ``fit`` has such checkpoints; evaluations must not find them.
    """
    processes = process_count(trainer.devices, trainer.accelerator, trainer.num_nodes, torch.cuda.device_count())
    return {
        "strategy": _DISTRIBUTED if trainer.strategy == "auto" and processes > 1 else trainer.strategy,
        "default_root_dir": trainer.default_root_dir
        or f"runs/{run}" + ("" if subcommand == "fit" else f"/{subcommand}"),
    }


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


def note_trained(trainer: Any) -> str:
    """Leave ``trained.json`` in the folder of a run that was trained to its end; returns its last checkpoint, or nothing.

    :mod:`robustvos.commands.experiment` reads it, so that what is trained is not trained again. A run that was resumed at
    its end has nothing to do and leaves no checkpoint of its own: the note goes beside the one it was given.
    """
    last = str(getattr(trainer.checkpoint_callback, "last_model_path", "") or trainer.ckpt_path or "")
    by_epochs = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch
    by_steps = 0 <= trainer.max_steps <= trainer.global_step
    if last and trainer.is_global_zero and trainer.state.finished and (by_epochs or by_steps):
        content = {"checkpoint": last, "command": shlex.join(sys.argv[1:])}
        atomic_write_text(Path(last).parent.parent / "trained.json", json.dumps(content))
    return last
