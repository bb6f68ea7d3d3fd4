"""Cells that no run stores: over part of its objects, and between two runs. The statistics are those of the metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from robustvos.metrics.aggregate import Unit, estimate, paired_difference
from robustvos.report.table import Cell

Records = Sequence[Mapping[str, Any]]


def estimate_of(objects: Records, metric: str, unit: Unit = "objects") -> Cell | None:
    """Mean of ``metric`` with its 95 % interval over clips; None where no object defines it."""
    found = estimate(objects, metric, unit=unit)
    if not found["clips"]:
        return None
    mean, low, high, std = (_number(found[name]) for name in ("mean", "low", "high", "std"))
    return Cell(mean, low, high, std, int(found["clips"] or 0), int(found["objects"] or 0))


def difference_of(objects: Records, reference: Records, metric: str, unit: Unit = "objects") -> Cell | None:
    """Mean difference from the reference over what both score, with its paired interval; None without common ground."""
    found = paired_difference(objects, reference, metric, unit=unit)
    if found.mean is None:
        return None
    return Cell(found.mean, _number(found.low), _number(found.high), clips=found.n)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
