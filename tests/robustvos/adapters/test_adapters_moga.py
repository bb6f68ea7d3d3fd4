"""MoGA against its equations, written out slowly."""

from __future__ import annotations

import math

import pytest
import torch

from robustvos.adapters import LoRA, MoGA
from robustvos.errors import UserError

PLACES = {
    "self_attn_q": "self_attn.q_proj",
    "self_attn_k": "self_attn.k_proj",
    "self_attn_v": "self_attn.v_proj",
    "cross_attn_q": "cross_attn_image.q_proj",
}


def listen(model, layer):
    """What each adapted projection of a layer receives and gives."""
    heard = {}

    def note(name):
        def hook(module, args, output):
            heard[name] = (args[0], output.clone())  # SAM 2 rotates keys in place afterwards

        return hook

    for name, path in PLACES.items():
        model.get_submodule(f"memory_attention.layers.{layer}.{path}").register_forward_hook(note(name))
    return heard


def slow_logits(state, layer, pointer):
    """Equation 2, neuron by neuron."""
    x = pointer.tolist()
    for number in (0, 2, 4):
        weight = state[f"adapter.pointer_gates.{layer}.mlp.{number}.weight"].tolist()
        bias = state[f"adapter.pointer_gates.{layer}.mlp.{number}.bias"].tolist()
        x = [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]
        if number < 4:
            x = [max(v, 0.0) for v in x]
    return x


@pytest.mark.parametrize("conditioning", ["object", "memory", "none"])
def test_evaluation_is_equation_6(nano, memory_call, perturb, conditioning):
    nano.double()
    adapter = MoGA(rank=3, conditioning=conditioning, gate_hidden=5, scale=0.7, gate_bias=0.0).attach(nano)
    perturb(adapter)
    pointers = torch.randn(4, 2, nano.hidden_dim)
    heard = listen(nano, layer=1)
    call = {k: v.double() if torch.is_tensor(v) else v for k, v in memory_call(nano, pointers).items()}
    nano.memory_attention(**call)

    state = adapter.adapter_state_dict()
    seen_gates = set()
    for position, name in enumerate(PLACES):
        x, h = heard[name]
        a, b = state[f"adapter.low_rank.1.{name}.A"], state[f"adapter.low_rank.1.{name}.B"]
        base = nano.get_submodule(f"memory_attention.layers.1.{PLACES[name]}")
        for o in range(2):
            expected = x[o] @ base.weight.T + base.bias
            for p in range(4):
                pointer = pointers[p, o] if conditioning == "object" else pointers.mean((0, 1))
                alpha = [1.0] * 3  # any open gate
                if conditioning != "none":
                    alpha = slow_logits(state, 1, pointer)[position * 3 : position * 3 + 3]
                for i in range(3):
                    z = 1.0 if 1 / (1 + math.exp(-alpha[i])) > 0.5 else 0.0
                    seen_gates.add(z)
                    expected = expected + 0.7 / 4 * z * torch.outer(x[o] @ a[i], b[:, i])
            torch.testing.assert_close(h[o], expected, rtol=1e-9, atol=1e-9)
    assert conditioning == "none" or seen_gates == {0.0, 1.0}


@pytest.mark.parametrize("conditioning", ["object", "memory"])
def test_standardised_gates_do_not_see_what_all_pointers_share(nano, memory_call, perturb, conditioning):
    """Pointers shifted and stretched alike, and read by gates that learned of such: the same gates."""
    torch.manual_seed(2)
    shift, stretch = 20 * torch.randn(nano.hidden_dim), 3.0
    training = [torch.randn(4, 2, nano.hidden_dim) for _ in range(30)]
    seen = []
    for change in (lambda p: p, lambda p: stretch * p + shift):
        torch.manual_seed(3)
        adapter = MoGA(rank=40, gate_bias=0.0, conditioning=conditioning, standardise=True).attach(nano).train()
        perturb(adapter)
        for pointers in training:
            nano.memory_attention(**memory_call(nano, change(pointers)))
        adapter.eval()
        with adapter.recording() as gates:
            nano.memory_attention(**memory_call(nano, change(training[0])))
        seen.append(torch.cat(list(gates.values()), dim=1))
        adapter.detach()
    assert (seen[0] != seen[1]).float().mean() < 0.01
    assert 0.1 < seen[0].mean() < 0.9


