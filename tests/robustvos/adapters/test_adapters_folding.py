"""In inference the updates are folded into the projections: the same outputs, and nothing left behind."""

from __future__ import annotations

import pytest
import torch

from robustvos.adapters import MoGA
from robustvos.adapters.folding import folded_weights
from robustvos.adapters.low_rank import gated_low_rank

TOKENS = 64  # so many that folding is worthwhile: 64 of 64 channels


@pytest.fixture
def calls(nano, memory_call):
    """Arguments of memory attention on 64 tokens, for so many objects."""

    def make(objects, pointers=3):
        random = torch.Generator().manual_seed(objects)
        found = memory_call(nano, torch.randn(pointers, objects, nano.hidden_dim, generator=random), TOKENS)
        frame = torch.randn(TOKENS, 1, nano.hidden_dim, generator=random).expand(-1, objects, -1)
        return {**found, "curr": frame, "curr_pos": torch.randn(TOKENS, objects, nano.hidden_dim, generator=random)}

    return make


@pytest.fixture
def moga(nano, perturb):
    adapter = MoGA(rank=8, scale=0.7).attach(nano)
    perturb(adapter)
    return adapter


def is_folded_in(nano, call) -> bool:
    """Whether a projection works with other weights than its own while memory attention runs."""
    seen = []
    projection = nano.memory_attention.layers[0].self_attn.q_proj
    hook = projection.register_forward_pre_hook(lambda module, args: seen.append("forward" in vars(module)))
    nano.memory_attention(**call)
    hook.remove()
    return seen == [True]


@pytest.mark.parametrize("objects", [1, 3])
def test_folded_projections_give_what_updates_beside_them_give(nano, moga, calls, objects):
    call = calls(objects)
    beside = nano.memory_attention(**call).detach()  # with gradients nothing is folded
    with torch.no_grad(), moga.recording() as gates:
        folded = nano.memory_attention(**call)
        assert is_folded_in(nano, call)
    assert not is_folded_in(nano, call)
    assert 0 < torch.stack(list(gates.values())).mean() < 1
    torch.testing.assert_close(folded, beside, atol=2e-5, rtol=1e-5)
    with torch.no_grad(), moga.disabled():
        assert not is_folded_in(nano, call)
        assert (nano.memory_attention(**call) - beside).abs().max() > 0.1  # the updates do something


def test_the_folded_weight_is_equation_6_as_a_matrix():
    random = torch.Generator().manual_seed(0)
    w, a, b = (torch.randn(size, generator=random).double() for size in [(2, 6, 5), (2, 3, 5), (2, 6, 3)])
    gates = torch.rand(2, 4, 3, generator=random).double()
    x = torch.randn(4, 7, 5, generator=random).double()
    folded = folded_weights(list(w), list(a), list(b), 0.5 * gates)
    for i in range(2):
        beside = x @ w[i].T + gated_low_rank(x, a[i], b[i], gates[i], 0.5)
        torch.testing.assert_close(x @ folded[i].transpose(1, 2), beside)
    torch.testing.assert_close(folded_weights(list(w), list(a), list(b), 0.5 * gates[:, :1]), folded[:, :1])


def test_a_change_of_the_weights_counts_at_once(nano, moga, calls, perturb):
    call = calls(1)
    with torch.no_grad():
        before = nano.memory_attention(**call)
    perturb(moga, seed=2)
    beside = nano.memory_attention(**call).detach()
    with torch.no_grad():
        torch.testing.assert_close(nano.memory_attention(**call), beside, atol=2e-5, rtol=1e-5)
    assert (before - beside).abs().max() > 0.01


def test_a_call_that_fails_leaves_the_projections_as_they_were(nano, moga, calls):
    call = calls(1)
    names = [name for name, module in nano.named_modules() if "forward" in vars(module)]
    with torch.no_grad(), pytest.raises(RuntimeError):
        nano.memory_attention(**{**call, "memory_pos": call["memory_pos"][:, :, :5]})
    assert [name for name, module in nano.named_modules() if "forward" in vars(module)] == names
    moga.detach()
    with torch.no_grad():
        assert not is_folded_in(nano, call)


def test_half_precision_and_few_tokens_are_not_folded(nano, moga, calls, memory_call):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert not is_folded_in(nano, calls(1))
    with torch.no_grad():
        assert not is_folded_in(nano, memory_call(nano, torch.randn(2, 1, nano.hidden_dim)))  # 16 tokens
