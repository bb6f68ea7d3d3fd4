"""What is one object and what is two, what is a shadow between its feet, and what merely hangs on to it."""

import cv2
import numpy as np
import pytest

from robustvos.realvas.association import Associator
from robustvos.realvas.difference import fill_but_shadows, is_shadow
from robustvos.realvas.fragments import join_fragments
from robustvos.realvas.propagate import misunderstood
from robustvos.realvas.split import kept_share, split_object, with_windows, without_hangers_on, without_shadows

SIZE = (100, 200)


def drawn(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, max(0, x0) : max(0, x1)] = True
    return mask


def swan(t: int) -> np.ndarray:
    """Comes from the left, its head and its breast before the neck that joins them."""
    x = 4 * t - 40
    return drawn((x, 20, x + 40, 30), (x, 30, x + 12, 60), (x, 60, x + 40, 90))


def followed(*masks: np.ndarray) -> list:
    associator = Associator()
    for sample, mask in enumerate(masks):
        associator.add(sample, mask)
    return associator.tracks


def test_what_comes_in_in_two_parts_becomes_one_track_with_all_of_it():
    masks = [swan(t) for t in range(2, 40)]
    apart = followed(*masks)
    assert len(apart) == 2 and any(apart[0].merged)
    (track,) = join_fragments(apart)
    assert not any(track.merged) and track.samples == list(range(38))
    assert all((region == mask).all() for region, mask in zip(track.regions, masks, strict=True))


@pytest.mark.parametrize("speed", [3, 5])
def test_two_that_pass_each_other_stay_two(speed):
    masks = [drawn((speed * t, 20, speed * t + 14, 60), (180 - speed * t, 25, 194 - speed * t, 65)) for t in range(30)]
    tracks = followed(*masks)
    assert any(any(track.merged) for track in tracks), "they meet"
    joined = join_fragments(tracks)
    assert len(joined) == len(tracks) and [t.sharing for t in joined] == [t.sharing for t in tracks]


def test_shadow_between_two_wheels_is_no_part_of_the_car_and_a_grey_shirt_is_one_of_the_man():
    car = drawn((40, 20, 120, 50), (40, 50, 60, 80), (100, 50, 120, 80), (40, 78, 120, 80))
    between = drawn((60, 50, 100, 78))
    assert not fill_but_shadows(car, between)[between].any()
    assert fill_but_shadows(car, np.zeros(SIZE, bool))[between].all(), "what is no shadow is enclosed"
    man = drawn((40, 10, 80, 90))
    shirt = drawn((48, 24, 72, 44))
    assert fill_but_shadows(man & ~shirt, shirt)[shirt].all()


def test_soft_rim_of_a_shadow_is_shadow():
    plate = np.full((*SIZE, 3), (90, 150, 120), np.uint8)
    dark = cv2.GaussianBlur(drawn((60, 30, 140, 70)).astype(np.float32), (0, 0), 3)
    frame = (plate * (1 - 0.4 * dark[..., None])).round().astype(np.uint8)
    assert is_shadow(frame, plate)[(dark > 0.15)].all()
    plate[:, 100:], frame[:, 100:] = 60, 0  # black is no shadow, however smooth
    assert not is_shadow(frame, plate)[:, 110:].any()


def test_only_shadows_outside_the_region_are_taken_out():
    plate = np.full((*SIZE, 3), 150, np.uint8)
    frame = plate.copy()
    frame[20:80, 40:100] = 100
    region = drawn((40, 20, 70, 80))
    whole = drawn((30, 20, 110, 80))
    left = without_shadows(whole, region, frame, plate)
    assert left[region].all() and not left[25:75, 75:95].any() and left[25:75, 32:36].all()


def test_ball_on_a_white_line_is_cut_off_and_an_arm_is_not():
    body, ball, line = drawn((20, 10, 80, 90)), drawn((140, 40, 152, 52)), drawn((80, 45, 140, 47))
    arm = drawn((80, 20, 120, 24), (120, 16, 130, 28))
    kept = without_hangers_on(body | arm | line | ball)
    assert not kept[ball].any() and kept[body].all() and kept[arm].all()
    small = drawn((20, 10, 40, 60), (40, 30, 60, 32), (60, 26, 66, 36))
    assert (without_hangers_on(small) == small).all()


def test_window_in_a_broken_frame_is_filled_and_a_gap_that_shows_the_scene_is_not():
    car, window = drawn((20, 10, 120, 90)), drawn((50, 30, 90, 60))
    gap = drawn((68, 10, 71, 30))  # between window and outside
    seen = car & ~window & ~gap
    changed = np.where(car, 20.0, 0.0).astype(np.float32)
    none = np.zeros(SIZE, bool)
    assert with_windows(seen, changed, none)[window].all()
    changed[window] = 2.0
    assert not with_windows(seen, changed, none)[drawn((55, 35, 85, 55))].any()


def test_window_that_is_open_to_the_street_is_filled_and_a_shadow_is_not():
    car, window = drawn((20, 20, 140, 90)), drawn((80, 20, 136, 60))
    seen, none = car & ~window, np.zeros(SIZE, bool)
    changed = np.where(car, 20.0, 0.0).astype(np.float32)
    assert with_windows(seen, changed, none)[window].all(), "its upper edge is as grey as the street"
    shadow = changed.copy()
    shadow[:20, 70:150] = 20.0
    assert not with_windows(seen, shadow, none)[window].any(), "what goes on beyond the hull is a shadow"
    scene = changed.copy()
    scene[window] = 2.0
    assert not with_windows(seen, scene, none)[window].any(), "the scene is seen there"
    legs = drawn((40, 10, 80, 60), (40, 60, 46, 90), (74, 60, 80, 90))
    between = drawn((46, 60, 74, 90))
    dark = np.where(legs | between, 20.0, 0.0).astype(np.float32)
    assert not with_windows(legs, dark, none)[between].any(), "nothing of the object lies below it"


def test_frames_whose_split_lost_more_than_their_neighbours_are_found():
    kept = dict.fromkeys(range(10, 40), 0.95) | {12: 0.52, 13: 0.55, 30: 0.7, 31: 0.9}
    assert misunderstood(kept) == [12, 13, 30]
    assert misunderstood(dict.fromkeys(range(9), 0.5) | {4: 0.45}) == [], "where all lose as much, nothing is lost"
    assert misunderstood({}) == []


def test_split_by_edges_keeps_all_that_has_changed_but_shadows():
    rng = np.random.default_rng(0)
    plate = rng.integers(148, 152, (*SIZE, 3)).astype(np.uint8)
    frame = plate.copy()
    shirt, trousers, shadow = drawn((60, 20, 90, 50)), drawn((60, 50, 90, 80)), drawn((60, 60, 150, 90))
    light = 1 - 0.2 * cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), 6)
    frame = (frame * light[..., None]).astype(np.uint8)
    frame[shirt], frame[trousers] = (171, 169, 172), (30, 32, 40)
    region = shirt | trousers | (light < 0.96)
    whole = split_object(frame, plate, region, 0, by_edges=True)
    assert whole[drawn((62, 22, 88, 78))].all() and not whole[drawn((96, 50, 180, 100))].any()
    assert kept_share(whole, region, frame, plate) > 0.95
    assert kept_share(trousers, region, frame, plate) < 0.7
