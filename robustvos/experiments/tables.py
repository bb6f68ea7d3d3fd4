"""The table of an experiment: each measured row with the paper's row beside it, however many seeds are behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from robustvos.conditions import CLEAN
from robustvos.evaluation.bootstrap import VISIBLE
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.results import RunRecord
from robustvos.experiments.gate_tables import gate_variance_table
from robustvos.experiments.rows import RowRuns, row_name
from robustvos.report.compare import averaged_over, averaging_of, difference_cell, mean_cell
from robustvos.report.published import Published, published_table
from robustvos.report.table import Cell, Row, Table
from robustvos.report.tables import CORRUPTED_MEAN

SEEN = "in parentheses what could be seen"
_FEW = 5  # corruptions that are shown one by one


@dataclass(frozen=True)
class _Column:
    """A heading, and the objects of a row behind it."""

    heading: str
    dataset: str
    condition: str | None


def experiment_tables(
    title: str,
    number: int | None,
    sets: Sequence[str],
    rows: Sequence[RowRuns],
    references: Sequence[str],
    note: str = "",
) -> list[Table]:
    """Scores with the published rows between them, then paired differences from each reference row.

    Args:
        title: Of the experiment.
        number: Of the paper's table; None: it has none.
        sets: Keys of the sets tested on, in order.
        rows: What was measured.
        references: Titles of the rows that others are compared with. Earlier ones are left out of later ones' tables.
        note: What the reader of the scores must know.

    Returns:
        One table of J&F; with differences from each reference that was measured beside another row; what gates vary with,
        where that was found (:class:`callbacks.GateVariance`); then J and F.
    """
    published = published_table(number) if number is not None else ()
    columns = _columns(sets, rows)
    headings = _published_headings(published)
    metrics = [m for m in ("J&F", "J", "F") if any(m in run.metrics for row in rows for _, run in row.runs)] or ["J&F"]
    tables = [_scores(title, metric, columns, rows, published, headings) for metric in metrics]
    tables[0] = replace(tables[0], caption=" ".join(filter(None, [tables[0].caption, note, _trained(rows)])))
    differences = []
    for place, reference in enumerate(references):
        others = [row for row in rows if row.title not in references[:place]]
        differences.append(_differences(title, metrics[0], columns, others, reference))
    found = gate_variance_table(title, sets, rows)
    return [tables[0], *(table for table in (*differences, found) if table is not None), *tables[1:]]


def average_over_runs(runs: Sequence[RunRecord]) -> list[ObjectScore]:
    """Per-object scores averaged over runs (seeds) of the same clips; an object that one run lacks is left out.

    With one run these are its objects.
    """
    if len(runs) == 1:
        return list(runs[0].objects)
    by_key: list[dict[tuple[Any, ...], ObjectScore]] = [{_key(o): o for o in run.objects} for run in runs]
    averaged: list[ObjectScore] = []
    for key, first in by_key[0].items():
        others = [objects.get(key) for objects in by_key]
        if any(other is None for other in others):
            continue
        scores = {}
        for metric in first.scores:
            values = [other.scores.get(metric) for other in others if other is not None]
            known = [value for value in values if value is not None]
            scores[metric] = fmean(known) if len(known) == len(values) else None
        averaged.append(replace(first, scores=scores))
    return averaged


def _trained(rows: Sequence[RowRuns]) -> str:
    """How much each row trains, where that is known."""
    counts = {row.title: row.runs[0][1].parameters.get("trainable", 0) for row in rows if row.runs}
    said = [f"{title} {count:,}" for title, count in counts.items() if count]
    return f"Parameters trained: {'; '.join(said)}." if said else ""


def _scores(
    title: str,
    metric: str,
    columns: Sequence[_Column],
    rows: Sequence[RowRuns],
    published: Sequence[Published],
    headings: Sequence[tuple[Published, int, str]],
) -> Table:
    theirs = [entry for entry in headings if entry[0].metrics[entry[1]] == metric]
    lines: list[Row] = []
    for row in rows:
        ours = tuple(_estimate(row, column, metric) for column in columns)
        lines.append(Row(row_name(row), (*ours, *(None for _ in theirs))))
        cells = tuple(_published_cell(table, column, row.published) for table, column, _ in theirs)
        if any(cell is not None for cell in cells):
            source = next(table.source for table, _, _ in theirs)
            lines.append(Row(row.published, (*(None for _ in columns), *cells), source=source))
    caption = (
        f"{metric} in percent, mean over {_unit(rows)}, with its 95 % interval (bootstrap over clips); scores of several "
        "seeds are averaged for each object first."
    )
    if theirs:
        caption += (
            f" Published rows: {theirs[0][0].source}; made with full-size models on other data than embedded ones."
        )
    return Table(
        kind="scores",
        title=f"{title}: {metric}",
        caption=caption,
        columns=(*(column.heading for column in columns), *(heading for _, _, heading in theirs)),
        rows=tuple(lines),
        metrics=(metric,) * (len(columns) + len(theirs)),
    )


def _differences(
    title: str, metric: str, columns: Sequence[_Column], rows: Sequence[RowRuns], reference: str
) -> Table | None:
    base = next((row for row in rows if row.title == reference and row.runs), None)
    if base is None:
        return None
    lines = []
    for row in rows:
        if row is base or not row.runs:
            continue
        cells = tuple(_difference(row, base, column, metric) for column in columns)
        lines.append(Row(row_name(row), cells))
    if not lines:
        return None
    return Table(
        kind="differences",
        title=f"{title}: {metric}, difference from {reference}; {SEEN}",
        caption=(
            f"Paired on the same clips, mean over {_unit(rows)}, in points, with the 95 % interval: a cluster bootstrap, which "
            "draws whole sequences (clips that were cut from the same footage together) with all their objects and conditions, "
            "scores averaged over seeds before. The seeds are not drawn: intervals hold for these. In parentheses the least "
            f"true difference that would be seen with 80 % power at 5 %: {VISIBLE} standard errors of that bootstrap."
        ),
        visible=True,
        columns=tuple(column.heading for column in columns),
        rows=tuple(lines),
        metrics=(metric,) * len(columns),
    )


def _columns(sets: Sequence[str], rows: Sequence[RowRuns]) -> list[_Column]:
    """Of each set: all of it; or clean clips, each corruption where they are few, and the corrupted mean."""
    columns = []
    for dataset in sets:
        conditions = list(
            dict.fromkeys(
                c for row in rows for name, run in row.runs if name == dataset for c in run.by.get("corruption", {})
            )
        )
        corrupted = sorted(c for c in conditions if c != CLEAN)
        if not corrupted:
            columns.append(_Column(dataset, dataset, None))
            continue
        if CLEAN in conditions:
            columns.append(_Column(f"{dataset} clean", dataset, CLEAN))
        if 1 < len(corrupted) <= _FEW:
            columns += [_Column(name, dataset, name) for name in corrupted]
        columns.append(_Column(f"{dataset} corrupted", dataset, CORRUPTED_MEAN))
    return columns


def _objects(row: RowRuns, column: _Column) -> list[ObjectScore]:
    runs = [run for dataset, run in row.runs if dataset == column.dataset]
    objects = average_over_runs(runs) if runs else []
    if column.condition is None:
        return objects
    if column.condition == CORRUPTED_MEAN:
        return [entry for entry in objects if entry.corruption != CLEAN]
    return [entry for entry in objects if entry.corruption == column.condition]


def _estimate(row: RowRuns, column: _Column, metric: str) -> Cell | None:
    objects = _objects(row, column)
    return mean_cell(objects, metric, averaging_of(_protocol(row, column))) if objects else None


def _protocol(row: RowRuns, column: _Column) -> str:
    return next((run.protocol for dataset, run in row.runs if dataset == column.dataset), "")


def _difference(row: RowRuns, base: RowRuns, column: _Column, metric: str) -> Cell | None:
    mine, theirs = _objects(row, column), _objects(base, column)
    return difference_cell(mine, theirs, metric, averaging_of(_protocol(row, column))) if mine and theirs else None


def _unit(rows: Sequence[RowRuns]) -> str:
    protocols = [run.protocol for row in rows for _, run in row.runs]
    return averaged_over("release" if "release" in protocols else "davis")


def _published_headings(published: Sequence[Published]) -> list[tuple[Published, int, str]]:
    """Columns of the published tables, settings in columns taken as rows: ``(table, column, heading)``."""
    headings = []
    for table in published:
        if len(table.rows) == 1 and len(table.columns) > 1:
            headings.append((table, 0, table.dataset))
            continue
        for column, name in enumerate(table.columns):
            extra = "" if name == table.metrics[column] else f" {name}"
            headings.append((table, column, f"{table.dataset}{extra}"))
    return headings


def _published_cell(table: Published, column: int, name: str) -> Cell | None:
    rows = table.as_rows()
    if len(rows) == 1 and len(table.columns) > 1:
        return rows[0].cells[table.columns.index(name)] if name in table.columns else None
    found = next((row for row in rows if row.name == name), None)
    return None if found is None else found.cells[column]


def _key(entry: ObjectScore) -> tuple[Any, ...]:
    return entry.video, entry.object_id, tuple(sorted(entry.tags.items()))
