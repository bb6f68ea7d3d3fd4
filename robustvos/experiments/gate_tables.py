"""What the gates of each row vary with, beside what they would seem to vary with by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from robustvos.evaluation.gate_variance import PARTS, WITHIN
from robustvos.evaluation.results import GATE_VARIANCE
from robustvos.experiments.rows import RowRuns, row_name
from robustvos.report.table import Cell, Row, Table

_COLUMNS = (*PARTS, WITHIN)


def gate_variance_table(title: str, sets: Sequence[str], rows: Sequence[RowRuns]) -> Table | None:
    """Shares of the variance of each row's gates, for each set: of its labels, and of shuffled ones below.

    Args:
        title: Of the experiment.
        sets: Keys of the sets tested on, in order.
        rows: What was measured; those without gates are left out.

    Returns:
        None if nothing was found of any row.
    """
    lines = []
    for dataset in sets:
        for row in rows:
            runs = [
                run.findings[GATE_VARIANCE]
                for name, run in row.runs
                if name == dataset and GATE_VARIANCE in run.findings
            ]
            if not runs:
                continue
            known = [run for run in runs if run["shares"] is not None]
            lines.append(Row(f"{row_name(row)}, {dataset}", _cells([run["shares"] for run in known])))
            lines.append(Row("- labels shuffled", _cells([run["shuffled"] for run in known])))
    if not lines:
        return None
    return Table(
        kind="scores",
        title=f"{title}: shares of the variance of the gates, percent",
        caption=(
            "Of all components and projections, over all tested frames and objects: a sequential analysis of variance, "
            f'condition before object before frame. The first {len(PARTS)} sum to 100; "{WITHIN}" is the part of object that '
            "tells objects of a video apart. Below each what a label explains by chance: the mean over shuffles of that "
            "label alone. Mean ± standard deviation over seeds; a dash where no gate ever changes."
        ),
        columns=_COLUMNS,
        rows=tuple(lines),
        metrics=("share",) * len(_COLUMNS),
        spread="std",
    )


def _cells(found: Sequence[dict[str, Any]]) -> tuple[Cell | None, ...]:
    values = [[shares[name] for shares in found if name in shares] for name in _COLUMNS]
    return tuple(Cell(fmean(one), std=stdev(one) if len(one) > 1 else math.nan) if one else None for one in values)
