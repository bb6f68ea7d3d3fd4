"""``cli.py inspect``: the modules of a system in brief, and its parameters."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from robustvos.commands.names import DEFAULT_BASE, DEFAULT_SYSTEM
from robustvos.commands.system import System, load_system
from robustvos.commands.tool import run_tool

_DEPTH = 2  # levels of the module tree that are shown
_PARTS = ("image_encoder", "memory_attention", "memory_encoder", "sam_prompt_encoder", "sam_mask_decoder")


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(inspect, argv)


def inspect(model: str = DEFAULT_SYSTEM, sam2: str = DEFAULT_BASE) -> None:
    """Print the module tree of a system in brief, and its parameters, total and trainable, per part. Needs no weights.

    Args:
        model: A name in configs/model, or a YAML file.
        sam2: A name in configs/sam2, or a YAML file.
    """
    system = load_system(model, sam2, weights=False)
    if system.adapter is not None:
        system.adapter.attach(system.model)
    else:
        system.model.requires_grad_(False)
    if system.restorer is not None:
        system.restorer.requires_grad_(False)
    print(f"{system.name} on {system.base}, {system.model.image_size} px")
    print("\n".join(tree(system.model, "sam2")))
    if system.adapter is not None:
        print("\n".join(tree(system.adapter, "adapter")))
    if system.restorer is not None:
        print("\n".join(tree(system.restorer, "restorer")))
    print()
    print("\n".join(parameter_table(system)))


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
