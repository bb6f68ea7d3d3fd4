"""The release's variant against its description, written out slowly."""

from __future__ import annotations

import pytest
import torch

from robustvos.adapters import MoGARelease
from robustvos.errors import CheckpointMismatch

pytestmark = pytest.mark.fast


def test_evaluation_changes_the_input_by_the_mean_over_pointer_tokens(nano, memory_call, perturb):
    nano.double()
    adapter = MoGARelease(rank=4, alpha=2.0).attach(nano)
    perturb(adapter)
    call = memory_call(nano, torch.randn(3, 2, nano.hidden_dim))
    call = {k: v.double() if torch.is_tensor(v) else v for k, v in call.items()}
    attention = nano.memory_attention.layers[1]
    received, given = {}, {}
    for name, module in {
        "q": attention.self_attn.q_proj,
        "k": attention.self_attn.k_proj,
        "v": attention.self_attn.v_proj,
        "ca": attention.cross_attn_image.q_proj,
        "ca_k": attention.cross_attn_image.k_proj,
    }.items():
        module.register_forward_pre_hook(lambda m, a, name=name: received.update({name: a[0]}), prepend=True)
        module.register_forward_hook(lambda m, a, out, name=name: given.update({name: out.clone()}))
    nano.memory_attention(**call)

    state = adapter.release_state_dict()
    tokens = call["memory"][-call["num_obj_ptr_tokens"] :]

    def moved(place, x):
        key = f"memory_attention.layers.1.{place}_"
        out = x.clone()
        for o in range(2):
            for token in tokens[:, o]:
                h = state[f"{key}gate.masklet_proj.weight"] @ token + state[f"{key}gate.masklet_proj.bias"]
                h = state[f"{key}gate.object_gate.0.weight"] @ h + state[f"{key}gate.object_gate.0.bias"]
                h = state[f"{key}gate.object_gate.2.weight"] @ h.relu() + state[f"{key}gate.object_gate.2.bias"]
                for i in range(4):
                    if h[i].sigmoid() > 0.5:
                        a, b = state[f"{key}lora_A.weight"][i], state[f"{key}lora_B.weight"][:, i]
                        out[o] = out[o] + 2.0 / 4 / len(tokens) * torch.outer(x[o] @ a, b)
        return out

    sa, ca = attention.self_attn, attention.cross_attn_image
    torch.testing.assert_close(given["q"], sa.q_proj.forward(moved("sa", received["q"])))
    torch.testing.assert_close(given["k"], sa.k_proj.forward(moved("sa", received["k"])))
    torch.testing.assert_close(given["v"], sa.v_proj.forward(received["v"]))
    torch.testing.assert_close(given["ca"], ca.q_proj.forward(moved("ca", received["ca"])))
    torch.testing.assert_close(given["ca_k"], ca.k_proj.forward(received["ca_k"]))


def test_release_checkpoint_goes_both_ways(nano, clip, track, perturb):
    adapter = MoGARelease(rank=4).attach(nano)
    perturb(adapter)
    expected = track(nano, clip)
    checkpoint = nano.state_dict() | adapter.release_state_dict()  # the whole model and what was added
    checkpoint = {name: tensor.clone() for name, tensor in checkpoint.items()}
    adapter.detach()

    receiver = MoGARelease(rank=4).attach(nano)
    receiver.load_release_state_dict(checkpoint)
    assert torch.equal(track(nano, clip), expected)


def test_other_checkpoints_are_refused(nano):
    adapter = MoGARelease(rank=4, layer_norms="none").attach(nano)
    with pytest.raises(CheckpointMismatch, match="'model'"):
        adapter.load_release_state_dict(nano.state_dict())
    state = adapter.release_state_dict()
    state.pop("memory_attention.layers.0.ca_lora_B.weight")
    with pytest.raises(CheckpointMismatch, match="1 missing"):
        adapter.load_release_state_dict(state)


def test_training_draws_per_token_and_evaluation_is_deterministic(nano, memory_call):
    adapter = MoGARelease(rank=64).attach(nano)
    call = memory_call(nano, torch.randn(3, 2, nano.hidden_dim))

    def gates(seed):
        torch.manual_seed(seed)
        with adapter.recording() as kept:
            nano.memory_attention(**call)
        return kept["layers.0.sa"]

    assert torch.equal(gates(0), gates(1))
    adapter.train()
    assert not torch.equal(gates(0), gates(1))
    assert torch.equal((12 * gates(0)).round() / 12, gates(0))


def test_a_memory_without_pointers_opens_nothing_in_the_release(nano, memory_call, perturb):
    adapter = MoGARelease(rank=3, layer_norms="none").attach(nano)
    call = memory_call(nano, torch.empty(0, 2, nano.hidden_dim))
    expected = nano.memory_attention(**call)
    perturb(adapter)
    assert torch.equal(nano.memory_attention(**call), expected)
