"""What holds of the tracker whatever it is compared with: independence of objects, bounded memory, clear errors."""

from __future__ import annotations

import copy
import gc

import pytest
import torch

from robustvos.errors import BadMask, BadPrompt, BadVideo, UserError
from robustvos.sam2.tracker import Tracker, track
from robustvos.types import Prompt

TOLERANCE = {"atol": 1e-4, "rtol": 0}


def bytes_of_all_tensors() -> int:
    """Bytes of every distinct storage that any tensor of this process holds."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter):  # not the fake ones that an ONNX export may have left
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def run(tracker, frames, prompts, count):
    """Step through ``frames`` over and over, dropping what comes out."""
    told = {prompt.frame: [p for p in prompts if p.frame == prompt.frame] for prompt in prompts}
    for _ in range(count):
        tracker.step(frames[tracker.index % len(frames)], told.get(tracker.index, []))


def test_memory_does_not_grow_with_the_video(model, frames, make_prompts):
    tracker = Tracker(model)
    run(tracker, frames, [*make_prompts("mask")[:1], *make_prompts("point", 2)[1:2]], 12)
    early = bytes_of_all_tensors()
    run(tracker, frames, [], 18)
    assert bytes_of_all_tensors() == early
    tracker.reset()
    assert bytes_of_all_tensors() < early


def test_memory_does_not_grow_with_corrections_when_bounded(model, frames, make_prompts):
    tracker = Tracker(model, max_conditioning_frames=2)
    run(tracker, frames, [make_prompts("point", t)[0] for t in range(0, 24, 2)], 11)
    early = bytes_of_all_tensors()
    run(tracker, frames, [make_prompts("point", t)[0] for t in range(0, 24, 2)], 8)
    assert bytes_of_all_tensors() == early


def test_prompts_within_the_bound_are_all_kept(model, frames, make_prompts):
    prompts = [make_prompts("point", t)[0] for t in (0, 3)]
    kept, bounded = (list(track(model, frames[:10], prompts, max_conditioning_frames=most)) for most in (None, 2))
    torch.testing.assert_close(bounded[9].logits, kept[9].logits, rtol=0, atol=0)


def test_objects_together_equal_objects_alone(model, frames, make_prompts):
    prompts = [
        make_prompts("mask")[0],
        make_prompts("box+point")[1],
        make_prompts("point", 3)[2],
        make_prompts("point", 5)[0],
    ]
    together = list(track(model, frames[:9], prompts))
    for object_id in (7, 3, 5):
        alone = list(track(model, frames[:9], [p for p in prompts if p.object_id == object_id]))
        for both, one in zip(together, alone, strict=True):
            if object_id in both.object_ids:
                row = both.object_ids.index(object_id)
                torch.testing.assert_close(both.logits[row], one.logits[0], **TOLERANCE)
                torch.testing.assert_close(both.presence[row], one.presence[0], **TOLERANCE)
                torch.testing.assert_close(both.predicted_iou[row], one.predicted_iou[0], **TOLERANCE)


def test_order_of_objects_does_not_matter(model, frames, make_prompts):
    prompts = make_prompts("point")
    forth, back = (list(track(model, frames[:6], order)) for order in (prompts, prompts[::-1]))
    assert back[5].object_ids == forth[5].object_ids[::-1] == (5, 3, 7)
    torch.testing.assert_close(back[5].logits.flip(0), forth[5].logits, **TOLERANCE)
    assert float((back[5].masks.flip(0) == forth[5].masks).float().mean()) > 0.999


def test_image_is_encoded_once_and_equal_memories_share_a_pass(model, frames, make_prompts):
    images, groups = [], []
    tracker = Tracker(model)
    hooks = [
        model.image_encoder.register_forward_hook(lambda *_: images.append(tracker.index)),
        model.memory_attention.register_forward_hook(lambda *_: groups.append(tracker.active_ids)),
    ]
    try:
        run(tracker, frames, [*make_prompts("mask")[:2], *make_prompts("box", 2)[2:]], 4)
    finally:
        for hook in hooks:
            hook.remove()
    assert images == [0, 1, 2, 3]
    assert groups == [(7, 3), (7, 3), (7, 3), (5,)]  # frames 1, 2, 3; prompted frames look at no memory


def test_results_have_native_size_and_may_be_changed(model, frames, make_prompts):
    found = list(track(model, frames[:2], make_prompts("mask")))[1]
    assert found.index == 1 and found.object_ids == (7, 3, 5)
    assert found.masks.shape == found.logits.shape == (3, 48, 80)
    assert found.masks.dtype == torch.bool and found.logits.dtype == torch.float32
    assert found.presence.shape == found.predicted_iou.shape == (3,)
    found.logits[0] = 0  # an inference tensor would refuse


def test_mask_prompt_comes_back(model, frames, make_prompts):
    prompt = make_prompts("mask")[0]
    found = Tracker(model).step(frames[0], [prompt])
    overlap = (found.masks[0] & prompt.mask).sum() / (found.masks[0] | prompt.mask).sum()
    assert float(overlap) > 0.8  # it went through the model's low-resolution mask


def test_nothing_is_found_before_the_first_prompt(model, frames, make_prompts):
    tracker = Tracker(model)
    found = tracker.step(frames[0])
    assert found.masks.shape == found.logits.shape == (0, 48, 80) and found.object_ids == ()
    assert tracker.step(frames[1], make_prompts("box", 1)[:1]).object_ids == (7,)


def test_removed_object_leaves_the_others_as_they_were(model, frames, make_prompts):
    tracker = Tracker(model)
    run(tracker, frames, make_prompts("mask"), 3)
    tracker.remove(3)
    assert tracker.object_ids == (7, 5)
    without = tracker.step(frames[3])
    alone = list(track(model, frames[:4], [p for p in make_prompts("mask") if p.object_id != 3]))[3]
    torch.testing.assert_close(without.logits, alone.logits, **TOLERANCE)
    with pytest.raises(BadPrompt, match=r"no object 3 to remove; tracked are: 5, 7"):
        tracker.remove(3)


def test_reset_starts_another_video(model, frames, make_prompts):
    tracker = Tracker(model)
    run(tracker, frames, make_prompts("mask"), 3)
    tracker.reset()
    again = tracker.step(frames[0], make_prompts("box")[:1])
    fresh = Tracker(model).step(frames[0], make_prompts("box")[:1])
    assert again.index == 0 and again.object_ids == (7,)
    torch.testing.assert_close(again.logits, fresh.logits)


def test_mixed_precision_stays_near_full_precision(model, frames, make_prompts):
    full = list(track(model, frames[:4], make_prompts("mask")))[3]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = list(track(model, frames[:4], make_prompts("mask")))[3]
    assert mixed.logits.dtype == mixed.presence.dtype == torch.float32
    assert float((mixed.logits - full.logits).abs().mean() / full.logits.abs().mean()) < 0.1
    with pytest.raises(ValueError, match=r"weights are torch\.bfloat16; keep them float32"):
        Tracker(copy.deepcopy(model).bfloat16()).step(frames[0])


def test_masks_that_overlap_are_told_apart_before_they_are_remembered(model, frames, make_prompts):
    """With SAM 2's option set, memories depend on the other objects; without, they do not."""
    prompts = make_prompts("box")
    model.non_overlap_masks_for_mem_enc = True
    try:
        together = list(track(model, frames[:3], prompts))[2]
        alone = list(track(model, frames[:3], prompts[:1]))[2]
    finally:
        model.non_overlap_masks_for_mem_enc = False
    assert float((together.logits[0] - alone.logits[0]).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("prompt", "error", "words"),
    [
        (Prompt(1, points=torch.tensor([[80.0, 5]]), labels=torch.tensor([1])), BadPrompt, "point 80,5 is outside"),
        (Prompt(1, points=torch.tensor([[float("nan"), 5]]), labels=torch.tensor([1])), BadPrompt, "outside"),
        (Prompt(1, points=torch.tensor([[8.0, 5]]), labels=torch.tensor([2])), BadPrompt, "labels are 2"),
        (Prompt(1, points=torch.zeros(0, 2), labels=torch.zeros(0)), BadPrompt, "has no point"),
        (Prompt(1, points=torch.zeros(1, 3), labels=torch.ones(1)), BadPrompt, r"expected \(N, 2\)"),
        (Prompt(1, box=torch.tensor([-1.0, 0, 5, 5])), BadPrompt, "leaves the frame of 80x48"),
        (Prompt(1, mask=torch.ones(80, 48, dtype=torch.bool)), BadMask, r"\(80, 48\), the frame \(48, 80\)"),
        (Prompt(1, mask=torch.ones(48, 80)), BadMask, "give bool"),
        (Prompt(1, box=torch.tensor([0.0, 0, 5, 5]), frame=3), BadPrompt, "for frame 3, but this is frame 0"),
    ],
)
def test_bad_prompt_is_refused_in_one_line(model, frames, prompt, error, words):
    tracker = Tracker(model)
    with pytest.raises(error, match=words) as caught:
        tracker.step(frames[0], [prompt])
    assert "\n" not in str(caught.value)
    assert tracker.object_ids == () and tracker.index == 0  # and nothing happened


