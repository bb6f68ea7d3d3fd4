"""Gated updates folded into the projections they stand beside, for the call that they are gated for.

In inference the gates of a frame are known before memory attention begins. ``W0 x + s B (z * A x)`` is ``W x`` with
``W = W0 + s B diag(z) A``, one matrix for each object: one small product a frame, for all projections at once, instead of
two products over all tokens of it beside each projection's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional


def folded_weights(weights: Sequence[Tensor], a: Sequence[Tensor], b: Sequence[Tensor], gates: Tensor) -> Tensor:
    """``W0 + B diag(z) A`` of each of ``N`` projections and each object.

    Args:
        weights: ``N`` of ``(out, in)``, ``W0``.
        a: ``N`` of ``(R, in)``.
        b: ``N`` of ``(out, R)``.
        gates: ``(N, B, R)``, ``z``, times the scale of the updates.

    Returns:
        ``(N, B, out, in)``.

    Source: RobustPVOS, equation 6, with the sum over components carried out first.
    """
    projections, objects, _ = gates.shape
    base = torch.stack(tuple(weights))
    gated = torch.stack(tuple(b))[:, None] * gates[:, :, None]  # (N, B, out, R)
    if objects == 1:
        return torch.baddbmm(base, gated[:, 0], torch.stack(tuple(a)))[:, None]
    product = torch.bmm(gated.flatten(1, 2), torch.stack(tuple(a)))
    return product.view(projections, objects, *base.shape[1:]).add_(base[:, None])


def is_worthwhile(linears: Sequence[nn.Linear], tokens: int) -> bool:
    """Whether folding takes fewer products than adding updates to ``tokens`` outputs of each object.

    Only for projections of one shape, which are folded together.

    >>> is_worthwhile([nn.Linear(64, 64)], 64), is_worthwhile([nn.Linear(64, 64)], 16)
    (True, False)
    """
    rows, columns = linears[0].weight.shape
    return rows * columns < tokens * (rows + columns) and all(one.weight.shape == (rows, columns) for one in linears)


def fold(linears: Sequence[nn.Linear], weights: Tensor) -> None:
    """Let projections work with ``(N, B, out, in)``, a weight for each object, until :func:`unfold`.

    Their parameters stay as they are.
    """
    work = _projected_alike if weights.shape[1] == 1 else _projected
    for linear, weight in zip(linears, weights.squeeze(1).unbind(0), strict=True):
        linear.__dict__["forward"] = partial(work, weight, linear.bias)


def unfold(linears: Iterable[nn.Linear]) -> None:
    """Let projections work with their own weights again."""
    for linear in linears:
        linear.__dict__.pop("forward", None)


def _projected_alike(weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    return functional.linear(x, weight, bias)


def _projected(weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    product = torch.bmm(x, weight.transpose(1, 2))
    return product if bias is None else product.add_(bias)
