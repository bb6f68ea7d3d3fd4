"""What moves from frame to frame, and what stands still."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from robustvos.corruptions import CORRUPTIONS, PRESETS, corrupt_clip

pytestmark = pytest.mark.fast

SIZE = (96, 128)


def black(frames: int) -> torch.Tensor:
    return torch.zeros(frames, 3, *SIZE, dtype=torch.uint8)


def best_shift(first: torch.Tensor, second: torch.Tensor) -> tuple[int, int, float, float]:
    """Cyclic shift ``(dy, dx)`` that maps one picture best onto the other, its correlation, and that of no shift."""
    a, b = (plane - plane.mean() for plane in (first[0].double().numpy(), second[0].double().numpy()))
    surface = np.fft.ifft2(np.conj(np.fft.fft2(a)) * np.fft.fft2(b)).real / np.sqrt((a**2).sum() * (b**2).sum())
    dy, dx = np.unravel_index(surface.argmax(), surface.shape)
    signed = [
        int(d) if d <= extent // 2 else int(d) - extent for d, extent in zip((dy, dx), surface.shape, strict=True)
    ]
    return signed[0], signed[1], float(surface.max()), float(surface[0, 0])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["rain", "snow"])
def test_particles_of_the_next_frame_are_this_frames_moved_down(name, preset):
    prepared = CORRUPTIONS[name].prepare("a", 12, SIZE, preset=preset)
    for t in range(11):
        now, then = prepared.particles(t), prepared.particles(t + 1)
        stayed = then.y > now.y  # the others left at the bottom and came back at the top
        assert stayed.mean() > 0.5
        moved_x, moved_y = then.x[stayed] - now.x[stayed], then.y[stayed] - now.y[stayed]
        assert np.all(now.half_length == then.half_length)
        assert moved_y.max() < 0.5 * SIZE[0]
        if name == "rain":
            np.testing.assert_allclose(moved_x, now.slope[stayed] * moved_y, atol=1e-9)
        else:
            assert np.abs(moved_x).max() < 0.05 * SIZE[1]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["rain", "snow"])
def test_higher_severity_adds_particles_to_the_same_ones(name, preset):
    few, many = (CORRUPTIONS[name].prepare("a", 9, SIZE, severity=s, preset=preset).particles(4) for s in (2.0, 4.0))
    assert len(few) < len(many)
    for axis in ("x", "y", "half_length", "radius"):
        np.testing.assert_array_equal(getattr(few, axis), getattr(many, axis)[: len(few)])


@pytest.mark.parametrize("preset", PRESETS)
def test_number_size_and_pace_of_flakes_wander_each_by_itself(preset):
    length, size, courses = 40, (480, 854), []
    for number in range(6):
        prepared = CORRUPTIONS["snow"].prepare(f"clip {number}", length, size, preset=preset)
        flakes = [prepared.particles(t) for t in range(length)]
        growth = [one.radius / flakes[0].radius for one in flakes]
        assert all(np.ptp(ratio) < 1e-9 for ratio in growth)  # the flakes of a frame grow together
        sinking = np.array([now.y - before.y for before, now in pairwise(flakes)])
        stayed = (sinking > 0).all(0)  # none of these has come round to the top
        pace = sinking[:, stayed] / sinking[0, stayed]
        assert np.ptp(pace, axis=1).max() < 1e-6  # and sink in step
        covered = [(one.opacity * one.radius**2).sum() for one in flakes]
        courses.append([np.array([ratio[0] for ratio in growth[1:]]), pace[:, 0], np.array(covered[1:])])
    for course in zip(*courses, strict=True):
        assert np.median([values.max() / values.min() for values in course]) > 1.2
    for first, second in ((0, 1), (0, 2), (1, 2)):
        agreement = [np.corrcoef(clip[first], clip[second])[0, 1] for clip in courses]
        assert min(np.abs(agreement)) < 0.6


def test_rain_in_pixels_is_the_same_rain_further_down():
    for number in range(4):
        frames = corrupt_clip(black(6), "rain", clip_name=f"clip {number}", preset="release", severity=1.5)
        for t in range(5):
            dy, dx, moved, still = best_shift(frames[t], frames[t + 1])
            assert dy > 2
            assert abs(dx) < 0.5 * dy + 1.5
            assert moved > 0.35
            assert moved > still + 0.2


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_particles_cover_the_whole_frame_at_all_times(name):
    frames = corrupt_clip(black(40), name, clip_name="a", severity=5.0)
    for t in (0, 20, 39):
        lit = (frames[t, 0] > 0).float()
        quarters = [lit[i::2, :].mean() for i in (0, 1)] + [part.mean() for part in lit.chunk(4, 0)]
        quarters += [part.mean() for part in lit.chunk(4, 1)]
        assert min(quarters) > 0.35 * max(quarters)


def test_intended_fog_drifts_one_way():
    shifts = []
    frames = corrupt_clip(black(24), "fog", clip_name="a", severity=1.0)
    middle = frames[:, 0, 16:80, 24:104].float()
    for t in range(0, 20, 4):
        # Where in the earlier frame is what the later one shows in its middle?
        errors = {
            dx: (middle[t + 4] - frames[t, 0, 16:80, 24 - dx : 104 - dx].float()).std().item() for dx in range(-20, 21)
        }
        shifts.append(min(errors, key=errors.__getitem__))
        assert errors[shifts[-1]] < 0.7 * errors[0]
    assert all(dx > 0 for dx in shifts) or all(dx < 0 for dx in shifts)


def test_intended_fog_is_patchy():
    fog = corrupt_clip(black(1), "fog", clip_name="a")[0, 0].float()
    patches = torch.nn.functional.avg_pool2d(fog[None], 16)
    assert patches.max() - patches.min() > 30
    assert (fog[:, 1:] - fog[:, :-1]).abs().max() < 20  # yet smooth


def test_released_fog_stands_still():
    frames = corrupt_clip(black(5), "fog", clip_name="a", preset="release")
    assert all(torch.equal(frames[0], frame) for frame in frames)


def test_noise_is_new_in_every_frame():
    grey = torch.full((3, 3, *SIZE), 128, dtype=torch.uint8)
    noise = corrupt_clip(grey, "gauss_noise", clip_name="a").double() - 128
    correlation = np.corrcoef(noise.flatten(1).numpy())
    assert np.abs(correlation - np.eye(3)).max() < 0.03


def test_released_jitter_flickers_and_intended_jitter_drifts():
    grey = torch.full((24, 3, 8, 8), 100, dtype=torch.uint8)
    steps = {}
    for preset in PRESETS:
        levels = corrupt_clip(grey, "color_jitter", clip_name="a", preset=preset)[:, 0, 0, 0].float()
        steps[preset] = (levels[1:] - levels[:-1]).abs()
    assert steps["intended"].max() < 20 < 30 < steps["release"].max()
