from __future__ import annotations

import math

import pytest
import torch

from robustvos.adapters.gate import PointerGate, Standardisation, decided_gate, gumbel_noise, sampled_gate

pytestmark = pytest.mark.fast


def slow_soft(alpha: float, noise: float, tau: float) -> float:
    """Equation 3 for one component."""
    return 1 / (1 + math.exp(-(alpha + noise) / tau))


def test_sampled_gate_is_equation_4_forward_and_backward():
    random = torch.Generator().manual_seed(0)
    pointers, objects, components, tau = 3, 2, 4, 0.7
    logits = torch.randn(pointers, objects, components, generator=random, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(logits.shape, generator=random, dtype=torch.float64)
    weight = torch.randn(logits.shape, generator=random, dtype=torch.float64)

    gate = sampled_gate(logits, tau, noise)
    (gate * weight).sum().backward()

    for p in range(pointers):
        for o in range(objects):
            for i in range(components):
                soft = slow_soft(logits[p, o, i].item(), noise[p, o, i].item(), tau)
                assert gate[p, o, i].item() == (1.0 if soft > 0.5 else 0.0)
                slope = weight[p, o, i].item() * soft * (1 - soft) / tau
                assert logits.grad[p, o, i].item() == pytest.approx(slope, rel=1e-9)


def test_decided_gate_is_strict():
    logits = torch.tensor([-2.0, -1e-6, 0.0, 1e-6, 2.0])
    assert decided_gate(logits).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("alpha", [-2.0, 0.0, 1.0])
def test_chance_of_an_open_gate_is_one_sided(alpha):
    torch.manual_seed(3)
    draws = 40_000
    share = sampled_gate(torch.full((draws,), alpha), tau=0.3).mean().item()
    chance = 1 - math.exp(-math.exp(alpha))
    assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / draws)


def test_gumbel_noise_has_the_mean_and_variance_of_gumbel():
    torch.manual_seed(4)
    noise = gumbel_noise(torch.empty(100_000, dtype=torch.bfloat16))
    assert noise.dtype == torch.float32
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.02)
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, abs=0.05)


def test_temperature_shapes_the_gradient_alone():
    alpha, noise = torch.tensor([-0.5, 0.2, 1.0]), torch.tensor([0.4, 0.1, -3.0])
    gates, slopes = [], []
    for tau in (0.1, 0.3, 5.0):
        logits = alpha.clone().requires_grad_()
        gate = sampled_gate(logits, tau, noise)
        gate.sum().backward()
        gates.append(gate.tolist())
        slopes.append(logits.grad[2].item())  # far from the threshold: a low temperature forgets it
    assert gates[0] == gates[1] == gates[2]
    assert slopes[0] < slopes[1] < slopes[2]


def test_half_precision_logits_give_exact_gates():
    gate = sampled_gate(torch.randn(1000).bfloat16(), tau=0.1)
    assert set(gate.unique().tolist()) == {0.0, 1.0}


def test_fresh_gate_starts_around_its_bias():
    torch.manual_seed(5)
    gate = PointerGate(pointer_dim=8, hidden=16, projections=4, rank=5, bias=1.0)
    pointers = 0.1 * torch.randn(3, 2, 8)
    logits = gate(pointers)
    assert logits.shape == (3, 2, 4, 5)
    assert decided_gate(logits).all()
    assert not decided_gate(PointerGate(8, 16, 4, 5, bias=-1.0)(pointers)).any()


def test_standardisation_learns_the_statistics_of_all_batches_alike_while_they_are_few():
    torch.manual_seed(6)
    batches = [torch.randn(n, 5) * torch.tensor([1.0, 2, 3, 4, 5]) + 20 for n in (40, 40, 40)]
    layer = Standardisation(5).double()
    for batch in batches:
        layer(batch.double().view(8, 5, 5))
    seen = torch.cat(batches).double()
    torch.testing.assert_close(layer.mean, seen.mean(0))
    torch.testing.assert_close(layer.variance, seen.var(0, unbiased=False))
    standard = layer.eval()(seen)
    torch.testing.assert_close(standard.mean(0), torch.zeros(5).double())
    torch.testing.assert_close(standard.std(0, unbiased=False), torch.ones(5).double(), rtol=1e-5, atol=0)
    assert layer.calls == 3, "evaluation leaves the statistics alone"


def test_standardisation_follows_what_changes_later():
    layer = Standardisation(1, momentum=0.5)
    for value in [0.0] * 20 + [1.0] * 20:
        layer(torch.full((4, 1), value))
    assert layer.mean.item() == pytest.approx(1.0, abs=1e-5)
    assert layer.variance.item() == pytest.approx(0.0, abs=1e-4)


def test_standardisation_of_half_precision_and_of_one_row_is_finite():
    layer = Standardisation(3)
    out = layer(torch.full((1, 3), 7.0).bfloat16())
    assert out.dtype == torch.bfloat16 and not out.any()
