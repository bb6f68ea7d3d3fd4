"""Who is in front, could they stand so, and which frames make the clip: on boxes that walk."""

import numpy as np
import pytest

from robustvos.realvas.filter import FilterSettings
from robustvos.realvas.ground import Horizon, find_horizon, standing_of
from robustvos.realvas.motion import motion_score
from robustvos.realvas.order import contact_order, on_top, relative_speed, steepness
from robustvos.realvas.placed import Pairing, place
from robustvos.realvas.tracks import Track, read_track, touches_border, write_track
from robustvos.realvas.window import NoWindow, find_window

SIZE = (200, 320)
PLATE = np.full((*SIZE, 3), 128, np.uint8)


def boxes(count, bottom, height, width, start, speed, first=0):
    masks = np.zeros((count, *SIZE), bool)
    for k, mask in enumerate(masks):
        x = start + speed * k
        low, high = bottom(k) if callable(bottom) else bottom, height(k) if callable(height) else height
        mask[max(0, round(low - high)) : round(low), max(0, round(x)) : max(0, round(x + width))] = True
    seen = masks.any((1, 2))
    masks = masks[seen]
    frames = np.flatnonzero(seen) + first
    border = np.array([touches_border(mask) for mask in masks])
    return Track(frames, masks, masks.copy(), np.zeros(len(masks), bool), border)


def placed(key, track, last=200, role="any"):
    return place(key, "shot", role, track, standing_of(track, PLATE), 1, last)


def far(**changes):
    return placed(
        "far", boxes(**({"count": 80, "bottom": 110, "height": 50, "width": 20, "start": 10, "speed": 3} | changes))
    )


def near(**changes):
    kind = {"count": 100, "bottom": 160, "height": 100, "width": 40, "start": 320, "speed": -4, "first": 90}
    return placed("near", boxes(**(kind | changes)))


def test_the_lower_contact_is_in_front_whoever_comes_first():
    limits = FilterSettings()
    a, b = far(), near()
    assert contact_order(Pairing.of(a, b, -90), limits.dead_zone, limits.agreement, 200).front == "second"
    assert contact_order(Pairing.of(b, a, 90), limits.dead_zone, limits.agreement, 200).front == "first"


def test_equal_contacts_are_undecided():
    order = contact_order(Pairing.of(far(), near(bottom=112), -90), 0.017, 0.9, 200)
    assert order.front is None and order.reason == "order undecided"


def test_contact_behind_a_table_says_nothing():
    plate = PLATE.copy()
    plate[110:] = 40
    track = boxes(60, 110, 50, 30, 10, 3)
    assert standing_of(track, plate).hidden
    assert not standing_of(track, PLATE).hidden


def test_hop_is_not_a_step_back():
    track = boxes(40, lambda k: 110 - (12 if k % 6 == 3 else 0), 50, 20, 10, 3)
    assert np.ptp(standing_of(track, PLATE).rows) < 2


def test_horizon_follows_from_growth_and_is_unknown_without():
    horizon = 20.0
    coming = boxes(60, lambda k: 80 + 1.8 * k, lambda k: 0.5 * (80 + 1.8 * k - horizon), 24, 40, 2)
    found = find_horizon([(coming, standing_of(coming, PLATE))], 200)
    assert found.high is not None and found.low is not None
    assert found.low - 6 <= horizon <= found.high + 6
    passing = boxes(60, 110, 50, 20, 10, 3)
    assert find_horizon([(passing, standing_of(passing, PLATE))], 200) == Horizon()


def test_steep_camera_and_small_gap_collide_flat_camera_and_large_gap_do_not():
    pairing = Pairing.of(far(), near(bottom=116), -90)
    steep = on_top(pairing, Horizon(-900.0, -500.0), SIZE, 2)
    assert steep[0] == "on top"
    flat = on_top(Pairing.of(far(), near(), -90), Horizon(90.0, 100.0), SIZE, 2)
    assert flat[0] == "clear"
    unknown = on_top(pairing, Horizon(), SIZE, 2)
    assert unknown[0] == "undecidable" and unknown[1]["together"] > 2


