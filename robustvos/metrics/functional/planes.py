"""Tensors of masks as NumPy planes, for :mod:`robustvos.metrics.kernels`."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor


def planes_of(masks: Tensor, void: Tensor | None = None) -> np.ndarray:
    """``(..., H, W)`` bool on any device as ``(N, H, W)`` on the CPU, without the pixels of ``void``."""
    if void is not None:
        masks = masks & ~void
    return masks.cpu().numpy().reshape(math.prod(masks.shape[:-2]), *masks.shape[-2:])
