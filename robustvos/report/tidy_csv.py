"""Tables as one tidy CSV: one line per figure, full precision, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from robustvos.report.sections import Section
from robustvos.report.table import Table

FIELDS = (
    "dataset",
    "protocol",
    "prompt",
    "kind",
    "table",
    "system",
    "source",
    "column",
    "metric",
    "mean",
    "low",
    "high",
    "std",
    "clips",
    "objects",
)


def csv_document(sections: Sequence[tuple[Section, Sequence[Table]]]) -> str:
    """Every figure of every table. Scores are fractions; an unknown number is an empty field.

    ``source`` is ``measured``, or the publication the figure was copied from.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(FIELDS)
    for section, tables in sections:
        for table in tables:
            for row in table.rows:
                for column, metric, cell in zip(table.columns, table.metrics, row.cells, strict=True):
                    if cell is None:
                        continue
                    where = (section.dataset, section.protocol, section.prompt, table.kind, table.title)
                    numbers = (_number(v) for v in (cell.mean, cell.low, cell.high, cell.std))
                    counts = (count or "" for count in (cell.clips, cell.objects))
                    writer.writerow((*where, row.name, row.source or "measured", column, metric, *numbers, *counts))
    return buffer.getvalue()


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
