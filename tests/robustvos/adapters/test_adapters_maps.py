"""Gates that read the memory's maps, where their object is."""

from __future__ import annotations

import copy

import pytest
import torch

from robustvos.adapters import MoGA
from robustvos.adapters.maps import MapReader, memory_maps, what_a_mask_adds
from robustvos.errors import CheckpointMismatch, UnknownName, UserError
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.provenance import check_settings


@pytest.fixture(scope="module")
def small():
    return build_sam2(Sam2Config("small"))


def test_maps_of_a_call_are_told_apart_and_pointers_are_left_out(nano, memory_call):
    call = memory_call(nano, torch.randn(4, 2, nano.hidden_dim), tokens_of_maps=48)
    maps = memory_maps(nano.memory_attention, (), call)
    assert maps.shape == (3, 16, 2, nano.mem_dim)
    assert torch.equal(maps[1, 5, 1], call["memory"][16 + 5, 1])
    call["curr"] = [call["curr"]]
    assert torch.equal(memory_maps(nano.memory_attention, (), call), maps)


def test_reading_is_a_mean_weighted_by_the_query(nano):
    reader = MapReader(nano).double()
    maps = torch.randn(2, 5, 3, nano.mem_dim, dtype=torch.float64)
    read = reader(maps)
    for frame in range(2):
        for thing in range(3):
            weight = torch.stack([(maps[frame, place, thing] @ reader.query).exp() for place in range(5)])
            expected = sum(w / weight.sum() * maps[frame, place, thing] for place, w in enumerate(weight))
            torch.testing.assert_close(read[frame, thing], expected, rtol=1e-10, atol=1e-10)


def test_what_a_mask_adds_finds_the_object_in_the_map(small):
    """Of a picture with structure, and the mask of a part of it: nearly all the weight lies inside."""
    random = torch.Generator().manual_seed(0)
    features = torch.randn(1, small.hidden_dim, 20, 20, generator=random)
    mask = torch.zeros(1, 1, 320, 320)
    mask[..., 64:192, 96:256] = 1.0
    low, high = small.sigmoid_bias_for_mem_enc, small.sigmoid_bias_for_mem_enc + small.sigmoid_scale_for_mem_enc
    with torch.no_grad():
        encoded = small.memory_encoder(features, low + (high - low) * mask, skip_mask_sigmoid=True)["vision_features"]
        reader = MapReader(small)
        weight = torch.softmax(encoded.flatten(2).transpose(1, 2) @ reader.query, dim=1)[0].view(20, 20)
    inside = weight[4:12, 6:16].sum()
    assert inside > 0.9, inside


def test_each_object_has_the_gates_of_its_own_features(nano, memory_call, perturb):
    adapter = MoGA(rank=40, gate_bias=0.0, reads="maps").attach(nano)
    perturb(adapter)
    call = memory_call(nano, torch.randn(4, 2, nano.hidden_dim))
    changed = {**call, "memory": call["memory"].clone()}
    changed["memory"][:16, 1] = torch.randn(16, nano.mem_dim)
    other_pointers = {**call, "memory": call["memory"].clone()}
    other_pointers["memory"][16:] = torch.randn_like(call["memory"][16:])
    seen = []
    for given in (call, changed, other_pointers):
        with adapter.recording() as gates:
            nano.memory_attention(**given)
        seen.append(torch.cat(list(gates.values()), dim=1))
    assert torch.equal(seen[0][0], seen[1][0]) and not torch.equal(seen[0][1], seen[1][1])
    assert torch.equal(seen[0], seen[2])


def test_objects_of_a_clip_share_gates_if_the_memory_is_read_as_one(nano, memory_call, perturb):
    adapter = MoGA(rank=40, gate_bias=0.0, reads="maps", conditioning="memory").attach(nano)
    perturb(adapter)
    with adapter.recording() as gates:
        nano.memory_attention(**memory_call(nano, torch.randn(4, 2, nano.hidden_dim)))
    opened = torch.cat(list(gates.values()), dim=1)
    assert torch.equal(opened[0], opened[1]) and 0 < opened.mean() < 1


def test_the_query_is_trained(nano, clip, loss_of):
    adapter = MoGA(rank=4, reads="maps").attach(nano).train()
    for update in adapter.low_rank.parameters():
        torch.nn.init.normal_(update)
    loss_of(nano(clip)).backward()
    assert adapter.map_reader.query.grad.abs().sum() > 0
    assert "adapter.map_reader.query" in adapter.adapter_state_dict()


def test_a_copy_reads_its_own_maps(nano, clip, track, perturb):
    adapter = MoGA(rank=4, gate_bias=0.0, reads="maps", standardise=True).attach(nano)
    perturb(adapter)
    expected = track(nano, clip)
    twin = copy.deepcopy(nano)
    perturb(adapter, seed=5)
    assert torch.equal(track(twin, clip), expected)


def test_frozen_model_is_left_as_it_was(make_nano):
    nano = make_nano()
    MoGA(rank=4, reads="maps").attach(nano).detach()
    before = make_nano().state_dict()
    assert all(torch.equal(value, before[name]) for name, value in nano.state_dict().items())
    assert what_a_mask_adds(nano).shape == (nano.mem_dim,)


def test_maps_need_the_tokens_of_an_object_together_and_no_pointers(nano):
    nano.use_obj_ptrs_in_encoder = False
    adapter = MoGA(rank=3, reads="maps").attach(nano)
    assert adapter.is_attached
    adapter.detach()
    nano.memory_attention.batch_first = False
    with pytest.raises(UserError, match="MoGA needs a memory_attention with batch_first on"):
        MoGA(rank=3, reads="maps").attach(nano)


def test_what_is_read_is_known():
    with pytest.raises(UnknownName, match="reads"):
        MoGA(reads="map")
    with pytest.raises(CheckpointMismatch, match="reads maps, but this MoGA has pointers"):
        check_settings(MoGA(), MoGA(reads="maps").function_settings())


def test_reading_maps_without_gates_is_refused():
    with pytest.raises(UserError, match="reads is maps, but conditioning none has no gates"):
        MoGA(conditioning="none", reads="maps")
