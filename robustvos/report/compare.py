"""Cells that no run stores: over part of its objects, and between two runs. The statistics are those of the metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from robustvos.metrics.aggregate import paired_records, protocol_mean
from robustvos.metrics.class_means import class_mean
from robustvos.report.table import Cell

Records = Sequence[Mapping[str, Any]]


def estimate_by_protocol(objects: Records, metric: str, protocol: str) -> Cell | None:
    """The mean of :func:`robustvos.metrics.aggregate.protocol_mean` with its interval; None where nothing defines it."""
    return _cell(protocol_mean(objects, metric, protocol))


def difference_by_protocol(objects: Records, reference: Records, metric: str, protocol: str) -> Cell | None:
    """The same mean of the differences from a reference, over what both score; None without common ground."""
    return estimate_by_protocol(paired_records(objects, reference, metric), metric, protocol)


def class_mean_of(objects: Records, metric: str) -> Cell | None:
    """Mean over classes with its interval; None where no object of a class defines it."""
    return _cell(class_mean(objects, metric))


def averaged_over(protocol: str) -> str:
    """What the means of a protocol run over, in words."""
    if protocol == "release":
        return "classes or, where there are none, sequences (the protocol release)"
    return "clips" if protocol == "realvas" else "objects"


def _cell(found: Mapping[str, float | int | None]) -> Cell | None:
    if found["mean"] is None:
        return None
    mean, low, high, std = (_number(found.get(name)) for name in ("mean", "low", "high", "std"))
    return Cell(mean, low, high, std, int(found["clips"] or 0), int(found["objects"] or 0))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
