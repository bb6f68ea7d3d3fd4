"""The table of an amodal experiment: the columns of the paper's table, measured rows and published ones under each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from robustvos.evaluation.protocol import METRICS
from robustvos.evaluation.records import ObjectScore
from robustvos.experiments.rows import RowRuns, row_name
from robustvos.experiments.tables import average_over_runs
from robustvos.report.compare import averaging_of, difference_cell, mean_cell
from robustvos.report.published import Published
from robustvos.report.table import Cell, Row, Table
from robustvos.report.tables import CATEGORY_PARTS, INPUTS_AND_RUN_TYPE, about_run

_AVERAGING = averaging_of("realvas")


@dataclass(frozen=True)
class _Column:
    """A heading, the metric below it, and the part of the clips that it is of."""

    heading: str
    metric: str
    category: str

    def objects(self, row: RowRuns) -> list[ObjectScore]:
        """Those of a row that it is of; over seeds, scores are averaged for each object first."""
        objects = average_over_runs([run for _, run in row.runs]) if row.runs else []
        wanted = CATEGORY_PARTS.get(self.category, (self.category,))
        return [entry for entry in objects if not self.category or entry.tags.get("category") in wanted]


def amodal_experiment_tables(
    title: str, published: Sequence[Published], rows: Sequence[RowRuns], references: Sequence[str], note: str = ""
) -> list[Table]:
    """Measured and published rows in the columns of the paper's table, then paired differences from each reference row.

    Args:
        title: Of the experiment.
        published: Parts of the paper's table; none: the four figures over all clips.
        rows: What was measured; a published row of the same name stands below its own.
        references: Titles of the rows that others are compared with. Earlier ones are left out of later ones' tables.
        note: What the reader must know.

    Returns:
        Two kinds of tables; of each set, where rows were tested on several.
    """
    sets = dict.fromkeys(dataset for row in rows for dataset, _ in row.runs)
    if len(sets) > 1:
        tables = []
        for name in sets:
            of_set = [replace(row, runs=tuple(run for run in row.runs if run[0] == name)) for row in rows]
            tables += amodal_experiment_tables(f"{title}, {name}", published, of_set, references, note)
        return tables
    columns, theirs = _columns(published)
    lines: list[Row] = []
    for row in rows:
        about = about_run(row.runs[0][1]) if row.runs else ()
        lines.append(Row(row_name(row), tuple(_estimate(row, column) for column in columns), about=about))
        lines += [line for name, line in theirs.items() if name == row.published]
    named = {row.published for row in rows}
    lines += [line for name, line in theirs.items() if name not in named]
    caption = (
        "In percent: mean ± standard deviation over clips [95 % interval of the mean, bootstrap over clips]; scores of "
        "several seeds are averaged for each object first."
    )
    if published:
        caption += f" Published rows: {published[0].source}, of other clips, and of full-size models."
    scores = Table(
        kind="amodal",
        title=title,
        caption=" ".join(filter(None, [caption, note])),
        columns=tuple(column.heading for column in columns),
        rows=tuple(lines),
        metrics=tuple(column.metric for column in columns),
        spread="both",
        about=INPUTS_AND_RUN_TYPE,
    )
    differences = []
    for place, reference in enumerate(references):
        others = [row for row in rows if row.title not in references[:place]]
        differences.append(_differences(title, columns, others, reference))
    return [scores, *(table for table in differences if table is not None)]


def _columns(published: Sequence[Published]) -> tuple[list[_Column], Mapping[str, Row]]:
    """Columns of all parts one after the other, and each published row in them."""
    if not published:
        return [_Column(metric, metric, "") for metric in METRICS["amodal"]], {}
    columns: list[_Column] = []
    cells: dict[str, dict[int, Cell | None]] = {}
    about: dict[str, tuple[str, ...]] = {}
    for part in published:
        for name, row in zip((name for name, _ in part.rows), part.as_rows(), strict=True):
            cells.setdefault(name, {}).update({len(columns) + i: cell for i, cell in enumerate(row.cells)})
            about[name] = row.about
        of_column = part.categories or (part.category,) * len(part.columns)
        for heading, metric, category in zip(part.columns, part.metrics, of_column, strict=True):
            shown = f"{category}: {metric}" if category and heading == metric else heading
            columns.append(_Column(shown, metric, category))
    source = published[0].source
    rows = {
        name: Row(name, tuple(found.get(i) for i in range(len(columns))), source=source, about=about[name])
        for name, found in cells.items()
    }
    return columns, rows


def _estimate(row: RowRuns, column: _Column) -> Cell | None:
    objects = column.objects(row)
    return mean_cell(objects, column.metric, _AVERAGING) if objects else None


def _differences(title: str, columns: Sequence[_Column], rows: Sequence[RowRuns], reference: str) -> Table | None:
    base = next((row for row in rows if row.title == reference and row.runs), None)
    if base is None:
        return None
    lines = []
    for row in (one for one in rows if one is not base and one.runs):
        pairs = [(column.objects(row), column.objects(base), column.metric) for column in columns]
        cells = tuple(
            difference_cell(mine, theirs, metric, _AVERAGING) if mine else None for mine, theirs, metric in pairs
        )
        lines.append(Row(row_name(row), cells))
    if not lines:
        return None
    return Table(
        kind="differences",
        title=f"{title}: difference from {reference}",
        caption="Paired on the same clips, in points, with the 95 % interval (bootstrap over clips).",
        columns=tuple(column.heading for column in columns),
        rows=tuple(lines),
        metrics=tuple(column.metric for column in columns),
    )
