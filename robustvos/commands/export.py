"""``cli.py export``: the trained weights of a run as safetensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from robustvos.commands.system import load_trained_system
from robustvos.commands.tool import run_tool
from robustvos.errors import CheckpointMismatch, CheckpointNotFound, UserError
from robustvos.sam2.checkpoints import read_checkpoint
from robustvos.sam2.provenance import Provenance, save_adapter
from robustvos.video.atomic import atomic_path


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(export, argv, positional=["ckpt"])


def export(ckpt: Path, out: Path, model: str | None = None, sam2: str | None = None, base: bool = False) -> None:
    """Write the trained weights of a checkpoint to OUT (.safetensors), naming the base they belong to.

    Args:
        ckpt: A run's checkpoint, e.g. runs/NAME/version_0/checkpoints/last.ckpt.
        out: File to write.
        model: The system that was trained, a name in configs/model; by default as the run's config.yaml says.
        sam2: The base it was trained on, a name in configs/sam2; by default as the run's config.yaml says.
        base: The checkpoint is of a whole SAM 2 that was trained from scratch, not of an adapter.
    """
    if out.suffix != ".safetensors":
        raise UserError(f"--out {out} must end in .safetensors")
    if base:
        _export_base(ckpt, out)
    else:
        system = load_trained_system(model, sam2, ckpt)
        if system.adapter is None:
            raise UserError(f"--model {system.name} has no adapter to export; a whole SAM 2 is exported with --base")
        with atomic_path(out) as partial, system.adapter.disabled():
            save_adapter(partial, system.adapter, Provenance(system.base, system.model.image_size, system.base_hash))
    print(f"{out}: {out.stat().st_size / 2**20:.2f} MiB")


def _export_base(ckpt: Path, out: Path) -> None:
    """Every weight of a base in half precision, which SAM 2's accuracy does not notice and downloads do."""
    if not ckpt.is_file():
        raise CheckpointNotFound(f"no checkpoint at '{ckpt}'")
    state = read_checkpoint(ckpt).get("state_dict", {})
    weights = {name.removeprefix("sam2."): tensor for name, tensor in state.items() if name.startswith("sam2.")}
    if not weights:
        raise CheckpointMismatch(f"{ckpt} holds no whole SAM 2; leave out --base to export its adapter")
    with atomic_path(out) as partial:
        save_file({name: t.to(torch.float16).contiguous() for name, t in weights.items()}, partial)
