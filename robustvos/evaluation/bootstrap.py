"""The one bootstrap: videos are drawn again with all that belongs to them, the same draws for the same seed and number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from robustvos.seeding import numpy_rng

RESAMPLES = 2000
LEVELS = (0.025, 0.975)
VISIBLE = 2.8
"""Standard errors that a true difference must have to be seen with 80 % power by a two-sided test at 5 %: 1.96 + 0.84."""


@lru_cache(maxsize=8)
def draw_counts(number: int, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """How often each of ``number`` videos is drawn in each resample: ``(resamples, number)`` uint16, not to be written to.

    Counts are all that a resample says, and make it one matrix product.
    """
    draws = numpy_rng("bootstrap", seed).multinomial(number, np.full(number, 1 / number), size=resamples)
    counts = draws.astype(np.uint16)
    counts.setflags(write=False)
    return counts


def resampled_sums(sums: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """Sums over the videos of each resample.

    Args:
        sums: ``(videos, ...)`` float64.
        seed: Of the draws.
        resamples: Their number.

    Returns:
        ``(resamples, ...)`` float64.
    """
    counts = draw_counts(len(sums), seed, resamples).astype(np.float64)
    return np.tensordot(counts, sums, axes=1)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of resampled values, ``(resamples,)``."""
    low, high = np.quantile(values, LEVELS)
    return float(low), float(high)
