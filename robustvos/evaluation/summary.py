"""One run in a few lines: its figures by condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from robustvos.conditions import CLEAN
from robustvos.evaluation.aggregate import CLASS_TAG, Estimate, class_mean, mean_of
from robustvos.evaluation.protocol import PROTOCOLS, Averaging
from robustvos.evaluation.records import ObjectScore, VideoResult
from robustvos.evaluation.results import RunRecord
from robustvos.files.naming import name_some

_WEATHER = "weather"
_TAGS = ("corruption", _WEATHER, "category", "occlusion", "frames_hidden")

Figures = Mapping[str, Estimate]
"""Metric to estimate."""


def summary_lines(run: RunRecord) -> list[str]:
    """Conditions by metrics in percent, with the 95 % interval of the leading metric over everything.

    Where objects have classes, or corrupted videos weathers or categories, further blocks of lines tell them apart, and
    categories under each condition.

    >>> figures = {"J": Estimate(0.5, 0.4, 0.6, videos=2, objects=3)}
    >>> run = RunRecord(
    ...     "moga", "nano", "shapes", "davis", "mask", 0, "", {}, {}, None, ("J",),
    ...     objects=(ObjectScore("a", 1, 4, {"corruption": "fog"}, {"J": 0.25}),),
    ...     overall=figures, by={"corruption": {"clean": figures, "fog": figures}},
    ... )
    >>> for line in summary_lines(run):
    ...     print(line)
    moga on nano: shapes, protocol davis, prompt mask
    corruption     J  objects
    clean       50.0        3
    fog         50.0        3
    corrupted   25.0        1
    all         50.0        3  J in [40.0, 60.0]
    in percent, means over objects
    """
    present = [tag for tag in _TAGS if set(run.by.get(tag, ())) - {CLEAN}]
    tag = present[0] if present else ""
    groups = dict(run.by[tag]) if tag else {}
    if tag == "corruption" and CLEAN in groups:
        corrupted = [record for record in run.objects if record.corruption != CLEAN]
        groups["corrupted"] = figures_of(corrupted, run.metrics, run.averaging)
    groups["all"] = run.overall
    on = f" on {run.base}" if run.base else ""
    head = f"{run.system}{on}: {run.dataset}, protocol {run.protocol}, prompt {run.prompt}"
    lines = [head, *condition_block(tag, groups, run.metrics)]
    main = run.overall[run.metrics[0]]
    protocol = PROTOCOLS.get(run.protocol)
    if protocol is not None and protocol.task == "amodal":
        lines += ["", *spread_block(run.overall, run.metrics)]
    elif main.low == main.low:
        lines[-1] += f"  {run.metrics[0]} in [{_percent(main.low)}, {_percent(main.high)}]"
    for other in present[1:]:
        lines += ["", *condition_block(other, run.by[other], run.metrics)]
    if len(run.by.get("corruption", ())) > 1 and len(run.by.get("category", ())) > 1:
        crossed = {
            f"{category}, {condition}": figures_under(run, category=category, corruption=condition)
            for category in run.by["category"]
            for condition in run.by["corruption"]
        }
        lines += ["", *condition_block("category, condition", crossed, run.metrics)]
    if run.by.get(CLASS_TAG):
        means = {metric: class_mean(run.objects, metric) for metric in run.metrics}
        lines += ["", *condition_block(CLASS_TAG, {**run.by[CLASS_TAG], "mean over classes": means}, run.metrics)]
    return [*lines, f"in percent, means over {protocol.averaged_over if protocol else run.averaging}"]


def unscored_lines(objects: Sequence[ObjectScore]) -> list[str]:
    """A line on the objects that no figure is made of; none if there are none."""
    videos = [record.video for record in objects if all(score is None for score in record.scores.values())]
    if not videos:
        return []
    names = name_some(sorted(set(videos)))
    return [f"{len(videos)} of {len(objects)} objects have no frame that counts, and no score: of {names}"]


def failure_lines(results: Iterable[VideoResult]) -> list[str]:
    """A line on each video that could not be tracked and scored, and so is in no figure.

    >>> failure_lines([VideoResult("boat", "fog", (), failure="boat/00003.jpg is no picture"), VideoResult("dog", "fog", ())])
    ['boat@fog failed and is in no figure: boat/00003.jpg is no picture']
    """
    return [f"{found.sequence} failed and is in no figure: {found.failure}" for found in results if found.failure]


def figures_of(objects: Sequence[ObjectScore], metrics: Sequence[str], averaging: Averaging) -> dict[str, Estimate]:
    """The mean of each metric, see :func:`robustvos.evaluation.aggregate.mean_of`."""
    return {metric: mean_of(objects, metric, averaging=averaging) for metric in metrics}


def figures_under(run: RunRecord, **tags: str) -> Figures:
    """Figures of the objects that have all of these tags, e.g. ``category="mobile", corruption="fog"``."""
    objects = [record for record in run.objects if tags.items() <= record.tags.items()]
    return figures_of(objects, run.metrics, run.averaging)


def spread_block(figures: Figures, metrics: Sequence[str]) -> list[str]:
    """One line for each metric over everything: mean, standard deviation over clips, 95 % interval of the mean."""
    grid = [["all clips", "mean", "sd", "95 % interval", "clips"]]
    for metric in metrics:
        found = figures[metric]
        interval = "-" if found.low != found.low else f"[{_percent(found.low)}, {_percent(found.high)}]"
        grid.append([metric, _percent(found.mean), _percent(found.std), interval, str(found.videos)])
    widths = [max(len(row[i]) for row in grid) for i in range(len(grid[0]))]
    return [_aligned(row, widths) for row in grid]


def condition_block(tag: str, groups: Mapping[str, Figures], metrics: Sequence[str]) -> list[str]:
    """One line for each group, under a heading."""
    grid = [[tag, *metrics, "objects"]]
    for name, figures in groups.items():
        shown = [_percent(figures[metric].mean) for metric in metrics]
        grid.append([name, *shown, str(figures[metrics[0]].objects)])
    widths = [max(len(row[i]) for row in grid) for i in range(len(grid[0]))]
    return [_aligned(row, widths) for row in grid]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = row
    return "  ".join([first.ljust(widths[0]), *(text.rjust(w) for text, w in zip(rest, widths[1:], strict=True))])


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.1f}"
