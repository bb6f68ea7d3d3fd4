"""Cells that no run stores: over part of its objects, and between two runs. The statistics are those of the metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from robustvos.metrics.aggregate import Unit, estimate, paired_difference
from robustvos.metrics.class_means import CLASS_TAG, class_mean
from robustvos.report.table import Cell

Records = Sequence[Mapping[str, Any]]


def estimate_of(objects: Records, metric: str, unit: Unit = "objects") -> Cell | None:
    """Mean of ``metric`` with its 95 % interval over clips; None where no object defines it."""
    found = estimate(objects, metric, unit=unit)
    if not found["clips"]:
        return None
    mean, low, high, std = (_number(found[name]) for name in ("mean", "low", "high", "std"))
    return Cell(mean, low, high, std, int(found["clips"] or 0), int(found["objects"] or 0))


def estimate_by_protocol(objects: Records, metric: str, protocol: str) -> Cell | None:
    """The mean that the tables of a protocol's authors show, with its interval; None where no object defines it.

    ``release``: over classes where objects have them (ACDC-Video), else over sequences, each the mean of its objects.
    ``realvas``: over clips. Otherwise over objects.
    """
    if protocol == "release" and any(CLASS_TAG in entry["tags"] for entry in objects):
        return class_mean_of(objects, metric)
    return estimate_of(objects, metric, "clips" if protocol in ("release", "realvas") else "objects")


def class_mean_of(objects: Records, metric: str) -> Cell | None:
    """Mean over classes with its interval; None where no object of a class defines it."""
    found = class_mean(objects, metric)
    if found["mean"] is None:
        return None
    mean, low, high = (_number(found[name]) for name in ("mean", "low", "high"))
    return Cell(mean, low, high, clips=int(found["clips"] or 0), objects=int(found["objects"] or 0))


def difference_of(objects: Records, reference: Records, metric: str, unit: Unit = "objects") -> Cell | None:
    """Mean difference from the reference over what both score, with its paired interval; None without common ground."""
    found = paired_difference(objects, reference, metric, unit=unit)
    if found.mean is None:
        return None
    return Cell(found.mean, _number(found.low), _number(found.high), clips=found.n)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
