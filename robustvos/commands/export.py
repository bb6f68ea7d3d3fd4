"""``cli.py export``: the trained weights of a run as safetensors with a model card, or in the MoGA release's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save as serialise
from torch import Tensor

from robustvos.adapters import MoGARelease
from robustvos.commands.system import System, config_of_run, load_trained_system
from robustvos.commands.tool import run_tool
from robustvos.errors import CheckpointMismatch, CheckpointNotFound, UnknownName, UserError
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.provenance import Provenance, save_adapter
from robustvos.state_dicts import read_checkpoint
from robustvos.video.atomic import atomic_path, atomic_write_bytes, atomic_write_text

_SUFFIXES = {"safetensors": ".safetensors", "release": ".pt"}
_CARD = "<!-- written by cli.py export -->"
_OF_TRAINING = ("seed_everything", "recipe", "data")  # beside adapter and trainer, what a card tells of config.yaml
_OF_TRAINER = ("max_epochs", "max_steps", "devices", "precision", "accumulate_grad_batches", "gradient_clip_val")


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(export, argv, positional=["ckpt"])


def export(
    ckpt: Path,
    out: Path,
    model: str | None = None,
    sam2: str | None = None,
    base: bool = False,
    format: str = "safetensors",
) -> None:
    """Write the trained weights of a checkpoint to OUT.

    As safetensors they name the base they belong to, and a model card is written beside them. As a release, which only
    MoGARelease can be, they are a .pt with the whole SAM 2 under the names of the public MoGA code.

    Args:
        ckpt: A run's checkpoint, e.g. runs/NAME/version_0/checkpoints/last.ckpt; or one that was exported.
        out: File to write, .safetensors or, of a release, .pt.
        model: The system that was trained, a name in configs/model; by default as the run's config.yaml says.
        sam2: The base it was trained on, a name in configs/sam2; by default as the run's config.yaml says.
        base: The checkpoint is of a whole SAM 2 that was trained from scratch, not of an adapter.
        format: safetensors or release.
    """
    if format not in _SUFFIXES:
        raise UnknownName.of("format", format, _SUFFIXES)
    if out.suffix != _SUFFIXES[format]:
        raise UserError(f"--out {out} must end in {_SUFFIXES[format]} with --format {format}")
    if base and format == "release":
        raise UserError("--format release is of an adapter; leave out --base, or the format")
    if base:
        _export_base(ckpt, out)
    else:
        system = load_trained_system(model, sam2, ckpt)
        (_export_release if format == "release" else _export_adapter)(system, ckpt, out)
    print(f"{out}: {out.stat().st_size / 2**20:.2f} MiB")


def _export_adapter(system: System, ckpt: Path, out: Path) -> None:
    if system.adapter is None:
        raise UserError(f"--model {system.name} has no adapter to export; a whole SAM 2 is exported with --base")
    size = int(system.model.image_size)
    with atomic_path(out) as partial, system.adapter.disabled():
        save_adapter(partial, system.adapter, Provenance(system.base, size, system.base_hash))
    kind = type(system.adapter).__name__
    facts = {
        "system": f"{system.name} ({kind})",
        "base": f"{system.base}, {size} px, weights {system.base_hash}",
        "parameters": f"{_count(dict(system.adapter.named_trainable_parameters())):,} trained, "
        f"{_count(dict(system.model.named_parameters())):,} in the base, which is not in the file",
    }
    use = f"python cli.py test --model {system.name} --sam2 {system.base} --ckpt_path {out.name}"
    _write_card(out, facts, use, ckpt)


def _export_release(system: System, ckpt: Path, out: Path) -> None:
    if not isinstance(system.adapter, MoGARelease):
        kind = "no adapter" if system.adapter is None else type(system.adapter).__name__
        raise UserError(f"--format release is for MoGARelease (--model moga_release); {system.name} has {kind}")
    with atomic_path(out) as partial:
        torch.save(system.adapter.release_checkpoint(), partial)


def _export_base(ckpt: Path, out: Path) -> None:
    """Every weight of a base in half precision, which SAM 2's accuracy does not notice and downloads do."""
    if not ckpt.is_file():
        raise CheckpointNotFound(f"no checkpoint at '{ckpt}'")
    state = read_checkpoint(ckpt).get("state_dict", {})
    weights = {name.removeprefix("sam2."): tensor for name, tensor in state.items() if name.startswith("sam2.")}
    if not weights:
        raise CheckpointMismatch(f"{ckpt} holds no whole SAM 2; leave out --base to export its adapter")
    settings = config_of_run(ckpt).get("sam2") or {}
    variant = settings.get("variant", "unknown")
    if settings:
        whole = set(build_sam2(Sam2Config(**{**settings, "checkpoint": "random"})).state_dict())
        missing = whole - set(weights)
        if missing:
            raise CheckpointMismatch(
                f"{ckpt} lacks {len(missing)} of the {len(whole)} tensors of {variant}, e.g. {min(missing)}: it holds no whole "
                "SAM 2; leave out --base to export its adapter"
            )
    weights = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    atomic_write_bytes(out, serialise(weights))
    facts = {
        "system": "a whole SAM 2",
        "base": f"{variant}, weights {state_hash(weights)}",
        "parameters": f"{_count(weights):,} elements, half precision",
    }
    _write_card(out, facts, f"python cli.py test --model sam2 --sam2 {variant} --sam2.checkpoint {out.name}", ckpt)


def _write_card(out: Path, facts: Mapping[str, str], use: str, ckpt: Path) -> None:
    """A page beside the weights; a page of that name that someone else wrote is left alone."""
    page = out.with_suffix(".md")
    if page.exists() and not page.read_text(encoding="utf-8", errors="replace").startswith(_CARD):
        print(f"{page} is not a model card: left as it is, no card written")
        return
    training = _training_of(config_of_run(ckpt))
    how = yaml.safe_dump(training, sort_keys=False, allow_unicode=True, width=110) if training else None
    parts = [
        f"{_CARD}\n# {out.stem}",
        "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in facts.items()),
        "## Training",
        f"From the run's `config.yaml`:\n\n```yaml\n{how}```"
        if how
        else f"No `config.yaml` was found for {ckpt.name}.",
        "## Use",
        f"```bash\n{use}\n```",
        "Any other base is refused. Names of systems and bases are files in `configs/model` and `configs/sam2`.",
        "## Licence",
        "robustvos is Apache-2.0, and so are SAM 2's published weights (Meta). The licence of these weights is for whoever "
        "shares them to state, in keeping with that of the training data.",
    ]
    atomic_write_text(page, "\n\n".join(parts) + "\n")


def _training_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's settings made its weights, without what was left unsaid."""
    arguments = (config.get("model") or {}).get("init_args") or {}
    trainer = config.get("trainer") or {}
    chosen = {
        "adapter": arguments.get("adapter"),
        **{name: config.get(name) for name in _OF_TRAINING},
        "trainer": {name: trainer.get(name) for name in _OF_TRAINER},
    }
    return _said(chosen) if config else {}


def _said(node: Any) -> Any:
    if isinstance(node, Mapping):
        kept = {name: _said(value) for name, value in node.items()}
        return {name: value for name, value in kept.items() if value is not None and value != {}}
    return node


def _count(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())
