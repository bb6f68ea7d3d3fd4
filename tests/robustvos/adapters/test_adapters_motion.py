"""Motion cues: nothing at first, the right pictures of what moves, and the same in training as when frames stream by."""

from __future__ import annotations

import copy

import pytest
import torch

from robustvos.adapters import FullFineTuning, LoRA, MoGA
from robustvos.adapters.motion import STATE, advanced, moved, pictures
from robustvos.adapters.parts import part_parameters
from robustvos.errors import UserError
from robustvos.sam2.tracker import track
from robustvos.types import Prompt


def square(x, y, size=32, side=8):
    logits = torch.full((1, 1, size, size), -20.0)
    logits[..., y : y + side, x : x + side] = 20.0
    return logits


@pytest.fixture
def film():
    frames = [torch.full((3, 64, 64), 40, dtype=torch.uint8) for _ in range(6)]
    for t, frame in enumerate(frames):
        frame[:, 20:40, 5 + 4 * t : 25 + 4 * t] = 200
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[20:40, 5:25] = True
    return frames, [Prompt(1, mask=mask)]


def logits(model, film):
    return torch.cat([found.logits for found in track(model, *film)])


def lively(adapter):
    torch.manual_seed(0)
    torch.nn.init.normal_(adapter.motion_cue.embed.weight, std=0.5)
    return adapter


@pytest.mark.parametrize("kind", [MoGA, LoRA, FullFineTuning])
def test_a_fresh_cue_is_nothing_and_a_trained_one_goes_with_the_adapter(make_nano, film, kind):
    model = make_nano()
    before = logits(model, film)
    adapter = kind(motion=True).attach(model)
    assert torch.equal(logits(model, film), before) and adapter.is_identity()
    lively(adapter)
    assert not torch.equal(logits(model, film), before) and not adapter.is_identity()
    with adapter.disabled():
        assert torch.equal(logits(model, film), before)
    state = adapter.adapter_state_dict()
    after = logits(model, film)
    adapter.detach()
    assert torch.equal(logits(model, film), before)
    kind(motion=True).attach(model).load_adapter_state_dict(state)
    assert torch.equal(logits(model, film), after)


def test_a_deep_copy_has_a_cue_of_its_own(make_nano, film):
    model = make_nano()
    adapter = lively(LoRA(motion=True).attach(model))
    after = logits(model, film)
    other = copy.deepcopy(torch.nn.ModuleDict({"model": model, "adapter": adapter}))
    torch.nn.init.zeros_(adapter.motion_cue.embed.weight)
    assert torch.equal(logits(other["model"], film), after) and not torch.equal(logits(model, film), after)


def test_the_first_tracked_frame_has_the_cue_of_the_prompt(make_nano, film):
    model = make_nano()
    before = logits(model, film)
    lively(LoRA(motion=True).attach(model))
    differs = (logits(model, film) != before).flatten(1).any(1)
    assert differs.tolist() == [False] + [True] * 5


def test_state_is_centre_and_mean_pace_and_goes_on_where_nothing_is_seen():
    state = None
    for x in (2, 4, 6, 8):
        state = advanced(square(x, 10), state)
    assert state.shape == (1, STATE)
    torch.testing.assert_close(state[0], torch.tensor([12 / 32, 14 / 32, 2 / 32, 0, 2]), atol=1e-5, rtol=0)
    gone = advanced(torch.full((1, 1, 32, 32), -20.0), state)
    torch.testing.assert_close(gone[0], torch.tensor([14 / 32, 14 / 32, 2 / 32, 0, 2]), atol=1e-5, rtol=0)


def test_pictures_are_the_last_mask_the_same_moved_on_and_the_first_one_there():
    first, state = square(2, 10), None
    for x in (2, 6):
        state = advanced(square(x, 10), state)
    shown = pictures(square(6, 10), first, state)
    expected = torch.cat([square(6, 10), square(10, 10), square(10, 10)], 1).sigmoid()
    torch.testing.assert_close(shown, expected, atol=1e-3, rtol=0)


def test_what_leaves_the_picture_is_gone():
    assert moved(square(24, 10).sigmoid(), torch.tensor([[0.5, 0.0]])).max() < 1e-6


def test_a_cue_cannot_be_merged(make_nano):
    adapter = LoRA(motion=True).attach(make_nano())
    with pytest.raises(UserError, match="cannot be merged"):
        adapter.merge()


def test_parts_are_trained_and_saved_and_nothing_else_of_the_model(make_nano):
    model = make_nano()
    adapter = LoRA(rank=2, layer_norms="none", parts=["obj_ptr_proj", "no_obj_ptr"]).attach(model)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == set(part_parameters(model, ["obj_ptr_proj", "no_obj_ptr"])) and "no_obj_ptr" in trained
    assert {f"sam2.{name}" for name in trained} < set(adapter.adapter_state_dict())
    with pytest.raises(UserError, match="nothing of SAM2Train is called 'decoder'"):
        LoRA(parts=["decoder"]).attach(make_nano())
