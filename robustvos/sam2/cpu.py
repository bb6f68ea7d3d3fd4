"""What this CPU can do."""

from __future__ import annotations

import torch


def computes_in_bfloat16() -> bool:
    """Whether it has instructions for bfloat16, as far as torch can tell: AVX512-BF16 or AMX."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)
