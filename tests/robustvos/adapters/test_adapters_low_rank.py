from __future__ import annotations

import pytest
import torch
from torch import nn

from robustvos.adapters.low_rank import LowRank, gated_low_rank

pytestmark = pytest.mark.fast


def explicit_sum(x, a, b, gates, scale):
    """Loop over objects, pointers and components; ``gates (P, B, R)`` as drawn, not averaged."""
    pointers, objects, rank = gates.shape
    out = torch.zeros(x.shape[0], x.shape[1], b.shape[0], dtype=x.dtype)
    for o in range(objects):
        for p in range(pointers):
            weight = sum(gates[p, o, i] * torch.outer(b[:, i], a[i]) for i in range(rank))
            out[o] = out[o] + scale / pointers * x[o] @ weight.T
    return out


def test_one_masked_product_is_the_sum_over_pointers_and_components():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 6, generator=random, dtype=torch.float64)
    a = torch.randn(4, 6, generator=random, dtype=torch.float64, requires_grad=True)
    b = torch.randn(7, 4, generator=random, dtype=torch.float64, requires_grad=True)
    gates = (torch.rand(3, 2, 4, generator=random) > 0.5).double().requires_grad_()
    weight = torch.randn(2, 5, 7, generator=random, dtype=torch.float64)

    fast = gated_low_rank(x, a, b, gates.mean(0), scale=0.5)
    slow = explicit_sum(x, a, b, gates, scale=0.5)

    torch.testing.assert_close(fast, slow)
    for one, other in zip(
        torch.autograd.grad((fast * weight).sum(), (a, b, gates)),
        torch.autograd.grad((slow * weight).sum(), (a, b, gates)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_no_gate_is_all_open():
    random = torch.Generator().manual_seed(1)
    x, a, b = (torch.randn(s, generator=random) for s in [(2, 5, 6), (4, 6), (7, 4)])
    torch.testing.assert_close(gated_low_rank(x, a, b, None, 2.0), gated_low_rank(x, a, b, torch.ones(2, 4), 2.0))
    torch.testing.assert_close(gated_low_rank(x, a, b), x @ (b @ a).T)


def test_fresh_update_fits_its_layer_and_is_zero():
    linear = nn.Linear(6, 7, dtype=torch.float64)
    update = LowRank.beside(linear, rank=3)
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    assert update.delta(x).shape == linear(x).shape
    assert update.delta(x).dtype == torch.float64
    assert not update.delta(x).any()
    assert update.is_zero()
    update.B.data[2, 1] = 1e-8
    assert not update.is_zero()
    assert update.A.abs().max() <= 1 / 6**0.5  # kaiming_uniform with a = sqrt 5
    assert update.A.any()


def test_gate_keeps_half_precision():
    update = LowRank(6, 7, rank=3).bfloat16()
    assert update.delta(torch.randn(2, 5, 6).bfloat16(), gate=torch.rand(2, 3)).dtype == torch.bfloat16
