"""Textures, outlines and paths: the parts that scenes are made of."""

from __future__ import annotations

import numpy as np
import pytest

from robustvos.scenes.motion import crossing_motion, random_motion, smooth_series
from robustvos.scenes.outlines import Limb, Outline, box, random_outline, rotation
from robustvos.scenes.textures import PATTERNS, random_texture

pytestmark = pytest.mark.fast

SIZES = [(1, 1), (1, 9), (33, 20), (64, 64)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pattern", sorted(set(PATTERNS), key=lambda p: p.__name__))
def test_patterns_are_fields_from_zero_to_one(pattern, size):
    for seed in range(4):
        field = pattern(np.random.default_rng(seed), *size)
        assert field.shape == size and field.dtype == np.float32
        assert field.min() >= 0 and field.max() <= 1
        assert np.array_equal(field, pattern(np.random.default_rng(seed), *size))


@pytest.mark.parametrize("pattern", sorted(set(PATTERNS), key=lambda p: p.__name__))
def test_patterns_are_not_flat(pattern):
    assert sum(pattern(np.random.default_rng(seed), 64, 64).std() > 0.05 for seed in range(5)) >= 4


@pytest.mark.parametrize("size", SIZES)
def test_texture_is_an_rgb_image_of_the_size_asked_for(size):
    image = random_texture(np.random.default_rng(0), *size)
    assert image.shape == (*size, 3) and image.dtype == np.uint8
    assert np.array_equal(image, random_texture(np.random.default_rng(0), *size))


def test_textures_differ_in_pattern_and_colour():
    images = [random_texture(np.random.default_rng(seed), 32, 32) for seed in range(8)]
    means = np.array([image.mean((0, 1)) for image in images])
    assert means.std(0).min() > 10


def test_rotation_turns_by_its_angle():
    quarter = rotation(np.pi / 2)
    assert np.allclose(quarter @ [1, 0], [0, 1], atol=1e-6)
    assert np.allclose(rotation(0.7) @ rotation(0.7).T, np.eye(2), atol=1e-6)


def test_box_is_upright_and_of_its_size():
    corners = box(2, 1)
    assert np.ptp(corners, axis=0).tolist() == [4, 2] and corners.sum() == 0


@pytest.mark.parametrize("seed", range(40))
def test_outlines_are_about_one_unit_large_at_any_time(seed):
    outline = random_outline(np.random.default_rng(seed))
    for t in (0, 3.5, 100):
        polygons = outline.at(t)
        assert len(polygons) == 1 + len(outline.limbs)
        reach = [np.linalg.norm(polygon, axis=1).max() for polygon in polygons]
        assert 0.7 < reach[0] < 2 and max(reach) < 2.2
        assert all(np.isfinite(polygon).all() and len(polygon) >= 3 for polygon in polygons)


def test_outlines_come_rigid_breathing_and_with_limbs():
    outlines = [random_outline(np.random.default_rng(seed)) for seed in range(60)]
    moving = [not np.allclose(o.at(0)[0], o.at(4)[0]) for o in outlines]
    limbed = [len(o.limbs) > 0 for o in outlines]
    assert 5 < sum(moving) < 35 and 8 < sum(limbed) < 40
    rigid = next(o for o, moves in zip(outlines, moving, strict=True) if not moves)
    assert np.array_equal(rigid.at(9)[0], rigid.body)


def test_limb_swings_about_its_hinge():
    tip = np.array([[0, 0], [1, -0.1], [1, 0.1]], np.float32)
    limb = Limb(tip, hinge=np.array([0.5, 0.2], np.float32), rest=0.3, swing=0.5, rate=1.0, phase=0.0)
    for t, angle in ((0, 0.3), (np.pi / 2, 0.8), (3 * np.pi / 2, -0.2)):
        polygon = limb.at(t)
        assert np.allclose(polygon[0], [0.5, 0.2])
        middle = polygon[1:].mean(0) - polygon[0]
        assert np.arctan2(middle[1], middle[0]) == pytest.approx(angle, abs=1e-5)
    assert len(Outline(box(1, 1), (limb,)).at(0)) == 2


@pytest.mark.parametrize("length", [1, 2, 50])
def test_series_start_at_zero_and_are_smooth(length):
    for seed in range(5):
        series = smooth_series(np.random.default_rng(seed), length, amplitude=2.0)
        assert series.shape == (length,) and series.dtype == np.float32 and series[0] == 0
        if length == 50:
            assert series.std() > 0
            assert np.abs(np.diff(series, 2)).max() < 0.5 * np.abs(series).max()


@pytest.mark.parametrize("length", [1, 2, 16])
def test_paths_start_inside_the_frame_and_keep_their_size_within_bounds(length):
    for seed in range(20):
        motion = random_motion(np.random.default_rng(seed), length, (60, 100), radius=8)
        assert motion.position.shape == (length, 2) and motion.angle.shape == motion.scale.shape == (length,)
        x, y = motion.position[0]
        assert 17.9 < x < 82.1 and 10.7 < y < 49.3
        assert motion.scale[0] == pytest.approx(8)
        assert np.all(motion.scale >= 8 * 0.67) and np.all(motion.scale <= 8 * 1.5)


def test_crossing_paths_meet_their_target_at_the_frame_agreed():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        target = random_motion(rng, 12, (64, 64), radius=8)
        motion = crossing_motion(rng, 12, target, meet=5, radius=6)
        assert np.allclose(motion.position[5], target.position[5])
        steps = np.diff(motion.position, axis=0)
        assert np.allclose(steps, steps[0], atol=1e-4), "a straight path at even speed"
        assert 0.1 * 6 < np.linalg.norm(steps[0]) < 0.36 * 6
        assert np.all(motion.scale == 6)
