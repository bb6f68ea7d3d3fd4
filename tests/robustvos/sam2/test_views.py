"""A window follows what is tracked, and what is found in it is told in the frame's pixels."""

from __future__ import annotations

import pytest
import torch

from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.forward import Answer
from robustvos.sam2.memory_policies import DAM4SAM
from robustvos.sam2.tracker import Tracker
from robustvos.sam2.views import OUTSIDE, VIEW, FollowingWindow, Window, extent
from robustvos.types import Prompt

SIZE = (200, 360)


def masked(y0: int, x0: int, y1: int, x1: int) -> torch.Tensor:
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[y0:y1, x0:x1] = True
    return mask


def frames(count: int, step: int = 4) -> list[torch.Tensor]:
    """A bright square of 24 pixels on noise goes right."""
    ground = torch.randint(40, 90, (3, *SIZE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    clip = [ground.clone() for _ in range(count)]
    for t, frame in enumerate(clip):
        frame[0, 88:112, 40 + step * t : 64 + step * t] = 230
    return clip


@pytest.fixture(scope="module")
def nano():
    return build_sam2(Sam2Config("nano"))


def iou(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_window_takes_a_prompt_and_gives_logits_back():
    window = Window(20, 50, 80, 100)
    mask = masked(30, 60, 50, 90)
    said = Prompt(
        3, points=torch.tensor([[70.0, 40.0]]), labels=torch.tensor([1]), box=torch.tensor([60.0, 30, 90, 50])
    )
    moved = window.prompt(said)
    assert moved.points.tolist() == [[20.0, 20.0]] and moved.box.tolist() == [10.0, 10.0, 40.0, 30.0]
    assert torch.equal(window.prompt(Prompt(3, mask=mask)).mask, mask[20:100, 50:150])
    logits = torch.randn(2, 80, 100)
    whole = window.paste(logits, SIZE)
    assert torch.equal(window.cut(whole), logits) and whole.shape == (2, *SIZE)
    assert int((whole == OUTSIDE).sum()) == 2 * (200 * 360 - 80 * 100)
    assert window.paste(logits, (80, 100)) is logits  # a window that is the frame copies nothing


def test_boxes_are_told_in_the_frame_and_leave_specks_out():
    window = Window(20, 50, 80, 160)
    masks = torch.zeros(3, 40, 40, dtype=torch.bool)  # cells of 2 x 4 pixels
    masks[0, 10:30, 5:20] = True
    masks[2, 10:30, 5:20] = True
    masks[2, 0, 39] = True
    boxes = window.boxes(masks)
    assert boxes == [(70.0, 40.0, 130.0, 80.0), None, (70.0, 40.0, 130.0, 80.0)]
    assert window.boxes(masks[:0]) == []


def test_the_extent_of_a_prompt():
    assert extent(Prompt(1, mask=masked(30, 60, 50, 90))) == (60, 30, 90, 50)
    both = Prompt(1, box=torch.tensor([5.0, 6, 20, 30]), points=torch.tensor([[25.0, 3.0]]), labels=torch.tensor([0]))
    assert extent(both) == (5.0, 3.0, 26.0, 30.0)


@pytest.mark.parametrize("size", [(200, 360), (360, 200), (240, 240)])
def test_windows_lie_in_the_frame_around_what_is_tracked(size):
    for box in ([10, 20, 30, 60], [0, 0, 199, 60], [150, 150, 190, 199], [0, 0, 200, 200]):
        window = FollowingWindow().place(size, [Prompt(1, box=torch.tensor(box).float())])
        assert window.left <= box[0] and window.left + window.width >= box[2]
        assert window.top <= box[1] and window.top + window.height >= box[3]
        assert 0 <= window.left <= size[1] - window.width and 0 <= window.top <= size[0] - window.height
        least, most = sorted((1.0, size[1] / size[0]))
        ratio = window.width / window.height
        assert window.size == size or 0.95 * least <= ratio <= 1.05 * most or size[0] == window.height


def test_a_click_does_not_tell_how_far_a_thing_reaches():
    following = FollowingWindow()
    click = Prompt(1, points=torch.tensor([[50.0, 50.0]]), labels=torch.tensor([1]))
    whole = following.place(SIZE, [click])
    assert whole.size == SIZE
    following.saw(whole, [1], masked(40, 40, 60, 60)[None])
    assert following.place(SIZE).size != SIZE
    assert following.place(SIZE, [click]).size != SIZE  # a correction of what is known


def test_a_window_widens_fast_and_narrows_slowly():
    following = FollowingWindow()
    start = following.place(SIZE, [Prompt(1, mask=masked(80, 160, 120, 200))])

    def sees(mask: torch.Tensor) -> Window:
        window = following.place(SIZE)
        following.saw(window, [1], window.cut(mask)[None])
        return window

    sees(masked(80, 160, 120, 200))
    for _ in range(5):
        wider = sees(masked(65, 145, 135, 215))
    sees(masked(80, 160, 120, 200))
    narrower = sees(masked(80, 160, 120, 200))
    assert wider.height > 1.2 * start.height
    assert 0.9 * wider.height < narrower.height <= wider.height


def test_what_is_lost_is_awaited_where_it_was_and_believed_where_it_is_seen_elsewhere():
    following = FollowingWindow()
    window = following.place(SIZE, [Prompt(1, mask=masked(80, 160, 120, 200))])
    following.saw(window, [1], window.cut(masked(80, 160, 120, 200))[None])
    assert not following.searching and not following.believes(1, masked(0, 0, 30, 30))  # it is known where it is
    following.saw(window, [1], torch.zeros(1, 50, 50, dtype=torch.bool))
    assert following.searching and following.place(SIZE) == window
    assert not following.believes(1, masked(0, 0, 0, 0))
    assert not following.believes(1, masked(90, 170, 130, 210))  # near where it was: seen better in the window
    there = masked(0, 300, 40, 340)
    for _ in range(5):
        assert following.believes(1, there)
        moved = following.place(SIZE, [Prompt(1, mask=there)])
        following.saw(moved, [1], moved.cut(there)[None])
    assert moved.top == 0 and moved.left > window.left
    assert not following.believes(1, there) and not following.searching


def test_what_is_forgotten_leaves_no_trace():
    following, size = FollowingWindow(), SIZE
    whole = following.place(size, [Prompt(1, mask=masked(0, 0, 200, 360))])
    following.saw(whole, [1], masked(0, 0, 0, 0)[None])
    following.forget(1)
    assert not following.searching
    said = [Prompt(2, mask=masked(80, 160, 100, 180))]
    assert following.place(size, said) == FollowingWindow().place(size, said)


def test_a_jump_makes_everything_lost_until_it_is_seen_or_said():
    following = FollowingWindow()
    window = following.place(SIZE, [Prompt(1, mask=masked(80, 160, 120, 200))])
    following.saw(window, [1], window.cut(masked(80, 160, 120, 200))[None])
    following.jump()
    assert following.searching and following.believes(1, masked(0, 0, 30, 30))


def test_what_a_person_says_of_a_thing_that_came_back_counts_more():
    following = FollowingWindow()
    window = following.place(SIZE, [Prompt(1, mask=masked(80, 160, 120, 200))])
    following.saw(window, [1], window.cut(masked(80, 160, 120, 200))[None])
    following.jump()
    assert following.believes(1, masked(0, 0, 30, 30))
    corrected = following.place(SIZE, [Prompt(1, mask=masked(90, 20, 120, 50))])
    following.settle([1])
    following.saw(corrected, [1], corrected.cut(masked(90, 20, 120, 50))[None])
    assert not following.searching and not following.believes(1, masked(0, 0, 30, 30))


def test_a_thing_that_was_never_found_is_believed_where_it_shows_itself():
    following = FollowingWindow()
    click = Prompt(1, points=torch.tensor([[50.0, 50.0]]), labels=torch.tensor([1]))
    whole = following.place(SIZE, [click])
    following.saw(whole, [1], masked(0, 0, 0, 0)[None])
    assert following.searching and following.place(SIZE) == whole
    assert following.believes(1, masked(40, 40, 60, 60))


def test_a_click_beyond_what_is_known_is_looked_at_in_the_whole_frame():
    following = FollowingWindow()
    window = following.place(SIZE, [Prompt(1, mask=masked(80, 160, 120, 200))])
    following.saw(window, [1], window.cut(masked(80, 160, 120, 200))[None])

    def click(x: float, y: float, label: int) -> Prompt:
        return Prompt(1, points=torch.tensor([[x, y]]), labels=torch.tensor([label]))

    assert not following.reaches_further(click(180, 100, 1)) and not following.reaches_further(click(180, 140, 0))
    assert following.reaches_further(click(180, 140, 1))
    following.jump()
    assert following.reaches_further(click(180, 100, 1))


def test_a_small_thing_is_seen_more_finely(nano):
    clip, truth = frames(8), masked(88, 68, 112, 92)
    found = {}
    for view in ("frame", "objects"):
        tracker = Tracker(nano, view=view)
        for t, frame in enumerate(clip):
            said = [Prompt(1, mask=masked(88, 40, 112, 64))] if t == 0 else []
            found[view] = tracker.step(frame, said)
    assert found["objects"].logits.shape == found["frame"].logits.shape == (1, *SIZE)
    near, far = (iou(found[view].masks[0], truth) for view in ("objects", "frame"))
    assert near > 0.8 and near > far + 0.02, (near, far)


@pytest.mark.parametrize("said", ["mask", "box", "click"])
def test_every_kind_of_prompt_leads_to_the_same_place(nano, said):
    clip = frames(4)
    prompt = {
        "mask": Prompt(1, mask=masked(88, 40, 112, 64)),
        "box": Prompt(1, box=torch.tensor([40.0, 88, 64, 112])),
        "click": Prompt(1, points=torch.tensor([[52.0, 100.0]]), labels=torch.tensor([1])),
    }[said]
    tracker = Tracker(nano, view="objects")
    found = [tracker.step(frame, [prompt] if t == 0 else []) for t, frame in enumerate(clip)]
    assert iou(found[-1].masks[0], masked(88, 52, 112, 76)) > 0.6
    more = Prompt(1, points=torch.tensor([[70.0, 100]]), labels=torch.tensor([1]), frame=4)
    assert iou(tracker.step(clip[-1], [more]).masks[0], masked(88, 52, 112, 76)) > 0.6  # corrected in the window


def test_what_leaves_is_gone_and_found_again_where_it_comes_back():
    """With the base that looks so by default: a textured square goes, and comes back in the other corner."""
    small = build_sam2(Sam2Config("small"))
    ground, thing = pattern(240, 320, 3, 60, 120), pattern(40, 40, 4, 150, 250)

    def frame(x: int | None, y: int = 0) -> torch.Tensor:
        shown = ground.clone()
        if x is not None:
            shown[:, y : y + 40, x : x + 40] = thing
        return shown

    clip = [frame(40, 30)] * 7 + [frame(None)] * 3 + [frame(240, 170)] * 6
    tracker = Tracker(small)
    assert tracker.view == "objects"
    found = [
        tracker.step(shown, [Prompt(1, box=torch.tensor([40.0, 30, 80, 70]))] if t == 0 else [])
        for t, shown in enumerate(clip)
    ]
    seen = [float(one.presence[0]) > 0 for one in found]
    assert seen == [True] * 7 + [False] * 3 + [True] * 6
    truth = torch.zeros(240, 320, dtype=torch.bool)
    truth[170:210, 240:280] = True
    assert iou(found[-1].masks[0], truth) > 0.7
    tracker.jump()  # a cut: it is at its first place again
    first = torch.zeros_like(truth)
    first[30:70, 40:80] = True
    assert iou(tracker.step(clip[0]).masks[0], first) > 0.5


def pattern(height: int, width: int, seed: int, low: int, high: int) -> torch.Tensor:
    """Coarse colours, ``(3, H, W)`` uint8."""
    coarse = torch.randint(low, high, (1, 3, 6, 6), generator=torch.Generator().manual_seed(seed)).float()
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 255).byte()[0]


def test_hooks_know_whose_rows_a_pass_has_whoever_looks(nano):
    tracker, rows = Tracker(nano, view="objects"), []
    hook = nano.memory_attention.register_forward_hook(
        lambda module, given, out: rows.append((len(tracker.active_ids), out.shape[1]))
    )
    said = {0: [Prompt(1, mask=masked(88, 40, 112, 64))], 2: [Prompt(2, mask=masked(120, 40, 150, 64), frame=2)]}
    for t, shown in enumerate(frames(8)):
        tracker.step(shown, said.get(t, ()))
    hook.remove()
    assert len(rows) > 14 and all(ids == batch for ids, batch in rows)  # the scout's passes are among them


def test_scores_of_others_stay_when_one_is_seen_elsewhere():
    one = torch.ones(3, 1)
    answer = Answer((4, 2, 9), one[..., None, None], one[..., None, None], one, 5 * one, one[:, 0], one[:, :0])
    scored = answer.scored(2, torch.tensor(-3.0), torch.tensor(0.25))
    assert scored.presence[:, 0].tolist() == [5, -3, 5] and scored.ious.tolist() == [1, 0.25, 1]
    assert answer.presence[:, 0].tolist() == [5, 5, 5]


def test_objects_far_apart_are_seen_in_the_whole_frame(nano):
    clip = frames(3, step=0)
    clip = [frame.clone() for frame in clip]
    for frame in clip:
        frame[2, 20:60, 300:340] = 230
    said = [Prompt(1, mask=masked(88, 40, 112, 64)), Prompt(2, mask=masked(20, 300, 60, 340))]
    near, whole = (
        [tracker.step(frame, said if t == 0 else []) for t, frame in enumerate(clip)][-1]
        for tracker in (Tracker(nano, view=view) for view in ("objects", "frame"))
    )
    assert near.object_ids == (1, 2)
    for mask, other in zip(near.masks, whole.masks, strict=True):
        assert iou(mask, other) > 0.7


def test_who_says_where_to_look(nano):
    small = build_sam2(Sam2Config("small", "random"))
    assert getattr(small, VIEW) == "objects" and getattr(nano, VIEW) == "frame"
    assert getattr(build_sam2(Sam2Config("small", "random", view="frame")), VIEW) == "frame"
    assert Tracker(small).view == "objects" and Tracker(nano).view == "frame"
    assert Tracker(small, non_overlapping=False).view == "frame"  # hidden things may be anywhere
    assert Tracker(small, policy=DAM4SAM()).view == "frame"
    assert Tracker(small, view="frame").view == "frame"


def test_another_video_begins_with_another_window(nano):
    tracker, fresh = Tracker(nano, view="objects"), Tracker(nano, view="objects")
    clip, said = frames(3), [Prompt(1, box=torch.tensor([40.0, 88, 64, 112]))]
    for frame in clip:
        tracker.step(frame, said if tracker.index == 0 else [])
    tracker.reset()
    first, second = (t.step(clip[0], said) for t in (tracker, fresh))
    assert torch.equal(first.logits, second.logits)
    tracker.remove(1)
    assert tracker.step(clip[1]).object_ids == ()
