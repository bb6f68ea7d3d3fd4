"""Saving and loading what is trained."""

from __future__ import annotations

import pytest
import torch

from robustvos.adapters import FullFineTuning, GaRA, LayerNormTuning, LoRA, MoGA, MoGARelease
from robustvos.errors import CheckpointMismatch


@pytest.mark.parametrize(
    "make",
    [
        lambda: MoGA(rank=3),
        lambda: MoGA(rank=3, standardise=True),
        lambda: MoGA(rank=3, reads="maps"),
        lambda: MoGARelease(rank=3),
        lambda: LoRA(rank=3),
        GaRA,
        LayerNormTuning,
        FullFineTuning,
    ],
    ids=["moga", "moga_standardised", "moga_maps", "moga_release", "lora", "gara", "layer_norms", "full"],
)
@pytest.mark.parametrize("disabled", [False, True])
def test_saved_and_loaded_adapter_tracks_the_same(make_nano, clip, track, perturb, make, disabled):
    nano = make_nano()
    adapter = make().attach(nano)
    perturb(adapter)
    expected = track(nano, clip)
    adapter.enabled = not disabled
    state = adapter.adapter_state_dict()

    other = make_nano()
    receiver = make().attach(other)
    receiver.enabled = not disabled
    receiver.load_adapter_state_dict(state)
    receiver.enabled = True
    assert not receiver.is_identity()
    assert torch.equal(track(other, clip), expected)


def test_state_holds_trained_tensors_alone_under_readable_names(nano):
    state = MoGA(rank=3, layer_norms="memory_attention").attach(nano).adapter_state_dict()
    assert state["adapter.low_rank.1.cross_attn_q.A"].shape == (3, 64)
    assert state["adapter.low_rank.0.self_attn_v.B"].shape == (64, 3)
    assert state["adapter.pointer_gates.0.mlp.4.bias"].shape == (4 * 3,)
    assert "sam2.memory_attention.layers.0.norm2.weight" in state
    # 2 layers of 4 updates (A, B) and a gate of 3 linear layers; 3 norms a layer and the last one
    assert len(state) == 2 * (4 * 2 + 3 * 2) + 2 * (2 * 3 + 1)


def test_state_is_a_copy(nano, perturb):
    adapter = MoGA(rank=3).attach(nano)
    state = adapter.adapter_state_dict()
    perturb(adapter)
    adapter.load_adapter_state_dict(state)
    assert adapter.is_identity()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MoGA(rank=4), "of another shape"),
        (lambda: MoGA(rank=3, layer_norms="none"), "unexpected"),
        (lambda: MoGA(rank=3, layer_norms="all"), "missing"),
        (lambda: LoRA(rank=3), "unexpected"),
        (lambda: MoGARelease(rank=3), "missing"),
    ],
    ids=["rank", "fewer_norms", "more_norms", "lora", "release"],
)
def test_weights_of_another_adapter_are_refused_whole(make_nano, perturb, make, said):
    source = MoGA(rank=3).attach(make_nano())
    perturb(source)
    adapter = make().attach(make_nano())
    with pytest.raises(CheckpointMismatch, match=said) as error:
        adapter.load_adapter_state_dict(source.adapter_state_dict())
    assert "\n" not in str(error.value)
    assert adapter.is_identity()


def test_weights_that_are_not_finite_are_refused(nano):
    adapter = LoRA(rank=2).attach(nano)
    state = adapter.adapter_state_dict()
    state["adapter.low_rank.0.self_attn_q.B"][0, 0] = torch.nan
    with pytest.raises(CheckpointMismatch, match=r"1 not finite \(adapter.low_rank.0.self_attn_q.B\)"):
        adapter.load_adapter_state_dict(state)
