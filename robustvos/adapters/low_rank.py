"""A low-rank update of a linear layer, whose rank-1 components may be gated one by one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import Self


def gated_low_rank(x: Tensor, a: Tensor, b: Tensor, gate: Tensor | None = None, scale: float = 1.0) -> Tensor:
    """``scale * sum_i gate_i b_i a_i^T x``, as one low-rank product.

    Averaging the updates of several gates ``z_t`` needs no loop over ``t``: ``b`` is linear, hence
    ``mean_t b (z_t * a x) = b (mean_t(z_t) * a x)``. Pass the mean as ``gate``.

    Args:
        x: ``(B, N, in)``.
        a: ``(R, in)``, the rows ``a_i``.
        b: ``(out, R)``, the columns ``b_i``.
        gate: ``(B, R)`` in [0, 1], one row per element of the batch; None leaves all components open.
        scale: Factor of the whole.

    Returns:
        ``(B, N, out)``, of the type that the linear products have (half precision under autocast).

    Source: RobustPVOS, equation 6; LoRA, section 4.1.
    """
    components = functional.linear(x, a)
    if gate is not None:
        components = components * (scale * gate).to(components.dtype)[:, None, :]
    elif scale != 1.0:
        components = components * scale
    return functional.linear(components, b)


class LowRank(nn.Module):
    """The matrices of ``delta W = B A``: ``A`` random, ``B`` zero, so that a fresh update is nothing.

    Args:
        in_features: Size of the input.
        out_features: Size of the output.
        rank: Number ``R`` of rank-1 components.

    Attributes:
        A: ``(R, in)``, uniform as ``nn.Linear`` draws its weights.
        B: ``(out, R)``, zero.
    """

    def __init__(self, in_features: int, out_features: int, rank: int) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.empty(rank, in_features))
        self.B = nn.Parameter(torch.zeros(out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    @classmethod
    def beside(cls, linear: nn.Linear, rank: int) -> Self:
        """One that fits ``linear``, on its device and of its type."""
        return cls(linear.in_features, linear.out_features, rank).to(linear.weight)

    def delta(self, x: Tensor, gate: Tensor | None = None, scale: float = 1.0) -> Tensor:
        """What is added to the layer's output for its input ``x (B, N, in)``; see :func:`gated_low_rank`."""
        return gated_low_rank(x, self.A, self.B, gate, scale)

    def is_zero(self) -> bool:
        """Whether the update is nothing, whatever the input."""
        return not bool(self.B.any())
