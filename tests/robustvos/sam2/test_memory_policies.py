"""Memory policies: SAM 2's own when switched off, and the frames worked out by hand when on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustvos.errors import UserError
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.memory import Memory, Reach
from robustvos.sam2.memory_policies import DAM4SAM, SAMURAI, SAM2Long
from robustvos.sam2.memory_policies.base import Candidates
from robustvos.sam2.memory_policies.box_filter import BoxFilter
from robustvos.sam2.tracker import Tracker, track
from robustvos.scenes import SceneSpec, render_scene
from robustvos.seeding import numpy_rng
from robustvos.types import Prompt

REACH = Reach(spatial_slots=4, stride=1, pointers=4)
OFF = {
    "samurai": SAMURAI(motion_weight=0, iou_above=-1, presence_above=-1e9, motion_above=-1),
    "dam4sam": DAM4SAM(stride=1, apart_below=-1, kept=99),
    "sam2long": SAM2Long(paths=1, iou_above=-1, weights=(1, 1)),
}


@pytest.fixture(scope="module")
def nano():
    return build_sam2(Sam2Config("nano"))


@pytest.fixture(scope="module")
def clip():
    scene = render_scene(SceneSpec((96, 96), 12, 2), numpy_rng("policies", 1))
    frames = list(torch.from_numpy(scene.frames).permute(0, 3, 1, 2))
    masks = torch.from_numpy(scene.modal)
    late = 4 if len(scene.object_ids) > 1 and masks[4, 1].any() else 0
    places = list(zip(scene.object_ids, (0, late), strict=False))
    return frames, [Prompt(i, mask=masks[t, i - 1], frame=t) for i, t in places]


def logits(model, clip, **options):
    frames, prompts = clip
    return [found.logits for found in track(model, frames, prompts, **options)]


@pytest.mark.parametrize("name", OFF)
def test_a_policy_that_is_switched_off_is_sam2_bit_by_bit(nano, clip, name):
    if name == "dam4sam":  # frames on which nothing is found are passed over in any case
        assert all((found > 0).any((1, 2)).all() for found in logits(nano, clip) if len(found))
    for stock, own in zip(logits(nano, clip), logits(nano, clip, policy=OFF[name]), strict=True):
        torch.testing.assert_close(own, stock, rtol=0, atol=0)


@pytest.mark.parametrize("policy", [SAMURAI(), DAM4SAM(), SAM2Long()], ids=lambda policy: type(policy).__name__)
def test_objects_do_not_disturb_each_other(nano, clip, policy):
    frames, prompts = clip
    alone = logits(nano, (frames, prompts[:1]), policy=policy)
    together = logits(nano, clip, policy=policy)
    for one, both in zip(alone, together, strict=True):
        torch.testing.assert_close(both[:1], one, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("policy", [SAMURAI(), DAM4SAM(), SAM2Long()], ids=lambda policy: type(policy).__name__)
@pytest.mark.parametrize("corrected", [2, 4])
def test_an_object_can_be_corrected_and_removed(nano, clip, policy, corrected):
    frames, prompts = clip
    tracker = Tracker(nano, policy=policy)
    first = prompts[0]
    tracker.step(frames[0], [first])
    for frame in frames[1:corrected]:
        tracker.step(frame)
    inside = first.mask.nonzero()[0].flip(0).float()[None]
    click = Prompt(first.object_id, points=inside, labels=torch.ones(1).long(), frame=corrected)
    assert tracker.step(frames[corrected], [click]).object_ids == (first.object_id,)
    for frame in frames[corrected + 1 : 9]:
        assert tracker.step(frame).object_ids == (first.object_id,)
    tracker.remove(first.object_id)
    assert tracker.step(frames[9]).object_ids == ()


@pytest.mark.parametrize("name", OFF)
def test_a_policy_that_is_switched_off_is_sam2_bit_by_bit_after_a_correction_too(nano, clip, name):
    frames, prompts = clip
    first = prompts[0]
    again = Prompt(first.object_id, mask=first.mask, frame=4)
    # Of DAM4SAM's four slots one goes to the second prompted frame: from frame 8 on it sees one memory less.
    asked = (frames[:8] if name == "dam4sam" else frames, [first, again])
    for stock, own in zip(logits(nano, asked), logits(nano, asked, policy=OFF[name]), strict=True):
        torch.testing.assert_close(own, stock, rtol=0, atol=0)


# A scripted sequence of scores: which frames are looked back at


def scripted(policy, script):
    """A bank that was prompted on frame 0, after frames with ``(ious, presence, masks)``; memories bear their frame."""
    bank = policy.bank(REACH)
    bank.remember(0, marked(0), conditioning=True)
    for frame, proposed in enumerate(script, start=1):
        picks = bank.pick([Candidates(*proposed) for _ in bank.paths])
        bank.remember_paths(frame, [marked(frame) for _ in picks])
    return bank, len(script) + 1


def marked(frame):
    return Memory(torch.full((4,), float(frame)), torch.full((2, 1, 1), float(frame)))


def looked_at(bank, now):
    """Frames of the spatial memories in the slots, oldest first, and of the pointers, by their age."""
    _, recent = bank.view(now)
    spatial = [int(m.features[0, 0, 0]) for m in recent.values() if m.features is not None]
    return spatial, {now - t: int(m.pointer[0]) for t, m in recent.items()}


@pytest.mark.parametrize("policy", [SAMURAI(), DAM4SAM(), SAM2Long(paths=1)], ids=lambda policy: type(policy).__name__)
def test_no_pointer_is_looked_at_twice_after_a_correction(policy):
    bank, now = scripted(policy, [found()] * 3)
    bank.remember(now, marked(now), conditioning=True)
    spatial, pointers = looked_at(bank.paths[0], now + 1)
    assert pointers == {2: 3, 3: 2}  # frame 4 was prompted; 1 is out of reach
    assert spatial == ([3] if isinstance(policy, DAM4SAM) else [2, 3])
    if isinstance(policy, SAM2Long):  # two frames were prompted
        assert [len(weights) for weights in bank.weights(0)] == [2 + len(spatial), 2 + len(pointers)]
    bank.remember_paths(now + 1, [marked(now + 1) for _ in bank.pick([Candidates(*found())])])
    assert looked_at(bank.paths[0], now + 2)[1] == {1: 5, 3: 3}


def test_no_pointer_is_looked_at_twice_after_a_frame_that_dam4sam_keeps():
    bank, now = scripted(DAM4SAM(), [found(), found(), apart()])
    assert list(bank.conditioning) == [0, 3]
    assert looked_at(bank, now)[1] == {2: 2, 3: 1}


def square(x, side=4, size=32):
    mask = torch.full((size, size), -10.0)
    mask[8 : 8 + side, x : x + side] = 10.0
    return mask


def found(iou=0.9, presence=5.0, x=4):
    return torch.tensor([iou, 0.1, 0.1]), torch.stack([square(x), square(x), square(x)]), presence


def test_samurai_looks_back_at_the_latest_frames_above_the_limits_and_at_the_last_one():
    # frames:    1        2           3           4                  5        6
    script = [found(), found(0.4), found(0.6), found(presence=-1), found(), found(0.2)]
    bank, now = scripted(SAMURAI(), script)
    spatial, pointers = looked_at(bank, now)
    assert spatial == [3, 5, 6]  # of good frames 1, 3, 5 the latest two, and the last
    assert pointers == {1: 6, 2: 5, 3: 4}  # as SAM 2


def test_samurai_takes_the_mask_where_motion_expects_it_once_it_is_trusted():
    steady = [found(x=4) for _ in range(5)]
    jump = torch.tensor([0.80, 0.79, 0.1]), torch.stack([square(24), square(4), square(12)]), 5.0
    for stable_frames, mask in ((3, 1), (99, 0)):
        bank, _ = scripted(SAMURAI(stable_frames=stable_frames), steady)
        assert bank.pick([Candidates(*jump)])[0].candidate == mask


def test_samurai_does_not_look_back_at_a_mask_where_motion_does_not_expect_one():
    bank, now = scripted(SAMURAI(stable_frames=2, motion_weight=0), [found(x=4)] * 4 + [found(x=24), found(x=4)])
    assert looked_at(bank, now)[0] == [3, 4, 6]


NOTHING = torch.full((3, 32, 32), -10.0)
ONE_ROW = torch.full((3, 32, 32), -10.0)
ONE_ROW[:, 8, 4:8] = 10.0


@pytest.mark.parametrize("hidden", [1, 2, 3, 4])
@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.parametrize("iou", [0.1, 0.9])
@pytest.mark.parametrize("masks", [NOTHING, ONE_ROW], ids=["nothing", "one_row"])
def test_samurai_follows_an_object_again_that_was_hidden(masks, iou, before, hidden):
    unseen = torch.full((3,), iou), masks, -5.0
    script = [*[found()] * before, *[unseen] * hidden, *[found(x=4)] * 12]
    bank, _ = scripted(SAMURAI(stable_frames=3), script)
    jump = torch.tensor([0.80, 0.79, 0.1]), torch.stack([square(24), square(4), square(12)]), 5.0
    assert bank.pick([Candidates(*jump)])[0].candidate == 1


def test_samurai_trusts_motion_only_from_where_the_object_was_seen_again():
    gone = torch.tensor([0.9, 0.1, 0.1]), NOTHING, -5.0
    jump = torch.tensor([0.80, 0.79, 0.1]), torch.stack([square(24), square(4), square(12)]), 5.0
    for seen_again, mask in ((1, 0), (3, 1)):
        bank, _ = scripted(SAMURAI(stable_frames=3), [*[found()] * 5, gone, *[found()] * seen_again])
        assert bank.pick([Candidates(*jump)])[0].candidate == mask


@pytest.mark.parametrize("box", [[4.0, 8.0, 7.0, 8.0], [0.0, 0.0, 0.0, 0.0]], ids=["one_row", "one_pixel"])
def test_a_box_filter_can_begin_with_a_box_without_height(box):
    follow = BoxFilter(np.array(box))
    for _ in range(40):
        follow.predict()
        follow.update(np.array([4.0, 8.0, 14.0, 28.0]))
    np.testing.assert_allclose(follow.predict(), [4, 8, 14, 28], atol=1)


def test_dam4sam_looks_back_in_strides_and_passes_over_frames_without_the_object():
    nothing = torch.tensor([0.9, 0.1, 0.1]), torch.full((3, 32, 32), -10.0), -5.0
    script = [found() for _ in range(17)]
    script[9] = nothing  # frame 10
    bank, now = scripted(DAM4SAM(), script)
    assert looked_at(bank, now)[0] == [5, 15, 17]
    bank, now = scripted(DAM4SAM(), [*script, nothing])
    assert looked_at(bank, now)[0] == [5, 15, 17]


def apart(iou=0.9):
    """The object, and beside it something that could be it."""
    return torch.tensor([iou, 0.5, 0.1]), torch.stack([square(4), square(24), square(4)]), 5.0


def test_dam4sam_keeps_frames_with_a_distractor_but_not_one_after_another():
    script = [found(), apart(), apart(), found(), found(), apart(0.7), found(), apart(), found(), found()]
    bank, now = scripted(DAM4SAM(), script)
    # 3 comes too soon after 2, 6 is not trusted
    assert list(bank.conditioning) == [0, 2, 8]
    assert looked_at(bank, now)[0] == [10]  # four slots less the first frame, less two that are kept


def test_dam4sam_keeps_the_first_and_the_latest():
    script = [found(), *([apart()] + [found()] * 5) * 5]
    bank, _ = scripted(DAM4SAM(), script)
    assert list(bank.conditioning) == [0, 14, 20, 26]


def test_dam4sam_keeps_no_frame_whose_area_jumps():
    large = torch.tensor([0.9, 0.5, 0.1]), torch.stack([square(4, 6), square(24), square(4)]), 5.0
    bank, _ = scripted(DAM4SAM(), [found(), found(), large])
    assert list(bank.conditioning) == [0]


def test_sam2long_goes_on_with_the_masks_of_the_highest_scores():
    sure = torch.tensor([0.9, 0.5, 0.2]), torch.stack([square(4)] * 3), 5.0
    bank = SAM2Long().bank(REACH)
    bank.remember(0, marked(0), conditioning=True)
    picks = bank.pick([Candidates(*sure)])
    assert [(p.path, p.candidate) for p in picks] == [(0, 0), (0, 1), (0, 2)]
    bank.remember_paths(1, [marked(1) for _ in picks])
    assert len(bank.paths) == 3
    # sums of logarithms: .9*.4, .9*.3 of the first path; .5*.9 of the second; .2*.99 of the third
    next_ones = [
        (torch.tensor([0.4, 0.3, 0.1]), torch.stack([square(4)] * 3), 5.0),
        (torch.tensor([0.1, 0.9, 0.1]), torch.stack([square(4)] * 3), 5.0),
        (torch.tensor([0.1, 0.1, 0.99]), torch.stack([square(4)] * 3), 5.0),
    ]
    assert [(p.path, p.candidate) for p in bank.pick([Candidates(*n) for n in next_ones])] == [(1, 1), (0, 0), (0, 1)]


def test_sam2long_keeps_its_paths_apart_where_it_is_unsure():
    unsure = torch.tensor([0.901, 0.899, 0.2]), torch.stack([square(4)] * 3), 0.5
    bank = SAM2Long(paths=2).bank(REACH)
    bank.remember(0, marked(0), conditioning=True)
    assert [p.candidate for p in bank.pick([Candidates(*unsure)])] == [0, 2]
    assert [p.candidate for p in bank.pick([Candidates(unsure[0], unsure[1], 5.0)])] == [0, 1]


def test_sam2long_looks_back_at_good_frames_and_weights_their_keys_by_presence():
    script = [found(0.9, 3.0), found(0.1, 2.0), found(0.9, 5.0), found(0.9, -4.0)]
    bank, now = scripted(SAM2Long(paths=1), script)
    assert looked_at(bank.paths[0], now) == ([1, 3, 4], {1: 4, 2: 3, 3: 2})
    spatial, pointers = bank.weights(0)
    # frames 0 (prompted: 10), 1 (3), 3 (5), 4 (-4); pointers 0, then 4, 3, 2 by age
    assert spatial == pytest.approx([1.05, 0.95 + 0.1 / 3, 0.95 + 0.2 / 3, 0.95])
    assert pointers == pytest.approx([1.05, 0.95, 0.95 + 0.2 / 3, 0.95 + 0.1 / 3])


def test_a_model_that_strides_by_itself_is_refused():
    with pytest.raises(UserError, match="strides of 2"):
        SAMURAI().bank(Reach(4, 2, 4))
