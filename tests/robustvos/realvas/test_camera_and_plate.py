"""Shots, the camera's verdict, the clean plate, exposure, stabilisation."""

import cv2
import numpy as np
import pytest

from robustvos.realvas.clean_plate import apply_gain, exposure_gain, median_of, repair_plate
from robustvos.realvas.cuts import find_shots
from robustvos.realvas.stabilise import common_rectangle, find_similarities, rescale, warp
from robustvos.realvas.static_camera import CameraLimits, CameraMotion, measure_camera


def shifted(picture, dx, dy):
    return warp(picture, np.array([[1, 0, dx], [0, 1, dy]], float))


def test_cuts_are_found_and_movers_are_none(scene):
    street = [scene.frame(t) for t in range(0, 60, 2)]
    other = [255 - picture for picture in street[:20]]
    assert find_shots([*street, *other, *street[:9]]) == [(0, 30), (30, 50), (50, 59)]
    assert find_shots(street) == [(0, 30)]
    assert find_shots([]) == []


@pytest.mark.parametrize(("sway", "verdict"), [(0.0, "static"), (6.0, "undecided")])
def test_verdict_on_a_street(scene, sway, verdict):
    frames = [shifted(scene.frame(t), sway * np.sin(t), 0) for t in range(0, 200, 8)]
    assert measure_camera(frames).verdict(CameraLimits()) == verdict


def test_a_panning_camera_moves(scene):
    rng = np.random.default_rng(0)
    wide = np.concatenate(
        [np.roll(scene.plate(), k * 40, 1) + rng.normal(0, 1, scene.plate().shape) for k in range(4)], 1
    )
    wide = np.clip(wide, 0, 255).astype(np.uint8)
    frames = [np.ascontiguousarray(wide[:, 20 * k : 20 * k + 320]) for k in range(40)]
    assert measure_camera(frames).verdict(CameraLimits()) == "moving"


@pytest.mark.parametrize(
    ("inliers", "drift", "verdict"),
    [(0.05, 0.0, "moving"), (0.12, 0.1, "undecided"), (0.5, 1.7, "undecided"), (0.16, 0.9, "static")],
)
def test_limits_of_the_verdict(inliers, drift, verdict):
    assert CameraMotion(inliers, drift).verdict(CameraLimits()) == verdict


def test_stabilised_frames_lie_on_the_reference_in_any_light(scene):
    reference = np.clip(scene.plate(), 0, 255).astype(np.uint8)
    moves = [(3.2, -1.5), (-2.7, 0.4), (0.0, 2.0)]
    frames = [apply_gain(shifted(reference, *move), np.full(3, gain)) for move, gain in zip(moves, (1.0, 0.9, 1.08))]
    matrices, shares = find_similarities(frames, reference)
    assert min(shares) > 0.5
    for (dx, dy), matrix in zip(moves, matrices, strict=True):
        assert np.abs(matrix[:, 2] + (dx, dy)).max() < 0.4
    x0, y0, x1, y1 = common_rectangle(matrices, reference.shape[:2])
    assert 2 <= x0 <= 6 and 2 <= y0 <= 5 and 310 <= x1 <= 318 and 190 <= y1 <= 199


def test_similarities_of_larger_pictures():
    angle = 0.02
    matrix = np.array([[np.cos(angle), -np.sin(angle), 3.0], [np.sin(angle), np.cos(angle), -2.0]])
    large = rescale(matrix, 2.0)
    point = np.array([10.0, 20.0])
    expected = 2 * (matrix[:, :2] @ point + matrix[:, 2]) + 0.5  # pixel 0 has its middle at .5
    assert np.allclose(large[:, :2] @ (2 * point + 0.5) + large[:, 2], expected)


def test_what_stood_still_is_taken_out_of_the_plate(scene):
    """A block stands there for three quarters of the time."""
    empty = cv2.GaussianBlur(np.clip(scene.plate(), 0, 255).astype(np.uint8), (0, 0), 2)
    blocked = empty.copy()
    blocked[80:140, 100:150] = (20, 30, 200)
    rng = np.random.default_rng(0)
    frames = [
        np.clip((empty if k >= 18 else blocked) + rng.normal(0, 1, empty.shape), 0, 255).astype(np.uint8)
        for k in range(24)
    ]
    assert np.abs(median_of(frames).astype(int) - empty)[80:140, 100:150].mean() > 50
    plate, use, ghosts, left = repair_plate(frames, list(zip(frames[:-1:3], frames[1::3])))
    assert np.abs(plate.astype(int) - empty).mean() < 2
    assert ghosts > 2000 and left < 20
    assert use[:, 110, 125].tolist() == [k >= 18 for k in range(24)]


def test_gain_is_found_beside_a_mover(scene):
    plate = np.clip(scene.plate(), 0, 255).astype(np.uint8)
    bright = apply_gain(scene.frame(40, (scene.FAR,)), np.array([1.06, 0.95, 1.0]))
    assert np.allclose(exposure_gain(bright, plate), [1.06, 0.95, 1.0], atol=0.01)