def test_two_prompts_for_one_object_are_refused(model, frames, make_prompts):
    with pytest.raises(BadPrompt, match="two prompts for object 7"):
        Tracker(model).step(frames[0], [make_prompts("box")[0], make_prompts("point")[0]])


@pytest.mark.parametrize("frame", [torch.zeros(3, 48, 80), torch.zeros(1, 48, 80, dtype=torch.uint8)])
def test_bad_frame_is_refused(model, frame):
    with pytest.raises(BadVideo, match=r"frame 0 must be uint8 \(3, H, W\)"):
        Tracker(model).step(frame)


def test_frames_of_two_sizes_are_refused(model, frames):
    tracker = Tracker(model)
    tracker.step(frames[0])
    with pytest.raises(BadVideo, match=r"frame 1 is \(24, 80\)"):
        tracker.step(frames[0][:, :24])


def test_prompt_beyond_the_end_is_not_lost_silently(model, frames, make_prompts):
    with pytest.raises(UserError, match="frames 9 were not used: the video has 2 frames"):
        list(track(model, frames[:2], [*make_prompts("box"), *make_prompts("point", 9)]))


def test_training_mode_and_too_small_bounds_are_refused(model, frames):
    with pytest.raises(ValueError, match="at least 2"):
        Tracker(model, max_conditioning_frames=1)
    model.train()
    try:
        with pytest.raises(ValueError, match="training mode"):
            Tracker(model).step(frames[0])
    finally:
        model.eval()
