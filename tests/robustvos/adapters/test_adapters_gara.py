"""GaRA against its equations, written out slowly, in every kind of Hiera's blocks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from robustvos.adapters import GaRA
from robustvos.errors import UserError

# Nano's blocks: in windows (padded, pooled with twice the width) and global
BLOCKS = range(6)


def block_of(model, i):
    return model.image_encoder.trunk.blocks[i]


def frames_for(block, count=5, side=12, seed=0):
    """Inputs that the windows do not divide, so that some are padded."""
    random = torch.Generator().manual_seed(seed)
    mean = 3 * torch.randn(count, 1, 1, block.dim, generator=random)
    return (mean + torch.randn(count, side, side, block.dim, generator=random)).double()


def mlp(state, key, x):
    """Layer by layer, neuron by neuron."""
    numbers = sorted({int(name.split(".")[-2]) for name in state if name.startswith(f"{key}.")})
    for number in numbers:
        weight, bias = state[f"{key}.{number}.weight"].tolist(), state[f"{key}.{number}.bias"].tolist()
        x = [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]
        if number != numbers[-1]:
            x = [max(v, 0.0) for v in x]
    return x


def is_open(logit):
    return 1 / (1 + math.exp(-logit)) > 0.5


def slow_update(state, i, frame, low, high):
    """``dW`` of the fused projection for one frame ``(H, W, C)``, and what was chosen."""
    pooled = [sum(row) / len(row) for row in frame.flatten(0, 1).T.tolist()]
    gates = f"adapter.frame_gates.{i}"
    z_s = 1.0 if is_open(mlp(state, f"{gates}.choice", pooled)[0]) else 0.0
    z_low = [is_open(v) for v in mlp(state, f"{gates}.low.mlp", pooled)]
    z_high = [is_open(v) for v in mlp(state, f"{gates}.high.mlp", pooled)]
    thirds = []
    for position, part in enumerate("qkv"):
        a, b = state[f"adapter.low_rank.{i}.{part}.A"], state[f"adapter.low_rank.{i}.{part}.B"]
        update = torch.zeros(len(b), a.shape[1], dtype=a.dtype)
        for r in range(low):
            update += (1 - z_s) * z_low[position * low + r] * torch.outer(b[:, r], a[r])
        for r in range(high):
            update += z_s * z_high[position * high + r] * torch.outer(b[:, low + r], a[low + r])
        thirds.append(update)
    return torch.cat(thirds), z_s, {*z_low, *z_high}


def test_evaluation_is_each_frames_own_weights_in_every_block(nano, make_nano, perturb):
    nano.double()
    adapter = GaRA(rank_low=2, rank_high=3, choice_hidden=7, gate_hidden=5, gate_bias=0.0).attach(nano)
    perturb(adapter)
    state, plain = adapter.adapter_state_dict(), make_nano().double()
    assert len(nano.image_encoder.trunk.blocks) == len(BLOCKS)
    choices, open_or_shut, shapes = set(), set(), set()
    with torch.no_grad():
        for i in BLOCKS:
            frames = frames_for(block_of(nano, i))
            adapted = block_of(nano, i)(frames)
            qkv = block_of(plain, i).attn.qkv
            original = qkv.weight.clone()
            for frame, got in zip(frames, adapted, strict=True):
                update, z_s, open_here = slow_update(state, i, frame, 2, 3)
                qkv.weight.copy_(original + update)
                torch.testing.assert_close(got, block_of(plain, i)(frame[None])[0], rtol=1e-9, atol=1e-9)
                choices.add(z_s)
                open_or_shut |= open_here
            shapes.add((block_of(nano, i).window_size, block_of(nano, i).pool is not None))
    assert choices == {0.0, 1.0}
    assert open_or_shut == {False, True}
    assert {(8, True), (0, False), (8, False)} <= shapes


def choose(adapter, logit, component=50.0):
    """Gates that do not look: gate 1 with this logit, every component with that one."""
    with torch.no_grad():
        for gates in adapter.frame_gates:
            gates.choice[-1].weight.zero_()
            gates.choice[-1].bias.fill_(logit)
            for gate in (gates.low, gates.high):
                gate.mlp[-1].weight.zero_()
                gate.mlp[-1].bias.fill_(component)


def heard_update(model, adapter, frames, i=3):
    """What the adapter adds to the fused projection of a global block: ``(F, H W, 3 C')``."""
    heard = []
    handle = block_of(model, i).attn.qkv.register_forward_hook(lambda m, a, out: heard.append((a[0], out.clone())))
    block_of(model, i)(frames)
    handle.remove()
    (x, out), qkv = heard[0], block_of(model, i).attn.qkv
    return (out - (x @ qkv.weight.T + qkv.bias)).flatten(1, 2)


def test_training_draws_a_set_for_each_frame_as_often_as_its_logit_says(nano, perturb):
    nano.double()
    adapter = GaRA(rank_low=1, rank_high=1).attach(nano).train()
    perturb(adapter)
    choose(adapter, logit=-0.4)
    frames = frames_for(block_of(nano, 3), count=1, side=2).expand(3000, -1, -1, -1)
    with torch.no_grad():
        torch.manual_seed(0)
        drawn = heard_update(nano, adapter, frames)
        adapter.eval()
        choose(adapter, logit=-1.0)
        low = heard_update(nano, adapter, frames[:1])
        choose(adapter, logit=1.0)
        high = heard_update(nano, adapter, frames[:1])
    is_low, is_high = ((drawn - update).abs().amax((1, 2)) < 1e-9 for update in (low, high))
    assert torch.equal(is_low, ~is_high)  # one of them, never both, never half
    assert float(is_high.double().mean()) == pytest.approx(1 - math.exp(-math.exp(-0.4)), abs=0.03)


def test_q_k_and_v_have_components_and_selections_of_their_own(nano, perturb):
    nano.double()
    adapter = GaRA(rank_low=1, rank_high=2).attach(nano)
    perturb(adapter)
    choose(adapter, logit=1.0)
    frames = frames_for(block_of(nano, 3))
    before = heard_update(nano, adapter, frames).detach().chunk(3, -1)
    with torch.no_grad():
        adapter.frame_gates[3].high.mlp[-1].bias[2:4] = -50.0  # k's two
    after = heard_update(nano, adapter, frames).detach().chunk(3, -1)
    assert torch.equal(after[0], before[0]) and torch.equal(after[2], before[2])
    assert before[1].abs().min() > 0 and after[1].abs().max() < 1e-12
    assert not any(torch.allclose(before[i], before[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_frames_know_nothing_of_one_another(nano, perturb):
    adapter = GaRA(gate_bias=0.0).attach(nano)
    perturb(adapter, by=0.1)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        together = nano.image_encoder(images)["vision_features"]
        for image, expected in zip(images, together, strict=True):
            alone = nano.image_encoder(image[None])["vision_features"][0]
            torch.testing.assert_close(alone, expected, rtol=1e-3, atol=1e-3)


def test_evaluation_does_not_depend_on_chance_or_temperature(nano, clip, track, perturb):
    adapter = GaRA(gate_bias=0.0).attach(nano)
    perturb(adapter)
    expected = track(nano, clip)
    adapter.tau = 0.9
    torch.manual_seed(123)
    assert torch.equal(track(nano, clip), expected)


def test_every_parameter_and_the_temperature_reach_the_gradient(nano, perturb):
    adapter = GaRA(rank_low=2, rank_high=3, gate_bias=0.0).attach(nano).train()
    perturb(adapter, by=0.05)
    images = torch.randn(24, 3, 64, 64, generator=torch.Generator().manual_seed(4))  # some frames choose either set
    slopes = []
    for tau in (0.5, 0.5, 2.0):
        adapter.tau = tau
        adapter.zero_grad()
        torch.manual_seed(0)
        nano.image_encoder(images)["vision_features"].pow(2).mean().backward()
        slopes.append(adapter.frame_gates[0].choice[-1].bias.grad.clone())
    torch.testing.assert_close(slopes[0], slopes[1])
    assert not torch.allclose(slopes[0], slopes[2])
    assert all(p.grad.any() for p in adapter.parameters())


def test_works_under_autocast(nano, clip, perturb, loss_of):
    adapter = GaRA().attach(nano).train()
    perturb(adapter, by=0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(nano(clip))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in adapter.trainable_parameters())


def test_failed_attach_leaves_the_model_untouched(nano):
    block_of(nano, 2).attn.qkv = nn.Identity()
    del block_of(nano, 4).attn.qkv
    with pytest.raises(UserError) as error:
        GaRA().attach(nano)
    assert "blocks.2.attn.qkv is a Identity, not a Linear" in str(error.value)
    assert "blocks.4.attn.qkv is missing" in str(error.value)
    assert all(p.requires_grad for p in nano.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in nano.modules())


def test_other_trunks_are_refused(nano):
    nano.image_encoder.trunk = nn.Conv2d(3, 8, 4)
    with pytest.raises(UserError, match=r"image_encoder\.trunk\.blocks is missing"):
        GaRA().attach(nano)


def test_projection_that_is_not_fused_is_refused(nano):
    block_of(nano, 1).attn.qkv = nn.Linear(24, 50)
    with pytest.raises(UserError, match="50 outputs"):
        GaRA().attach(nano)


def test_gates_are_recorded_for_each_frame(nano, perturb):
    adapter = GaRA(rank_low=2, rank_high=3).attach(nano)
    perturb(adapter)
    with torch.no_grad(), adapter.recording() as gates:
        nano.image_encoder(torch.randn(2, 3, 64, 64))
    blocks = len(nano.image_encoder.trunk.blocks)
    assert list(gates) == [f"blocks.{i}.{part}" for i in range(blocks) for part in "qkv"]
    for gate in gates.values():
        assert gate.shape == (2, 5) and set(gate.unique().tolist()) <= {0.0, 1.0}
        assert not (gate[:, :2].any(1) & gate[:, 2:].any(1)).any()  # one set or the other
    assert not adapter.per_object and adapter.gates() == {}


def test_attention_called_by_itself_is_refused(nano):
    GaRA().attach(nano)
    block = block_of(nano, 3)
    with pytest.raises(RuntimeError, match="GaRA's gates of blocks.3 are set when"):
        block.attn(torch.randn(1, 4, 4, block.dim))


def test_a_failing_call_leaves_no_gates_behind(nano):
    GaRA().attach(nano)
    block = block_of(nano, 3)
    block.mlp = nn.Linear(3, 3)
    with pytest.raises(RuntimeError):
        block(torch.randn(1, 4, 4, block.dim))
    with pytest.raises(RuntimeError, match="GaRA's gates of blocks.3 are set when"):
        block.attn(torch.randn(1, 4, 4, block.dim))
