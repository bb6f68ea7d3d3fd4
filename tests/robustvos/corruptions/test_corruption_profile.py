"""Laws of the temporal profile."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustvos.corruptions import fourier_profile

pytestmark = pytest.mark.fast


def profile_by_loops(centre: float, length: int, rng: np.random.Generator) -> list[float]:
    """The definition, written out one number at a time."""
    weights = rng.dirichlet([1.0, 1.0, 1.0, 1.0])
    values = [0.0] * length
    for base in range(4):
        f, a, o = rng.uniform(0.2, 1.5), rng.uniform(0.0, 1.0), int(rng.integers(0, length))
        sines = [math.sin(2 * math.pi * f * k / (length - 1)) for k in range(o, o + length)]
        for t in range(length):
            s = (sines[t] - min(sines)) / (max(sines) - min(sines))
            values[t] += weights[base] * (centre * (1 - a) + 2 * centre * a * s)
    return values


@pytest.mark.parametrize(("centre", "length"), [(7.0, 2), (0.09, 5), (125.0, 90)])
def test_profile_equals_its_definition(centre, length):
    for seed in range(20):
        expected = profile_by_loops(centre, length, np.random.default_rng(seed))
        got = fourier_profile(centre, length, np.random.default_rng(seed))
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_profile_has_the_benchmarks_statistics():
    rng = np.random.default_rng(0)
    profiles = np.stack([fourier_profile(3.0, 60, rng) / 3.0 for _ in range(4000)])
    assert profiles.mean() == pytest.approx(1.02, abs=0.02)
    assert profiles.std() == pytest.approx(0.265, abs=0.02)
    np.testing.assert_allclose(np.percentile(profiles, [5, 50, 95]), [0.58, 1.02, 1.46], atol=0.04)
    assert np.ptp(profiles, axis=1).mean() == pytest.approx(0.69, abs=0.04)


def test_profile_stays_between_zero_and_twice_its_centre():
    rng = np.random.default_rng(1)
    profiles = np.stack([fourier_profile(1.0, 12, rng) for _ in range(500)])
    assert profiles.min() >= 0.0
    assert profiles.max() <= 2.0 + 1e-12


def test_single_frame_gets_the_centre():
    assert fourier_profile(1.2, 1, np.random.default_rng(0)).tolist() == [1.2]


def test_no_frames_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        fourier_profile(1.0, 0, np.random.default_rng(0))