def test_training_draws_one_gate_per_pointer_and_averages(nano, memory_call, perturb):
    adapter = MoGA(rank=40, gate_bias=0.0).attach(nano).train()
    perturb(adapter)
    call = memory_call(nano, torch.randn(4, 2, nano.hidden_dim))
    heard = listen(nano, layer=0)
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        with adapter.recording() as gates:
            nano.memory_attention(**call)
        draws.append(gates["layers.0.self_attn_v"])
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert set((4 * draws[0]).unique().tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert set(gates) == {f"layers.{i}.{name}" for i in (0, 1) for name in PLACES}
    assert not torch.equal(gates["layers.0.self_attn_v"], gates["layers.0.self_attn_q"])

    x, h = heard["self_attn_v"]
    update, base = adapter.low_rank[0]["self_attn_v"], nano.memory_attention.layers[0].self_attn.v_proj
    expected = x @ base.weight.T + base.bias + (draws[2][:, None] * (x @ update.A.T)) @ update.B.T
    torch.testing.assert_close(h, expected, rtol=1e-4, atol=1e-4)


def test_evaluation_does_not_depend_on_chance_or_temperature(nano, clip, track, perturb):
    adapter = MoGA(rank=8, gate_bias=0.0).attach(nano)
    perturb(adapter)
    expected = track(nano, clip)
    adapter.tau = 0.9
    torch.manual_seed(123)
    assert torch.equal(track(nano, clip), expected)


def test_evaluation_may_shuffle_or_open_the_gates(nano, memory_call, perturb):
    torch.manual_seed(5)
    adapter = MoGA(rank=16, gate_bias=0.0).attach(nano)
    perturb(adapter)
    call, seen = memory_call(nano, torch.randn(3, 2, nano.hidden_dim)), {}
    for how in ("learned", "shuffled", "open", "shuffled again"):
        adapter.evaluation_gates = how.split()[0]
        with adapter.recording() as gates:
            output = nano.memory_attention(**call)
        seen[how] = (gates["layers.1.self_attn_q"], output)
    learned, shuffled, opened, again = (seen[how] for how in seen)
    assert torch.equal(opened[0], torch.ones(2, 16))
    assert torch.equal(shuffled[0].sort(1).values, learned[0].sort(1).values) and not torch.equal(
        shuffled[0], learned[0]
    )
    assert torch.equal(shuffled[1], again[1]) and not torch.equal(shuffled[1], learned[1])

    adapter.train()
    drawn = []
    for how in ("open", "learned"):
        adapter.evaluation_gates = how
        torch.manual_seed(0)
        drawn.append(nano.memory_attention(**call))
    assert torch.equal(*drawn), "training always uses the learned gates"


def test_temperature_reaches_the_gates_gradient(nano, memory_call, perturb):
    adapter = MoGA(rank=8).attach(nano).train()
    perturb(adapter, by=0.05)
    call = memory_call(nano, torch.randn(2, 2, nano.hidden_dim))
    slopes = []
    for tau in (0.1, 0.1, 2.0):
        adapter.tau = tau
        adapter.zero_grad()
        torch.manual_seed(0)
        nano.memory_attention(**call).pow(2).sum().backward()
        slopes.append(adapter.pointer_gates[0].mlp[4].bias.grad.clone())
    torch.testing.assert_close(slopes[0], slopes[1])
    assert not torch.allclose(slopes[0], slopes[2])


def test_no_conditioning_is_lora(nano, clip, track, perturb):
    torch.manual_seed(2)
    adapter = MoGA(rank=3, conditioning="none").attach(nano)
    perturb(adapter)
    state, gated = adapter.adapter_state_dict(), track(nano, clip)
    adapter.detach()
    LoRA(rank=3).attach(nano).load_adapter_state_dict(state)
    assert torch.equal(track(nano, clip), gated)


@pytest.mark.parametrize("conditioning", ["object", "memory"])
def test_order_of_objects_does_not_matter(nano, make_batch, track, perturb, conditioning):
    adapter = MoGA(rank=16, conditioning=conditioning, gate_bias=0.0).attach(nano)
    perturb(adapter)
    batch, order = make_batch(objects=(3,)), torch.tensor([2, 0, 1])
    expected = track(nano, batch)[:, order]
    batch.masks = batch.masks[:, order]
    torch.testing.assert_close(track(nano, batch), expected, rtol=1e-3, atol=1e-3)


def gates_of(adapter, model, memory_call, pointers):
    with torch.no_grad(), adapter.recording() as gates:
        model.memory_attention(**memory_call(model, pointers))
    return gates["layers.0.self_attn_q"]


def test_object_conditioning_keeps_objects_apart(nano, memory_call, perturb):
    adapter = MoGA(rank=64, gate_bias=0.0).attach(nano)
    perturb(adapter)
    pointers = torch.randn(2, 3, nano.hidden_dim)
    before = gates_of(adapter, nano, memory_call, pointers)
    pointers[:, 0] = torch.randn(2, nano.hidden_dim)
    after = gates_of(adapter, nano, memory_call, pointers)
    assert torch.equal(before[1:], after[1:])
    assert not torch.equal(before[0], after[0])
    assert not torch.equal(before[1], before[2])


def test_memory_conditioning_shares_gates_within_a_clip_alone(nano, memory_call, perturb):
    adapter = MoGA(rank=64, conditioning="memory", gate_bias=0.0).attach(nano)
    perturb(adapter)
    adapter.object_to_clip = torch.tensor([0, 0, 1])
    pointers = torch.randn(2, 3, nano.hidden_dim)
    before = gates_of(adapter, nano, memory_call, pointers)
    assert torch.equal(before[0], before[1])
    assert not torch.equal(before[0], before[2])
    pointers[:, 0] = 5 * torch.randn(2, nano.hidden_dim)
    after = gates_of(adapter, nano, memory_call, pointers)
    assert not torch.equal(before[1], after[1])
    assert torch.equal(before[2], after[2])


def test_memory_conditioning_draws_one_gate_per_clip_in_training(nano, memory_call):
    adapter = MoGA(rank=64, conditioning="memory").attach(nano).train()
    drawn = gates_of(adapter, nano, memory_call, torch.randn(2, 3, nano.hidden_dim))
    assert torch.equal(drawn[0], drawn[1])
    assert set(drawn.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("conditioning", ["object", "memory"])
def test_a_memory_without_pointers_opens_nothing(nano, memory_call, perturb, conditioning):
    adapter = MoGA(rank=3, conditioning=conditioning, layer_norms="none").attach(nano)
    call = memory_call(nano, torch.empty(0, 2, nano.hidden_dim))
    expected = nano.memory_attention(**call)
    perturb(adapter)
    assert torch.equal(nano.memory_attention(**call), expected)


def test_gates_are_recorded_on_request_alone(nano, clip, track):
    adapter = MoGA(rank=3).attach(nano)
    track(nano, clip)
    assert adapter.gates() == {}
    with adapter.recording() as outer:
        with adapter.recording() as inner:
            track(nano, clip)
            assert adapter.gates()["layers.1.cross_attn_q"].shape == (2, 3)
        assert adapter.gates().keys() == outer.keys() == inner.keys(), "both listen"
        assert all(torch.equal(outer[name], inner[name]) for name in outer)
    assert adapter.gates() == {}


def test_recordings_end_in_any_order(nano, clip, track):
    adapter = MoGA(rank=3).attach(nano)
    first, second = adapter.recording(), adapter.recording()
    begun, later = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)
    track(nano, clip)
    second.__exit__(None, None, None)
    assert begun == {} and later
    assert adapter.gates() == {}


def test_layers_called_by_themselves_are_refused(nano):
    MoGA(rank=3).attach(nano)
    frame = torch.randn(1, 16, nano.hidden_dim)
    with pytest.raises(RuntimeError, match="MoGA's gates of layers are set when"):
        nano.memory_attention.layers[0].self_attn(frame, frame, frame)


def test_a_failing_call_leaves_no_gates_behind(nano, memory_call):
    MoGA(rank=3).attach(nano)
    call = memory_call(nano, torch.randn(1, 1, nano.hidden_dim))
    with pytest.raises(Exception):  # noqa: B017 - whatever SAM 2 says of it
        nano.memory_attention(**(call | {"curr": torch.randn(16, 1, 3)}))
    with pytest.raises(RuntimeError, match="MoGA's gates of layers are set when"):
        nano.memory_attention.layers[0].self_attn.q_proj(torch.randn(1, 16, nano.hidden_dim))


def test_works_under_autocast(nano, clip, perturb, loss_of):
    adapter = MoGA(rank=3).attach(nano).train()
    perturb(adapter, by=0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(nano(clip))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in adapter.trainable_parameters())


def test_model_without_pointers_in_its_memory_is_refused(nano):
    nano.use_obj_ptrs_in_encoder = False
    with pytest.raises(UserError, match="use LoRA"):
        MoGA(rank=3).attach(nano)
    assert MoGA(rank=3, conditioning="none").attach(nano).is_attached


def test_adapter_follows_the_train_mode_of_its_host(nano):
    assert not MoGA(rank=3).attach(nano).training


def test_gates_that_are_not_there_cannot_be_standardised():
    with pytest.raises(UserError, match="standardise is true, but conditioning none has no gates"):
        MoGA(conditioning="none", standardise=True)
