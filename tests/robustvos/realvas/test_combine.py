"""How occluders of one clip stand to one another, and which frames they share: on boxes that walk."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from robustvos.commands.realvas_options import MOST_OCCLUDERS, RunOptions
from robustvos.errors import UserError
from robustvos.files.stage import Result
from robustvos.realvas.combine import MOST, CombineSettings, current, stand_in_order
from robustvos.realvas.filter import FilterSettings
from robustvos.realvas.ground import Horizon, standing_of
from robustvos.realvas.placed import Pairing, place
from robustvos.realvas.scene import Scene
from robustvos.realvas.tracks import Track, touches_border
from robustvos.realvas.window import NoWindow, Window, covered_by_all, find_common_window

pytestmark = pytest.mark.fast

SIZE = (200, 320)
PLATE = np.full((*SIZE, 3), 128, np.uint8)
RULES = FilterSettings()


def walker(key, count, bottom, height, width, start, speed, first=0):
    """A box whose lowest row is ``bottom``, of a frame or of all."""
    masks = np.zeros((count, *SIZE), bool)
    for k, mask in enumerate(masks):
        x, low = start + speed * k, bottom(k) if callable(bottom) else bottom
        mask[low - height : low, max(0, round(x)) : max(0, round(x + width))] = True
    seen = masks.any((1, 2))
    masks, frames = masks[seen], np.flatnonzero(seen) + first
    border = np.array([touches_border(mask) for mask in masks])
    track = Track(frames, masks, masks.copy(), np.zeros(len(masks), bool), border)
    return place(key, "shot", "any", track, standing_of(track, PLATE), 1, 400)


FAR = walker("far", 80, 110, 50, 20, 10, 3)


def near(key="near", bottom=160, start=320, speed=-6.0, first=100):
    return walker(key, 80, bottom, 90, 40, start, speed, first)


def nearest(**changes):
    return near(**({"key": "nearest", "bottom": 190, "start": 400, "speed": -9.0, "first": 200} | changes))


def scene_of(*tracks, horizon=Horizon(90.0, 100.0)):
    shot = SimpleNamespace(small_size=SIZE, fps=25.0)
    return Scene({"shot": shot}, {track.key: track for track in tracks}, {"shot": horizon}, {})


def ranked(*fronts, shifts=(-100, -200), horizon=Horizon(90.0, 100.0)):
    pairings = [Pairing.of(FAR, front, shift) for front, shift in zip(fronts, shifts, strict=True)]
    window = Window(0, len(FAR.masks))
    return stand_in_order(pairings, window, scene_of(FAR, *fronts, horizon=horizon), RULES, 1)


def test_the_lower_occluder_is_laid_last_whatever_comes_first():
    assert ranked(near(), nearest()).farthest_first == [0, 1]
    assert ranked(nearest(), near(), shifts=(-200, -100)).farthest_first == [1, 0]
    assert ranked(near(), nearest()).undecided == []


def test_occluders_that_stand_at_one_height_are_rejected_with_figures():
    found = ranked(near(), nearest(bottom=162))
    assert isinstance(found, NoWindow) and found.reason == "order of occluders undecided"
    assert found.figures["gap"] == pytest.approx(0.01) and found.figures["dead_zone"] == RULES.dead_zone
    assert found.figures["occluders"] == ["near", "nearest"]


def test_order_of_occluders_that_changes_is_rejected():
    """The second one comes down the picture while both overlap."""
    found = ranked(near(), nearest(bottom=lambda k: 116 + 2 * k))
    assert isinstance(found, NoWindow) and found.reason == "order of occluders changes"
    assert found.figures["agree"] < RULES.agreement


def test_occluders_that_hardly_pass_each_other_are_on_top():
    steep = Horizon(-900.0, -500.0)
    found = ranked(near(), nearest(bottom=166, start=320, speed=-6.0), horizon=steep)
    assert isinstance(found, NoWindow) and found.reason == "occluders on top" and found.figures["passing"] < 0.08


def test_occluders_that_may_stand_in_one_place_are_left_to_the_review():
    found = ranked(near(), nearest(bottom=190), horizon=Horizon())
    assert found.doubts == ("occluders: on top not decidable without depth",)


def test_occluders_that_never_overlap_need_no_order():
    found = ranked(near(), nearest(bottom=160, first=230), shifts=(-100, -200))
    assert found.undecided == [[0, 1]] and not found.doubts


def test_occluders_filmed_together_stand_where_they_stood():
    """Both come out of the same frames, one close behind the other on one path."""
    beside = near("beside", 166, start=335)
    steep = Horizon(-900.0, -500.0)
    found = ranked(near(), beside, shifts=(-100, -100), horizon=steep)
    assert found.farthest_first == [0, 1] and not found.doubts


def common(*pairings):
    return find_common_window(pairings, [], [[] for _ in pairings])


def test_common_window_holds_both_passages_and_a_clean_start():
    pairings = [Pairing.of(FAR, near(), -100), Pairing.of(FAR, nearest(), -200)]
    window = common(*pairings)
    hidden = covered_by_all(pairings)
    assert hidden[window.start] == 0
    for pairing in pairings:
        assert window.start < int(np.argmax(pairing.shares)) < window.stop
    either = sum((pairing.hidden > 0).astype(int) for pairing in pairings)
    assert (hidden[either == 1] == sum(p.hidden for p in pairings)[either == 1]).all()
    assert (hidden <= sum(p.hidden for p in pairings)).all()


def test_one_occluder_at_nearly_the_same_delay_is_no_combination():
    walks = near()
    found = common(Pairing.of(FAR, walks, -100), Pairing.of(FAR, walks, -92))
    assert isinstance(found, NoWindow) and found.reason == "one occluder twice" and found.figures["samples_apart"] == 8


def test_what_blocks_the_frames_between_two_passages_is_named():
    pairings = [Pairing.of(FAR, near(), -100), Pairing.of(FAR, nearest(first=210), -200)]
    peaks = sorted(int(np.argmax(pairing.shares)) for pairing in pairings)
    hides = walker("pole", 80, 150, 120, 30, 10 + 3 * (sum(peaks) // 2), 0)
    found = find_common_window(pairings, [hides], [[], []])
    assert isinstance(found, NoWindow) and found.reason == "external occlusion" and found.figures["between"] == peaks


def test_as_many_occluders_may_be_asked_for_as_there_may_be(tmp_path):
    assert MOST_OCCLUDERS == MOST
    assert RunOptions(tmp_path).settings().combine == CombineSettings() and CombineSettings().occluders == 1
    assert RunOptions(tmp_path, occluders=MOST).settings().combine.occluders == MOST
    for occluders in (0, MOST + 1):
        with pytest.raises(UserError, match=f"--occluders is {occluders}; give 1 to {MOST}"):
            RunOptions(tmp_path, occluders=occluders)


def test_combinations_whose_members_filter_no_longer_keeps_are_passed_over(tmp_path):
    def result(key, **figures):
        return Result(key, key, None, figures, "", tmp_path)

    both, one = result("x", members=["a", "b"]), result("y", members=["a", "c"])
    assert current([both, one], [result("a"), result("b")]) == [both]
