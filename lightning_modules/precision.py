"""Precisions that cost more than they save."""

from __future__ import annotations

import lightning as L

from robustvos.sam2.cpu import computes_in_bfloat16


def slow_precision(trainer: L.Trainer) -> str:
    """What to say of a precision that this CPU can only imitate, at a fraction of its speed; empty if all is well."""
    on_cpu = trainer.strategy.root_device.type == "cpu"
    if not on_cpu or not str(trainer.precision).startswith("bf16") or computes_in_bfloat16():
        return ""
    return (
        "this CPU has no arithmetic in bfloat16 and is slower with it, often several times: --trainer.precision 32-true"
    )
