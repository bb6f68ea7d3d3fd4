"""One run in a few lines: its figures by condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robustvos.metrics.aggregate import group_by_tag, protocol_mean
from robustvos.metrics.class_means import CLASS_TAG
from robustvos.video.naming import name_some

_WEATHER = "weather"
_TAGS = ("corruption", _WEATHER, "category")
_CLEAN = "clean"


def summary_lines(content: Mapping[str, Any]) -> list[str]:
    """Conditions by metrics in percent, with the 95 % interval of the leading metric over everything.

    Where objects have classes, or corrupted clips weathers, further blocks of lines tell them apart.

    Args:
        content: Of a ``results.json``.

    >>> figures = {"J": {"mean": 0.5, "low": 0.4, "high": 0.6, "clips": 2, "objects": 3}}
    >>> run = {"system": "moga", "base": "nano", "dataset": "shapes", "protocol": "davis", "prompt": "mask"}
    >>> run["objects"] = [{"clip": "a", "scores": {"J": 0.25}, "tags": {"corruption": "fog"}}]
    >>> run["aggregates"] = {"overall": figures, "by": {"corruption": {"clean": figures, "fog": figures}}}
    >>> for line in summary_lines({**run, "metrics": ["J"]}):
    ...     print(line)
    moga on nano: shapes, protocol davis, prompt mask
    corruption     J  objects
    clean       50.0        3
    fog         50.0        3
    corrupted   25.0        1
    all         50.0        3  J in [40.0, 60.0]
    """
    metrics: Sequence[str] = content["metrics"]
    overall, by = content["aggregates"]["overall"], content["aggregates"]["by"]
    if content["protocol"] == "release":  # what is stored is over objects
        objects = content["objects"]
        overall = figures_of(objects, metrics, "release")
        by = {
            tag: {v: figures_of(group, metrics, "release") for v, group in group_by_tag(objects, tag).items()}
            for tag in by
        }
    told = [t for t in _TAGS if set(by.get(t, ())) - {_CLEAN}]
    tag = told[0] if told else ""
    groups = dict(by[tag]) if tag else {}
    if tag == "corruption":
        corrupted = [o for o in content["objects"] if o["tags"].get(tag) != _CLEAN]
        groups["corrupted"] = figures_of(corrupted, metrics, content["protocol"])
    groups["all"] = overall
    head = "{system} on {base}: {dataset}, protocol {protocol}, prompt {prompt}".format_map(content)
    lines = [head, *condition_block(tag, groups, metrics)]
    low, high = (overall[metrics[0]][end] for end in ("low", "high"))
    if low is not None:
        lines[-1] += f"  {metrics[0]} in [{_percent(low)}, {_percent(high)}]"
    if _WEATHER in told[1:]:
        lines += ["", *condition_block(_WEATHER, by[_WEATHER], metrics)]
    if by.get(CLASS_TAG):
        means = content["aggregates"].get("class_means")
        lines += [
            "",
            *condition_block(CLASS_TAG, {**by[CLASS_TAG], **({"mean over classes": means} if means else {})}, metrics),
        ]
    return lines


def unscored_lines(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line on the objects that no figure is made of; none if there are none."""
    clips = [o["clip"] for o in objects if all(score is None for score in o["scores"].values())]
    if not clips:
        return []
    names = name_some(sorted(set(clips)))
    return [f"{len(clips)} of {len(objects)} objects have no frame that counts, and no score: of {names}"]


def figures_of(objects: Sequence[Mapping[str, Any]], metrics: Sequence[str], protocol: str) -> dict[str, Any]:
    """The mean of each metric, see :func:`robustvos.metrics.aggregate.protocol_mean`."""
    return {metric: protocol_mean(objects, metric, protocol) for metric in metrics}


def condition_block(tag: str, groups: Mapping[str, Mapping[str, Any]], metrics: Sequence[str]) -> list[str]:
    """One line for each group, under a heading."""
    grid = [[tag, *metrics, "objects"]]
    for name, figures in groups.items():
        count = figures[metrics[0]]["objects"]
        grid.append([name, *(_percent(figures[metric]["mean"]) for metric in metrics), str(count)])
    widths = [max(len(row[i]) for row in grid) for i in range(len(grid[0]))]
    return [_aligned(row, widths) for row in grid]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = row
    return "  ".join([first.ljust(widths[0]), *(text.rjust(w) for text, w in zip(rest, widths[1:], strict=True))])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
