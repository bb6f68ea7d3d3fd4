"""``cli.py inspect``: the modules of a system in brief, and its parameters; or the size of a dataset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from robustvos.commands.inspect_data import inspect_data
from robustvos.commands.names import DEFAULT_BASE, DEFAULT_SYSTEM
from robustvos.commands.system import System, load_system
from robustvos.commands.tool import run_tool
from robustvos.errors import UserError

_DEPTH = 2  # levels of the module tree that are shown
_PARTS = ("image_encoder", "memory_attention", "memory_encoder", "sam_prompt_encoder", "sam_mask_decoder")


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    # The loops say --data.root, and so do the messages about missing data.
    run_tool(inspect, [f"--{token[7:]}" if re.match(r"--data\.root(=|$)", token) else token for token in argv])


def inspect(
    model: str = DEFAULT_SYSTEM, sam2: str = DEFAULT_BASE, data: str | None = None, root: Path | None = None
) -> None:
    """Print a system's modules in brief and its parameters per part; or, with --data, how large a dataset is.

    A system needs no weights, but for networks whose shape is read from them (restored_spandrel). Of a dataset clips,
    frames and objects are counted as in Table 1 of the RobustPVOS paper, for what is on disk, beside the published
    numbers; masks are read for it, frames are not.

      cli.py inspect --model moga --sam2 sam2.1_hiera_t
      cli.py inspect --data acdc_video --root data/ACDC-Video

    Args:
        model: A name in configs/model, or a YAML file.
        sam2: A name in configs/sam2, or a YAML file.
        data: A name in configs/data, or a YAML file; then no system is shown.
        root: Folder of the dataset (--data.root will do too); by default that of the YAML file, or $ROBUSTVOS_DATA/NAME.
    """
    if data is not None:
        inspect_data(data, root)
        return
    if root is not None:
        raise UserError("--root is the folder of a dataset: say which with --data NAME")
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
