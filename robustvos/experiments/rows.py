"""What was measured for a row of an experiment."""

from __future__ import annotations

from dataclasses import dataclass

from robustvos.evaluation.results import RunRecord


@dataclass(frozen=True)
class RowRuns:
    """What was measured for a row.

    Attributes:
        title: Of the row.
        published: Name of the paper's row, or of its column where the paper tables settings side by side.
        runs: Set and test run, several of a set where there are several seeds.
    """

    title: str
    published: str
    runs: tuple[tuple[str, RunRecord], ...]


def row_name(row: RowRuns) -> str:
    """The title, with the number of seeds where there are several, or a note that nothing was measured."""
    if not row.runs:
        return f"{row.title} (not measured)"
    per_set = max(sum(other == dataset for other, _ in row.runs) for dataset, _ in row.runs)
    return f"{row.title} ({per_set} seeds)" if per_set > 1 else row.title
