"""Tables as one tidy CSV: one line per figure, full precision, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from robustvos.report.sections import Section
from robustvos.report.table import Table

FIELDS = (
    "dataset",
    "protocol",
    "prompt",
    "facts",
    "kind",
    "table",
    "system",
    "source",
    "inputs",
    "run_type",
    "column",
    "metric",
    "mean",
    "low",
    "high",
    "std",
    "clips",
    "objects",
)


def csv_document(sections: Sequence[tuple[Section, Sequence[Table]]], leading: Sequence[Table] = ()) -> str:
    """Every figure of every table. Scores are fractions; an unknown number is an empty field.

    ``source`` is ``measured``, or the publication the figure was copied from. The leading tables may be of several datasets
    and name none.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(FIELDS)
    groups = [(("", "", "", ""), leading)]
    for section, tables in sections:
        groups.append(((section.dataset, section.protocol, section.prompt, "; ".join(section.facts)), tables))
    for where, tables in groups:
        for table in tables:
            writer.writerows((*where, *line) for line in _lines(table))
    return buffer.getvalue()


def _lines(table: Table) -> Iterator[tuple[object, ...]]:
    """One tuple a figure."""
    for row in table.rows:
        for column, metric, cell in zip(table.columns, table.metrics, row.cells, strict=True):
            if cell is None:
                continue
            numbers = (_number(v) for v in (cell.mean, cell.low, cell.high, cell.std))
            counts = (count or "" for count in (cell.videos, cell.objects))
            source = (row.source or "measured", *((*row.about, "", "")[:2]))
            yield table.kind, table.title, row.name, *source, column, metric, *numbers, *counts


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.15g}"
