"""Each effect against an independent computation."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from robustvos.corruptions import CORRUPTIONS, corrupt_clip
from robustvos.corruptions.base import round_into
from robustvos.corruptions.blur import line_kernel, resampled
from robustvos.corruptions.colour import LUMA, OPERATIONS, turn_hue
from robustvos.corruptions.fields import UniformLevels
from robustvos.corruptions.particles import OPAQUE, Capsules, cover, draw

pytestmark = pytest.mark.fast


def random_frame(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def jittered(frame: torch.Tensor, steps: list[tuple[str, float]]) -> torch.Tensor:
    """The frame after some of the four operations in the order given; float."""
    prepared = CORRUPTIONS["color_jitter"].prepare("a", 1, tuple(frame.shape[1:]), preset="release")
    chosen = [OPERATIONS.index(name) for name, _ in steps]
    rest = [number for number in range(4) if number not in chosen]  # by nothing
    prepared.order = np.array([[*chosen, *rest]])
    prepared.change = np.zeros((1, 4))
    for number, (_, change) in zip(chosen, steps, strict=True):
        prepared.change[0, number] = change
    return prepared.apply(frame[None])[0].float()


@pytest.mark.parametrize("turn", [-0.5, -0.31, -0.1, 0.0, 0.07, 1 / 6, 0.25, 0.5])
def test_hue_turns_as_in_colorsys(turn):
    frame = random_frame(12, 15)
    frame[:, 0, 0] = 77  # grey has no hue
    expected = np.empty(frame.shape)
    for i, j in np.ndindex(12, 15):
        h, s, v = colorsys.rgb_to_hsv(*(frame[:, i, j].double() / 255).tolist())
        expected[:, i, j] = 255 * np.array(colorsys.hsv_to_rgb((h + turn) % 1.0, s, v))
    assert np.abs(turn_hue(frame, turn).numpy() - expected).max() <= 1.0


@pytest.mark.parametrize("first", [("brightness", 0.9), ("saturation", 0.9)])
def test_contrast_reads_the_mean_of_what_is_shown_before_it(first):
    """Not of levels beyond white, which what comes before it may leave."""
    frame = random_frame(40, 40)
    before = jittered(frame, [first]).round()
    grey = sum(weight * plane for weight, plane in zip(LUMA, before, strict=True)).mean()
    expected = (before * 0.75 + grey * 0.25).clamp(0, 255)
    assert (jittered(frame, [first, ("contrast", -0.25)]) - expected).abs().max() < 1.5


@pytest.mark.parametrize("direction", [0.0, 0.4, np.pi / 4, np.pi / 2, 2.5])
@pytest.mark.parametrize("length", [1.0, 2.4, 7.0, 15.5])
def test_line_kernel_is_a_centred_line_of_its_length(length, direction):
    taps = np.array(line_kernel(length, direction), dtype=float)
    assert taps[:, 2].sum() == 128
    np.testing.assert_allclose((taps[:, :2] * taps[:, 2:]).sum(0) / 128, 0.0, atol=0.1)
    across = taps[:, 1] * np.sin(direction) - taps[:, 0] * np.cos(direction)
    assert np.abs(across).max() <= 0.5 + 1e-9
    along = np.abs(taps[:, :2]).max(1)  # a uniform line of n pixels has variance (n^2 - 1) / 12
    assert np.sqrt(12 * (along**2 * taps[:, 2]).sum() / 128 + 1) == pytest.approx(length, abs=0.5)


def test_pixels_are_stored_rounded_half_to_even_and_clamped():
    pixels = torch.cat([torch.arange(-600, 600) / 2, torch.linspace(-9, 270, 1200)]).view(1, 20, 120).repeat(3, 1, 1)
    out = torch.empty(3, 20, 120, dtype=torch.uint8)
    expected = pixels.double().round().clamp(0, 255).to(torch.uint8)
    round_into(out, pixels.clone())
    assert torch.equal(out, expected)


@pytest.mark.parametrize("preset", ["intended", "release"])
def test_motion_blur_is_a_correlation_with_its_kernel(preset):
    frame = random_frame(61, 80)
    prepared = CORRUPTIONS["motion_blur"].prepare("a", 5, (61, 80), preset=preset)
    taps = line_kernel(prepared.length[2], prepared.direction[2])
    kernel = np.zeros((41, 41))
    for dy, dx, weight in taps:
        kernel[20 + dy, 20 + dx] += weight / 128
    expected = [ndimage.correlate(plane.astype(float), kernel, mode="nearest") for plane in frame.numpy()]
    got = prepared.apply(frame[None], [2])[0].numpy()
    assert np.abs(got - np.stack(expected)).max() <= 0.5 + 1e-9


def test_intended_noise_is_normal_and_white():
    grey = torch.full((1, 3, 200, 240), 128, dtype=torch.uint8)
    noise = corrupt_clip(grey, "gauss_noise", clip_name="a")[0].double().numpy() - 128
    assert 9.5 < noise.std() < 12.8  # one frame: the centres, variance 100 to 150
    assert stats.kurtosis(noise, axis=None) == pytest.approx(0.0, abs=0.06)
    spectrum = np.abs(np.fft.fft2(noise, axes=(1, 2))) ** 2 / noise[0].size / noise.var()
    assert spectrum[:, :100, :].mean() == pytest.approx(1.0, abs=0.03)
    assert spectrum.max() < 20  # exponential with mean 1: no periodic component
    assert np.abs(np.corrcoef(noise.reshape(3, -1)) - np.eye(3)).max() < 0.02


def test_noise_of_a_large_frame_does_not_repeat():
    grey = torch.full((1, 3, 1080, 1920), 128, dtype=torch.uint8)  # twice the noise field per plane
    plane = corrupt_clip(grey, "gauss_noise", clip_name="a")[0, 0].double().numpy().ravel() - 128
    power = np.abs(np.fft.rfft(plane, 2 * plane.size)) ** 2
    autocorrelation = np.fft.irfft(power)[1 : plane.size // 2] / (plane**2).sum()
    assert np.abs(autocorrelation).max() < 0.3  # half a field's share at two places, never the whole


def test_uniform_levels_are_uniform_and_independent():
    rng = np.random.default_rng(0)
    first, second = (UniformLevels(rng).take(200_000, torch.device("cpu")).numpy() for _ in range(2))
    assert stats.chisquare(np.bincount(first >> 5, minlength=64)).pvalue > 1e-4
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01


def test_iso_noise_keeps_grey_pixels_grey():
    grey = (torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(0)) * 200).to(torch.uint8)
    corrupted = corrupt_clip(grey.expand(1, 3, 60, 80), "iso_noise", clip_name="a")[0].int()
    assert (corrupted[0] - corrupted[1]).abs().max() <= 1
    assert (corrupted[0] - corrupted[2]).abs().max() <= 1
    assert (corrupted[0] >= grey[0, 0].int() - 1).all()  # grain moves towards white


def test_resampling_keeps_gradients_and_softens_edges():
    ramp = torch.arange(96, dtype=torch.uint8).expand(3, 64, 96)
    softened = corrupt_clip(ramp[None], "resampling_blur", clip_name="a")[0].int()
    assert (softened - ramp.int()).abs().max() <= 1
    checks = (255 * (torch.arange(96) % 2)).to(torch.uint8).expand(3, 64, 96)
    assert corrupt_clip(checks[None], "resampling_blur", clip_name="a")[0].float().std() < 0.9 * checks.float().std()


def test_resampling_on_an_accelerator_is_that_of_the_cpu_within_rounding():
    y, x = torch.meshgrid(torch.linspace(0, 9, 90), torch.linspace(0, 12, 120), indexing="ij")
    frame = (120 + 60 * torch.stack([torch.sin(x + y), torch.cos(y), torch.sin(2 * x)])).to(torch.uint8)
    prepared = CORRUPTIONS["resampling_blur"].prepare("a", 1, (90, 120))
    small = int(90 / prepared.factor[0]), int(120 / prepared.factor[0])
    difference = (resampled(frame, small) - prepared.apply(frame[None])[0].float()).abs()
    assert difference.max() <= 2
    assert difference.mean() < 0.3


@pytest.mark.parametrize("half_length", [4.0, 0.4])
def test_drawn_particle_matches_its_formula(half_length):
    one = [np.array([value]) for value in (12.3, 9.6, half_length, 0.5, 1.4, 0.8, 0.6)]
    got = draw(Capsules(*one), (20, 26)).numpy()
    x0, y0, half, slope, radius, opacity, taper = (float(value[0]) for value in one)
    expected = np.zeros((20, 26))
    for y, x in np.ndindex(20, 26):
        along = min(max(y - y0, -half), half)
        squared = (x - x0 - slope * along) ** 2 + (y - y0 - along) ** 2
        shape = max(1 - ((y - y0 - along) / radius) ** 2, 0) * (1 - taper * (along / half) ** 2)
        expected[y, x] = 127 * opacity * max(shape - (x - x0 - slope * along) ** 2 / radius**2, 0)
        assert expected[y, x] == 0 or squared < radius**2
    assert np.abs(got - expected).max() <= 1.0


def test_particles_outside_the_frame_leave_no_trace():
    x, y = np.array([-50.0, 10.0, 200.0, 10.0]), np.array([5.0, -50.0, 5.0, 300.0])
    four = np.ones(4)
    assert draw(Capsules(x, y, 3 * four, 0.2 * four, 2 * four, four, 0 * four), (20, 30)).sum() == 0


def test_many_particles_at_one_place_are_no_more_than_opaque():
    count = 300  # together beyond int16
    values = (9.0, 9.0, 0.0, 0.0, 3.0, 1.0, 0.0)
    got = draw(Capsules(*(np.full(count, value) for value in values)), (20, 20))
    assert got.max() == OPAQUE and got.min() == 0


def test_cover_blends_linearly():
    frame, out = random_frame(8, 9), torch.empty(3, 8, 9, dtype=torch.uint8)
    opacity = torch.randint(0, 128, (8, 9), dtype=torch.int16, generator=torch.Generator().manual_seed(1))
    cover(frame, opacity, 240, out)
    expected = frame.double() + (240 - frame.double()) * opacity / 128
    assert (out.double() - expected).abs().max() <= 0.5
    cover(frame, opacity, 240, frame)
    assert torch.equal(frame, out)


def test_what_is_written_to_a_part_of_a_frame_is_not_lost():
    frame, opacity = random_frame(8, 9), torch.full((8, 9), 64, dtype=torch.int16)
    with pytest.raises(RuntimeError, match="view"):
        cover(frame, opacity, 240, torch.empty(3, 8, 18, dtype=torch.uint8)[:, :, :9])


def test_snow_darkens_shadows_only():
    frame = torch.stack([torch.full((3, 90, 120), level, dtype=torch.uint8) for level in (60, 180)])
    for level, corrupted in zip((60, 180), corrupt_clip(frame, "snow", clip_name="a"), strict=True):
        expected = round(level * 0.92) if level == 60 else level
        assert corrupted.flatten().mode().values == expected