def test_steepness_is_bounded_by_the_horizon():
    low, high = steepness(150, Horizon(50.0, 60.0), SIZE)
    assert low == pytest.approx(90 / (1.4 * 320)) and high == pytest.approx(100 / (0.7 * 320))
    assert steepness(150, Horizon(), SIZE) == (0.05, 1.2)


def window(a, b, shift, others_a=(), others_b=(), same=False):
    return find_window(Pairing.of(a, b, shift), list(others_a), list(others_b), same, 0.1)


def test_clip_begins_where_the_occludee_is_whole_and_free():
    found = window(far(start=-30), near(), -90)
    assert not isinstance(found, NoWindow)
    pairing = Pairing.of(far(start=-30), near(), -90)
    assert pairing.shares[found.start] == 0 and not pairing.behind.border[found.start]
    assert found.start > 0


def test_occluder_that_pops_up_is_cut():
    appearing = near(start=200)  # its first sample is in mid-picture
    found = window(far(), appearing, -70)
    assert not isinstance(found, NoWindow) and found.start == 20


def test_covered_from_the_start_is_no_clean_start():
    found = window(far(start=150, speed=0), near(start=150, speed=-1, count=40), -90)
    assert isinstance(found, NoWindow) and found.reason == "no clean start"


def test_third_object_before_the_occludee_is_an_external_occlusion():
    third = placed("third", boxes(80, 130, 60, 40, 20, 3))
    found = window(far(), near(), -90, others_a=[third])
    assert isinstance(found, NoWindow) and found.reason == "external occlusion"


def test_merged_occludee_is_refused():
    a = far()
    a.merged[:] = True
    found = window(a, near(), -90)
    assert isinstance(found, NoWindow) and found.reason == "merged regions"


def test_sudden_loss_of_area_is_an_external_occlusion():
    a = boxes(80, 110, lambda k: 50 if k < 38 else 20, 20, 10, 3)
    found = window(placed("far", a), near(), -90)
    assert isinstance(found, NoWindow) and found.reason == "external occlusion"


def test_frames_of_one_shot_serve_once():
    found = window(far(), near(first=30), -30, same=True)
    assert isinstance(found, NoWindow) or found.stop - found.start <= 30


def test_corrected_masks_replace_and_deleted_ones_go(tmp_path):
    track = boxes(5, 110, 50, 20, 10, 3)
    write_track(track, tmp_path / "t.npz")
    emptied = Track(*(getattr(track, n)[2:3] for n in ("frames", "objects", "regions", "merged", "border")))
    write_track(
        Track(emptied.frames, emptied.objects & False, *(emptied.regions, emptied.merged, emptied.border)),
        tmp_path / "corrections" / "t.npz",
    )
    assert read_track(tmp_path, tmp_path / "t.npz", "t").frames.tolist() == [0, 1, 3, 4]
    whole = read_track(tmp_path / "elsewhere", tmp_path / "t.npz", "t")
    assert np.array_equal(whole.objects, track.objects) and np.array_equal(whole.border, track.border)


def test_score_is_the_papers():
    rng = np.random.default_rng(0)
    paths = rng.normal(size=(7, 5, 2))
    expected = sum(float(np.sqrt(((paths[t + 1, i] - paths[t, i]) ** 2).sum())) for i in range(5) for t in range(6)) / (
        5 * 7
    )
    assert motion_score(paths) == pytest.approx(expected)


def test_passing_is_told_from_standing_together():
    passing = Pairing.of(far(), near(), -90)
    assert relative_speed(passing, 0, 80) == pytest.approx(7, abs=0.5)
    along = near(start=0, speed=3, first=0)
    assert relative_speed(Pairing.of(far(), along, 0), 0, 80) == pytest.approx(0, abs=0.2)
