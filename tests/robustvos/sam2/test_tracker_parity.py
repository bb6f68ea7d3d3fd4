"""The streaming tracker gives the masks of SAM 2's own video predictor."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from robustvos.sam2.config import Sam2Config
from robustvos.sam2.tracker import Tracker, track

TOLERANCE = {"atol": 1e-3, "rtol": 0}
KINDS = ["mask", "box", "point", "points", "box+point"]


@contextmanager
def changed(owner, **values):
    """Set attributes of a shared model, and set them back."""
    before = {name: getattr(owner, name) for name in values}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield owner
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for frame, logits in zip(found, expected, strict=True):
        torch.testing.assert_close(frame.logits, logits, **TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_three_objects_equal_the_predictor(model, frames, make_prompts, reference, kind):
    length = 20 if kind == "mask" else 10  # memory reaches four frames back
    peer = reference(model, frames[:length])
    for prompt in make_prompts(kind):
        peer.tell(prompt)
    found = list(track(model, frames[:length], make_prompts(kind)))
    assert_same(found, peer.run(0, length))
    assert found[-1].object_ids == (7, 3, 5)


@pytest.mark.parametrize("kind", ["mask", "points"])
def test_one_object_equals_the_predictor(model, frames, make_prompts, reference, kind):
    length = 20 if kind == "points" else 8
    peer = reference(model, frames[:length])
    peer.tell(make_prompts(kind)[0])
    assert_same(list(track(model, frames[:length], make_prompts(kind)[:1])), peer.run(0, length))


def test_overlaps_are_resolved_as_the_predictor_does(model, frames, make_prompts, reference):
    peer = reference(model, frames[:4], non_overlap_masks=True)
    for prompt in make_prompts("box"):
        peer.tell(prompt)
    found = list(track(model, frames[:4], make_prompts("box"), num_frames=4))
    for frame, expected in zip(found, peer.run(0, 4), strict=True):
        first, second = frame.logits.topk(2, dim=0).values
        decided = (first < -1e-4) | (torch.minimum(first, first - second) > 1e-4)  # elsewhere rounding decides
        assert decided.float().mean() > 0.9
        assert torch.equal(frame.masks & decided, (expected > 0) & decided)
    assert bool(((found[0].logits > 0).sum(0) > 1).any())  # there was something to resolve
    assert int(found[0].masks.sum(0).max()) == 1


def test_objects_added_later_equal_the_predictor(model, frames, make_prompts, reference):
    first, second, third = make_prompts("mask")[0], make_prompts("point", 5)[1], make_prompts("box", 6)[2]
    peer = reference(model, frames[:12])
    peer.tell(first)
    expected = peer.run(0, 5)
    peer.tell(second)
    expected += peer.run(5, 6)
    peer.tell(third)
    expected += peer.run(6, 12)
    found = list(track(model, frames[:12], [first, second, third]))
    assert [len(frame.object_ids) for frame in found] == [1] * 5 + [2] + [3] * 6
    assert_same(found, expected)


@pytest.mark.parametrize(("kind", "conditioning"), [("point", True), ("mask", True), ("points", False)])
def test_correction_equals_the_predictor(model, frames, make_prompts, reference, kind, conditioning):
    peer = reference(model, frames[:12], add_all_frames_to_correct_as_cond=conditioning)
    prompts = make_prompts("box")[:2]
    correction = make_prompts(kind, 4)[1]
    for prompt in prompts:
        peer.tell(prompt)
    before = peer.run(0, 5)
    peer.tell(correction)
    with changed(model, add_all_frames_to_correct_as_cond=conditioning):
        found = list(track(model, frames[:12], [*prompts, correction]))
    # the predictor tracks a frame anew that is not a conditioning frame: start after it
    after = peer.run(4, 12) if conditioning else [found[4].logits, *peer.run(5, 12)]
    assert_same(found, before[:4] + after)
    assert float((found[4].logits - before[4])[1].abs().max()) > 0.05  # the correction was heard


def test_short_video_equals_the_predictor_when_its_length_is_told(build_lively, frames, make_prompts, reference):
    config = Sam2Config("sam2.1_hiera_t", checkpoint="random", image_size=64)
    model = build_lively(config)
    prompts = make_prompts("mask")[:1]
    with changed(model.obj_ptr_tpos_proj, weight=torch.nn.Parameter(model.obj_ptr_tpos_proj.weight * 10)):
        peer = reference(model, frames[:4], config)
        peer.tell(prompts[0])
        expected = peer.run(0, 4)
        assert_same(list(track(model, frames[:4], prompts, num_frames=4)), expected)
        unknown = list(track(model, frames[:4], prompts))
    assert float((unknown[3].logits - expected[3]).abs().max()) > 2e-3


@pytest.mark.parametrize("variant", ["sam2_hiera_t", "sam2.1_hiera_t"])
def test_official_architectures_equal_the_predictor(build_lively, frames, make_prompts, reference, variant):
    config = Sam2Config(variant, checkpoint="random", image_size=64)
    model = build_lively(config)
    prompts = [make_prompts("mask")[0], make_prompts("point")[1]]
    peer = reference(model, frames[:6], config)
    for prompt in prompts:
        peer.tell(prompt)
    assert_same(list(track(model, frames[:6], prompts, num_frames=6)), peer.run(0, 6))


def test_memory_stride_reach_and_selection_equal_the_predictor(model, frames, make_prompts, reference):
    options = {"memory_temporal_stride_for_eval": 3, "max_cond_frames_in_attn": 2, "max_obj_ptrs_in_encoder": 8}
    peer = reference(model, frames[:14], **options, add_all_frames_to_correct_as_cond=True)
    first, second, third = (make_prompts("point", t)[0] for t in (0, 4, 6))
    peer.tell(first)
    expected = peer.run(0, 5)[:4]
    peer.tell(second)
    expected += peer.run(4, 7)[:2]
    peer.tell(third)
    expected += peer.run(6, 14)
    with changed(model, **options):
        assert_same(list(track(model, frames[:14], [first, second, third])), expected)


def test_postprocessing_equals_the_predictor_built_with_it(model, frames, make_prompts, reference):
    decoder = {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    }
    # hole filling needs SAM 2's CUDA extension: both go without, it is tested on its own
    peer = reference(model, frames[:8], sam_mask_decoder_extra_args=decoder, binarize_mask_from_pts_for_mem_enc=True)
    prompts = make_prompts("box+point")
    for prompt in prompts:
        peer.tell(prompt)
    tracker = Tracker(model, predictor_postprocessing=True)
    tracker.fill_hole_area = 0
    found = [tracker.step(frames[t], prompts if t == 0 else []) for t in range(8)]
    assert_same(found, peer.run(0, 8))
    plain = list(track(model, frames[:8], prompts))
    assert float((plain[7].logits - found[7].logits).abs().max()) > 2e-3
    assert not model.binarize_mask_from_pts_for_mem_enc  # the model is left as it was
    assert not model.sam_mask_decoder.dynamic_multimask_via_stability


def test_object_lost_and_found_equals_the_predictor(model, frames, make_prompts, reference):
    prompts = make_prompts("point")[:2]
    usual = torch.stack([frame.presence for frame in track(model, frames[:8], prompts)]).median()
    last = model.sam_mask_decoder.pred_obj_score_head.layers[-1]
    with changed(last, bias=torch.nn.Parameter(last.bias - usual)):  # objects come and go
        peer = reference(model, frames[:12])
        for prompt in prompts:
            peer.tell(prompt)
        found = list(track(model, frames[:12], prompts))
        assert_same(found, peer.run(0, 12))
    presence = torch.stack([frame.presence for frame in found])
    assert bool((presence > 0).any()) and bool((presence < 0).any())
