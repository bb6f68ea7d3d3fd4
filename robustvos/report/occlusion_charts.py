"""Amodal scores over how much, and for how long, objects are hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robustvos.evaluation.records import ObjectScore
from robustvos.report.curves import Chart, Series, line_chart
from robustvos.report.sections import Section

_POINTS, _APART = 5, 0.05
_AXES = {
    "severity": ("mIoU_fo", "mean hidden part over occluded frames, in percent", 100.0),
    "frames_hidden": ("mIoU_ffo", "frames in which nothing is seen", 1.0),
}
"""Measure of an object: the metric that it bears upon, what it is in words, its scale."""


def occlusion_charts(section: Section, slots: Mapping[str, int]) -> list[Chart]:
    """Score against severity and against frames hidden, a line a system; none where runs do not keep these measures.

    Clips are sorted by the measure and parted into groups; a point is the mean of a group, at its mean measure.
    """
    charts = []
    for measure, (metric, axis, scale) in _AXES.items():
        lines, sizes = [], set()
        for name, run in section.runs:
            points = grouped_means(run.objects, measure, metric)
            if len(points) > 1:
                steps, values = zip(*[(scale * x, 100 * y) for x, y, _ in points], strict=True)
                lines.append(Series(name, steps, values))
                sizes |= {count for _, _, count in points}
        if lines:
            of = f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
            caption = f"a point is the mean of {of} clips that are alike in what runs to the right"
            charts.append(line_chart(f"{metric} in percent", lines, slots, axis=axis, caption=caption))
    return charts


def grouped_means(
    objects: Sequence[ObjectScore], measure: str, metric: str, groups: int = _POINTS
) -> list[tuple[float, float, int]]:
    """Mean measure, mean score and number of clips of each group, by rising measure.

    Equal measures stay together, and groups that lie closer than a twentieth of the whole range become one.

    >>> hidden = lambda x, y: ObjectScore("a", 1, 1, {}, {"mIoU": y}, {"severity": x})
    >>> grouped_means([hidden(0.2, 0.5), hidden(0.4, 0.3), hidden(0.6, 0.1), hidden(0.6, 0.3)], "severity", "mIoU", 2)
    [(0.3, 0.4, 2), (0.6, 0.2, 2)]
    """
    scored = [(o.measures[measure], o.scores.get(metric)) for o in objects if measure in o.measures]
    found = sorted((x, y) for x, y in scored if y is not None)
    parts: list[list[tuple[float, float]]] = []
    for place, pair in enumerate(found):
        begins = not place or place * groups // len(found) > (place - 1) * groups // len(found)
        if begins and (not parts or parts[-1][-1][0] != pair[0]):
            parts.append([])
        parts[-1].append(pair)
    apart: list[list[tuple[float, float]]] = []
    for part in parts:
        if apart and _mean(part, 0) - _mean(apart[-1], 0) < _APART * (found[-1][0] - found[0][0]):
            apart[-1].extend(part)
        else:
            apart.append(part)
    return [(round(_mean(part, 0), 6), round(_mean(part, 1), 6), len(part)) for part in apart]


def _mean(pairs: Sequence[tuple[float, float]], place: int) -> float:
    return sum(pair[place] for pair in pairs) / len(pairs)
