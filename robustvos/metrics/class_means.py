"""Means over classes: each class weighs the same, however many objects it has (ACDC-Video, whose classes differ much)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from robustvos.seeding import numpy_rng

CLASS_TAG = "class"
_LEVELS = (0.025, 0.975)


def class_mean(
    objects: Iterable[Mapping[str, Any]], metric: str, *, seed: int = 0, resamples: int = 2000
) -> dict[str, float | int | None]:
    """Mean over classes of the mean over all frames of a class, as the public RobustPVOS evaluator has it for ACDC.

    Args:
        objects: Records as in ``results.json``; one of ``frames`` frames counts so many times, one without counts once.
            Those without the tag ``class`` or without a score are left out.
        metric: Name of the metric.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap samples.

    Returns:
        ``mean``; ``low`` and ``high``, its 95 % bootstrap interval over clips (None for fewer than two clips); the
        numbers of ``classes``, ``clips`` and ``objects``. ``mean`` is None if no object is left.

    >>> scores = [("a", "car", 1.0), ("a", "car", 0.5), ("a", "pole", 0.25)]
    >>> records = [{"clip": c, "object": 1, "tags": {"class": k}, "scores": {"J": j}} for c, k, j in scores]
    >>> class_mean(records, "J")["mean"]
    0.5
    """
    entries = [
        (record["clip"], record["tags"][CLASS_TAG], record["scores"][metric], record.get("frames", 1))
        for record in objects
        if CLASS_TAG in record["tags"] and record["scores"].get(metric) is not None
    ]
    clips, classes = sorted({entry[0] for entry in entries}), sorted({entry[1] for entry in entries})
    sums = np.zeros((len(clips), len(classes), 2))
    for clip, name, score, frames in sorted(entries):
        sums[clips.index(clip), classes.index(name)] += (score * frames, frames)
    low, high = _interval(sums, seed, resamples)
    return {
        "mean": float(_mean_over_classes(sums.sum(0))) if entries else None,
        "low": low,
        "high": high,
        "classes": len(classes),
        "clips": len(clips),
        "objects": len(entries),
    }


def _interval(sums: np.ndarray, seed: int, resamples: int) -> tuple[float | None, float | None]:
    number = len(sums)
    if number < 2:
        return None, None
    draws = numpy_rng("bootstrap", seed).multinomial(number, np.full(number, 1 / number), size=resamples)
    low, high = np.quantile(_mean_over_classes(np.tensordot(draws, sums, axes=1)), _LEVELS)
    return float(low), float(high)


def _mean_over_classes(sums: np.ndarray) -> np.ndarray:
    """``(..., K, 2)`` sums and weights to ``(...,)``; classes that a resample lacks are left out of its mean."""
    seen = sums[..., 1] > 0
    means = np.divide(sums[..., 0], sums[..., 1], out=np.zeros(seen.shape), where=seen)
    return means.sum(-1) / seen.sum(-1)
