"""``cli.py inspect --model NAME``: the modules of a system in brief, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from robustvos.program import next_command
from robustvos.systems.loading import load_system
from robustvos.systems.system import System

_DEPTH = 2  # levels of the module tree that are shown
_PARTS = ("image_encoder", "memory_attention", "memory_encoder", "sam_prompt_encoder", "sam_mask_decoder")


def inspect_system(
    model: str | Mapping[str, Any], sam2: str | Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> None:
    """Print a system; arguments as of :func:`robustvos.systems.loading.load_system`."""
    system = load_system(model, sam2=sam2, settings=settings, ready=False)
    if system.adapter is None:
        system.model.requires_grad_(False)
    if system.restorer is not None:
        system.restorer.requires_grad_(False)
    print(f"{system.name} on {system.sam2.variant}, {system.model.image_size} px")
    print("\n".join(tree(system.model, "sam2")))
    if system.adapter is not None:
        print("\n".join(tree(system.adapter, "adapter")))
    if system.restorer is not None:
        print("\n".join(tree(system.restorer, "restorer")))
    print()
    print("\n".join(parameter_table(system)))
    named = [w for flag, name in (("--model", model), ("--sam2", sam2)) if isinstance(name, str) for w in (flag, name)]
    named += [word for name, value in (settings or {}).items() for word in (f"--{name}", value)]
    loop = ["test"] if system.adapter is None else ["fit", "--config", "configs/moga.yaml"]
    print(next_command(*loop, *named))


def tree(module: nn.Module, name: str, depth: int = _DEPTH, indent: str = "") -> list[str]:
    """One line a module: name, class, parameters; ``depth`` levels deep; equal neighbours are counted, not repeated."""
    lines = [f"{indent}{name}  {type(module).__name__}  {_count(module):,}"]
    if depth == 0:
        return lines
    for child_name, child in module.named_children():
        if _count(child):
            lines += tree(child, child_name, depth - 1, indent + "  ")
    return lines


def parameter_table(system: System) -> list[str]:
    """Lines with total and trainable parameters of each part, of the base, of the adapter, of the restorer, and of all."""
    rows = [
        (part, _count(m), _count(m, True)) for part in _PARTS if (m := getattr(system.model, part, None)) is not None
    ]
    base, base_trained = _count(system.model), _count(system.model, True)
    rows.append(("other", base - sum(r[1] for r in rows), base_trained - sum(r[2] for r in rows)))
    rows.append(("SAM 2", base, base_trained))
    own = _count(system.adapter) if system.adapter is not None else 0
    trained = _count(system.adapter, True) if system.adapter is not None else 0
    name = type(system.adapter).__name__ if system.adapter is not None else "no adapter"
    rows.append((name, own, trained))
    if system.restorer is not None:
        rows.append((type(system.restorer).__name__, _count(system.restorer), 0))
    restoring = _count(system.restorer) if system.restorer is not None else 0
    rows.append(("total", base + own + restoring, base_trained + trained))
    lines = [f"{'part':<20}{'parameters':>14}{'trainable':>14}"]
    for part, count, trainable in rows:
        lines.append(f"{part:<20}{count:>14,}{trainable:>14,}")
    lines.append(f"SAM 2 {base / 1e6:.1f} M, trainable {(base_trained + trained) / 1e6:.2f} M")
    return lines


def _count(module: nn.Module, trainable: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)
