"""What is left under corruption: degraded over clean, by condition; and scores over severities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from robustvos.conditions import CLEAN
from robustvos.evaluation.bootstrap import interval, resampled_sums
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.results import RunRecord
from robustvos.report.curves import Chart, Series, line_chart
from robustvos.report.sections import Section
from robustvos.report.table import Cell, Row, Table

_Place = tuple[str, int, str]
"""Video, object and corruption."""


def retention_table(section: Section) -> Table | None:
    """Systems by corruptions: the share of its own clean score that a system keeps; None without clean or corrupted clips."""
    conditions = [value for value in section.tag_values("corruption") if value != CLEAN]
    metric = section.metrics[0]
    if section.amodal or not conditions or CLEAN not in section.tag_values("corruption"):
        return None
    rows = [
        Row(name, tuple(retention_cell(run.objects, condition, metric) for condition in conditions))
        for name, run in section.runs
    ]
    return Table(
        kind="scores",
        title=f"Retention of {metric}",
        caption=(
            f"{metric} under each corruption over {metric} on the same clean objects, in percent, with its 95 % interval "
            "(bootstrap over clips). 100: nothing was lost. A weak system can keep much of little: read it beside the scores."
        ),
        columns=tuple(conditions),
        rows=tuple(rows),
        metrics=(metric,) * len(conditions),
    )


def retention_cell(objects: Sequence[ObjectScore], condition: str, metric: str) -> Cell | None:
    """Degraded over clean, over the objects that have both scores; None where there are none, or all is lost already.

    >>> clean, fog = {"corruption": "clean"}, {"corruption": "fog"}
    >>> pairs = [ObjectScore("a", 1, 1, clean, {"J": 0.8}), ObjectScore("a", 1, 1, fog, {"J": 0.6})]
    >>> round(retention_cell(pairs, "fog", "J").mean, 3)
    0.75
    """
    found = {(r.video, r.object_id, r.corruption): r.scores.get(metric) for r in objects}
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    clusters = {r.video: r.cluster for r in objects}
    count, videos = 0, set[str]()
    for (video, object_id, corruption), degraded in found.items():
        clean = found.get((video, object_id, CLEAN))
        if corruption == condition and degraded is not None and clean is not None:
            sums[clusters[video]] += (degraded, clean)
            videos.add(video)
            count += 1
    rows = np.array(list(sums.values()))
    if not count or rows[:, 1].sum() <= 0:
        return None
    mean = rows[:, 0].sum() / rows[:, 1].sum()
    if len(rows) < 2:
        return Cell(float(mean), videos=len(videos), objects=count)
    drawn = resampled_sums(rows)
    low, high = interval(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9))
    return Cell(float(mean), low, high, videos=len(videos), objects=count)


def severity_charts(runs: Sequence[RunRecord], slots: dict[str, int]) -> list[Chart]:
    """The leading metric over severities, a line a system; a chart for each set that was tested at several severities.

    Points of a chart differ in nothing but system and severity: they are of the corrupted objects that all of them have.
    """
    groups: dict[tuple[str, ...], dict[str, dict[float, dict[_Place, float]]]] = defaultdict(lambda: defaultdict(dict))
    for run in runs:
        severity = run.facts.get("severity")
        scores = _corrupted_scores(run)
        if severity is None or not scores:
            continue
        others = (f"{name} {value}" for name, value in sorted(run.facts.items()) if name not in ("severity", "preset"))
        preset = str(run.facts.get("preset", ""))
        key = (run.dataset, run.protocol, run.prompt, preset, run.metrics[0], run.base, run.base_hash, *others)
        groups[key][run.system][float(severity)] = scores
    charts = []
    for (dataset, _, prompt, preset, metric, *_), tested in sorted(groups.items()):
        systems = {name: points for name, points in sorted(tested.items()) if len(points) > 1}
        common = _common([scores for points in systems.values() for scores in points.values()])
        if not common:
            continue
        lines = []
        for name, points in systems.items():
            steps = sorted(points)
            means = (100 * sum(points[step][place] for place in common) / len(common) for step in steps)
            lines.append(Series(name, tuple(steps), tuple(means)))
        title = f"{metric} in percent over severity: {dataset}, prompt {prompt}" + (
            f", preset {preset}" if preset else ""
        )
        charts.append(line_chart(title, lines, slots, axis="severity", caption=_of(common)))
    return charts


def _corrupted_scores(run: RunRecord) -> dict[_Place, float]:
    """The leading metric of each corrupted object that has it."""
    return {
        record.identity: score
        for record in run.objects
        if record.corruption != CLEAN and (score := record.scores.get(run.metrics[0])) is not None
    }


def _common(points: Sequence[dict[_Place, float]]) -> list[_Place]:
    """What all points have, in order; none without points."""
    return sorted(set.intersection(*(set(scores) for scores in points))) if points else []


def _of(places: Sequence[_Place]) -> str:
    """What points are the mean of, in words."""
    videos, conditions = {place[0] for place in places}, {place[2] for place in places}
    plural = "s" if len(videos) > 1 else ""
    return f"a point is the mean over the same {len(videos)} video{plural} under {', '.join(sorted(conditions))}"
