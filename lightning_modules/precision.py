"""Precisions that cost more than they save."""

from __future__ import annotations

import lightning as L
import torch


def slow_precision(trainer: L.Trainer) -> str:
    """What to say of a precision that this CPU can only imitate, at a fraction of its speed; empty if all is well."""
    on_cpu = trainer.strategy.root_device.type == "cpu"
    if not on_cpu or not str(trainer.precision).startswith("bf16") or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return ""
    return "this CPU has no arithmetic in bfloat16 and takes several times as long with it: --trainer.precision 32-true"
