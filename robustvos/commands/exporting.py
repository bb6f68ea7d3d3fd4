"""What ``export`` does: weights to files, graphs to a folder, a system to the Hub; and the card that goes with them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from safetensors.torch import save as serialise
from torch import Tensor

from robustvos.adapters import MoGARelease
from robustvos.errors import CheckpointMismatch, CheckpointNotFound, UserError
from robustvos.files.atomic import atomic_path, atomic_write_bytes, atomic_write_text
from robustvos.files.naming import printable
from robustvos.files.paths import refuse_dataset_folders
from robustvos.program import next_command, program
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import find_checkpoint, state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.hub import push_folder, repository_of
from robustvos.sam2.onnx_export import export_onnx
from robustvos.sam2.provenance import save_adapter
from robustvos.state_dicts import read_checkpoint
from robustvos.systems.loading import config_of_run, read_settings
from robustvos.systems.system import System

_CARD = "<!-- written by cli.py export -->"
_OF_TRAINING = ("seed_everything", "recipe", "data")  # beside adapter and trainer, what a card tells of config.yaml
_OF_TRAINER = ("max_epochs", "max_steps", "devices", "precision", "accumulate_grad_batches", "gradient_clip_val")


def export_graphs(system: System, out: Path, ckpt: Path | None = None) -> None:
    """Write ONNX graphs; say how they are run."""
    refuse_dataset_folders(out)
    if out.suffix:
        raise UserError(f"--out {out}: with --onnx give a folder")
    for path in export_onnx(system.model, out):
        print(f"{path}: {path.stat().st_size / 2**20:.2f} MiB")
    print("they run in onnxruntime; docs/model_zoo.md says how to call them from elsewhere")
    named = ["--model", system.name, "--sam2", system.sam2.variant, *(["--ckpt_path", ckpt] if ckpt else [])]
    print(printable(next_command("track", "VIDEO", "--point", "x,y", *named, "--onnx", out, "--out", "tracked")))


def push_system(system: System, repository: str, licence: str, ckpt: Path | None) -> None:
    """Put a system and its card on the Hugging Face Hub."""
    with TemporaryDirectory() as folder:
        system.save_pretrained(folder)
        card = [
            f"---\nlicense: {licence}\nlibrary_name: robustvos\n---\n",
            f"# {system.name} on {system.sam2.variant}\n",
            *(f"- {name}: {value}" for name, value in _facts_of(system).items()),
            f"\n```python\nfrom robustvos import load_system\n\nsystem = load_system('hf://{repository_of(repository)}')\n```",
        ]
        training = _training_of(config_of_run(ckpt)) if ckpt else {}
        if training:
            card.append(f"\n## Training\n\n```yaml\n{yaml.safe_dump(training, sort_keys=False)}```")
        atomic_write_text(Path(folder) / "README.md", "\n".join(card) + "\n")
        name = push_folder(Path(folder), repository, licence)
    print(f"pushed: {name}")
    print(next_command("inspect", "--model", name))


def _facts_of(system: System) -> dict[str, str]:
    """What a card says first."""
    size = int(system.model.image_size)
    held = _count(dict(system.model.named_parameters()))
    own = 0 if system.adapter is None else _count(dict(system.adapter.named_trainable_parameters()))
    kind = "no adapter" if system.adapter is None else type(system.adapter).__name__
    return {
        "system": f"{system.name} ({kind})",
        "base": f"{system.sam2.variant}, {size} px, weights {system.base.hash}",
        "parameters": f"{own:,} trained, {held:,} in the base" + (", which is not in the file" if own else ""),
    }


def base_weights(model: str | None, sam2: str | None, ckpt: Path) -> Path | None:
    """The file of the base's weights, which belongs to whoever published them; None if there is none here."""
    base = read_settings(model, sam2, ckpt).sam2
    try:
        return None if base.checkpoint == "random" else find_checkpoint(base)
    except CheckpointNotFound:  # said where it is needed
        return None


def export_adapter(system: System, ckpt: Path, out: Path, half: bool = False) -> list[str]:
    """Returns what uses it, up to the file's name."""
    if system.adapter is None:
        raise UserError(f"--model {system.name} has no adapter to export; a whole SAM 2 is exported with --base")
    with atomic_path(out) as partial, system.adapter.disabled():
        save_adapter(partial, system.adapter, system.base, half)
    facts = _facts_of(system)
    use = ["test", "--model", system.name, "--sam2", system.sam2.variant, "--ckpt_path"]
    _write_card(out, facts, f"{program()} {shlex.join([*use, out.name])}", ckpt)
    return use


def export_release(system: System, ckpt: Path, out: Path) -> list[str]:
    """Write what the public MoGA code reads; returns what uses it, up to the file's name."""
    if not isinstance(system.adapter, MoGARelease):
        kind = "no adapter" if system.adapter is None else type(system.adapter).__name__
        raise UserError(f"--format release is for MoGARelease (--model moga_release); {system.name} has {kind}")
    with atomic_path(out) as partial:
        torch.save(system.adapter.release_checkpoint(), partial)
    return ["test", "--model", system.name, "--sam2", system.sam2.variant, "--ckpt_path"]


def export_base(ckpt: Path, out: Path) -> list[str]:
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
        whole = set(build_sam2(Sam2Config(**{**settings, "checkpoint": "random", "trunk_weights": None})).state_dict())
        missing = whole - set(weights)
        if missing:
            raise CheckpointMismatch(
                f"{ckpt} lacks {len(missing)} of the {len(whole)} tensors of {variant}, e.g. {min(missing)}: it holds no whole "
                "SAM 2; leave out --base to export its adapter"
            )
    weights = {
        name: (tensor.to(torch.float16) if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in weights.items()
    }
    atomic_write_bytes(out, serialise(weights))
    facts = {
        "system": "a whole SAM 2",
        "base": f"{variant}, weights {state_hash(weights)}",
        "parameters": f"{_count(weights):,} elements, half precision",
    }
    use = ["test", "--model", "sam2", "--sam2", variant, "--sam2.checkpoint"]
    _write_card(out, facts, f"{program()} {shlex.join([*use, out.name])}", ckpt)
    return use


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
