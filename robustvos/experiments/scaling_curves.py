"""Scores of an experiment's rows over what they differ in, such as the share of the training clips."""

from __future__ import annotations

from collections.abc import Sequence

from robustvos.evaluation.protocol import METRICS
from robustvos.evaluation.records import ObjectScore
from robustvos.report.compare import averaging_of, mean_cell
from robustvos.report.curves import Chart, Series, line_chart


def scaling_chart(title: str, axis: str, placed: Sequence[tuple[float, Sequence[ObjectScore]]]) -> Chart | None:
    """A line a metric, in percent; None where fewer than two rows were measured.

    Args:
        title: Of the experiment.
        axis: What the rows differ in.
        placed: Where each row stands on the axis, and its objects; over seeds, scores are averaged for each object first.
    """
    placed = sorted(((at, objects) for at, objects in placed if objects), key=lambda pair: pair[0])
    amodal = any("mIoU" in entry.scores for _, objects in placed for entry in objects)
    metrics = METRICS["amodal" if amodal else "modal"]
    averaging = averaging_of("realvas" if amodal else "davis")
    lines = []
    for metric in metrics:
        cells = [(at, mean_cell(objects, metric, averaging)) for at, objects in placed]
        known = [(at, 100 * cell.mean) for at, cell in cells if cell is not None]
        if len({at for at, _ in known}) > 1:
            steps, values = zip(*known, strict=True)
            lines.append(Series(metric, steps, values))
    if not lines:
        return None
    slots = {line.run: metrics.index(line.run) for line in lines}
    clips = len({entry.video for entry in placed[0][1]})
    caption = f"a point is the mean over {clips} clips; intervals are in the table"
    return line_chart(f"{title}: scores in percent", lines, slots, axis=axis, caption=caption)
