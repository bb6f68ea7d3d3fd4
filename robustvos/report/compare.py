"""Cells that no run stores: over part of its objects, and between two runs. The statistics are those of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from robustvos.evaluation.aggregate import Estimate, class_mean, mean_of, paired_records
from robustvos.evaluation.protocol import PROTOCOLS, Averaging
from robustvos.evaluation.records import ObjectScore
from robustvos.report.table import Cell

Records = Sequence[ObjectScore]


def mean_cell(objects: Records, metric: str, averaging: Averaging) -> Cell | None:
    """The mean of :func:`robustvos.evaluation.aggregate.mean_of` with its interval; None where nothing defines it."""
    return cell_of(mean_of(objects, metric, averaging=averaging))


def difference_cell(objects: Records, reference: Records, metric: str, averaging: Averaging) -> Cell | None:
    """The same mean of the differences from a reference, over what both score; None without common ground."""
    return mean_cell(paired_records(objects, reference, metric), metric, averaging)


def class_mean_cell(objects: Records, metric: str) -> Cell | None:
    """Mean over classes with its interval; None where no object of a class defines it."""
    return cell_of(class_mean(objects, metric))


def averaging_of(protocol: str) -> Averaging:
    """What the means of a protocol run over; objects, if it is not known here."""
    return PROTOCOLS[protocol].averaging if protocol in PROTOCOLS else "objects"


def averaged_over(protocol: str) -> str:
    """The same in words."""
    return PROTOCOLS[protocol].averaged_over if protocol in PROTOCOLS else "objects"


def cell_of(found: Estimate | None) -> Cell | None:
    """An estimate as a cell; None where nothing defines it."""
    if found is None or not found.known:
        return None
    return Cell(found.mean, found.low, found.high, found.std, found.videos, found.objects, error=found.error)
