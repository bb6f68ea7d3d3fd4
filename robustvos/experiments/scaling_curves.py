"""Scores of an experiment's rows over what they differ in, such as the share of the training clips."""

from __future__ import annotations

from collections.abc import Sequence

from robustvos.evaluation.results import RunRecord
from robustvos.experiments.tables import average_over_runs
from robustvos.report.compare import averaging_of, mean_cell
from robustvos.report.curves import Chart, Series, line_chart


def scaling_chart(title: str, axis: str, placed: Sequence[tuple[float, Sequence[RunRecord]]]) -> Chart | None:
    """A line a metric, in percent; None where fewer than two rows were measured.

    Args:
        title: Of the experiment, and of the set that was tested on.
        axis: What the rows differ in.
        placed: Where each row stands on the axis, and its runs on one set; over several (seeds), scores are averaged for
            each object first.
    """
    measured = sorted(((at, runs) for at, runs in placed if runs), key=lambda pair: pair[0])
    if not measured:
        return None
    first = measured[0][1][0]
    points = [(at, average_over_runs(runs)) for at, runs in measured]
    lines = []
    for metric in first.metrics:
        cells = [(at, mean_cell(objects, metric, averaging_of(first.protocol))) for at, objects in points]
        known = [(at, 100 * cell.mean) for at, cell in cells if cell is not None]
        if len({at for at, _ in known}) > 1:
            steps, values = zip(*known, strict=True)
            lines.append(Series(metric, steps, values))
    if not lines:
        return None
    slots = {line.run: first.metrics.index(line.run) for line in lines}
    counts = sorted({len({entry.video for entry in objects}) for _, objects in points})
    clips = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    caption = f"a point is the mean over {clips} clips; intervals are in the table"
    return line_chart(f"{title}: scores in percent", lines, slots, axis=axis, caption=caption)
