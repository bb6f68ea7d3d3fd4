"""Training curves: scalars from TensorBoard event files as small line charts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from robustvos.errors import MissingExtra
from robustvos.report import svg

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 240, 52, 12, 10, 38
_POINTS = 300
_SMOOTH_FROM = 60
_NOT_CURVES = ("epoch", "hp_metric")
_FRAMES, _TRAINED, _VALIDATED = "clips/frames", "clips/train", "clips/val"
_COUNTS = (_FRAMES, _TRAINED, _VALIDATED)  # what a run says of its points


@dataclass(frozen=True)
class Series:
    """One scalar of one run: steps ascending, finite values of the same length."""

    run: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """A drawn scalar: ``legend`` holds colour slot and run name of each line."""

    title: str
    svg: str
    legend: tuple[tuple[int, str], ...]
    caption: str = ""


def find_event_folders(paths: Sequence[Path]) -> list[Path]:
    """Folders at or beneath ``paths`` that hold TensorBoard event files, sorted."""
    return sorted(
        {event.parent for path in paths if path.is_dir() for event in path.rglob("events.out.tfevents.*")}, key=str
    )


def read_scalars(folder: Path) -> dict[str, Series]:
    """Every scalar with at least two finite points in the event files of one folder, by tag; of a training also a single one.

    A step that was logged again (a run that was continued from a checkpoint) keeps its last value.

    Raises:
        MissingExtra: If the package ``tensorboard`` is not installed.
    """
    try:
        from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
    except ImportError as error:
        raise MissingExtra.of("tensorboard", "dev") from error
    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0})
    events.Reload()
    series = {}
    tags = events.Tags()["scalars"]
    least = 1 if any(tag.startswith("train/") for tag in tags) else 2  # the one figure of a test is in its tables
    for tag in tags:
        points = {event.step: event.value for event in events.Scalars(tag) if math.isfinite(event.value)}
        if tag not in _NOT_CURVES and len(points) >= least:
            steps = sorted(points)
            series[tag] = Series(folder.name, tuple(map(float, steps)), tuple(points[step] for step in steps))
    return series


def training_charts(folders: Sequence[Path], slots: Mapping[str, int] | None = None) -> list[Chart]:
    """One chart per scalar, a line per run; the main metric first. Where the length of clips changed stands a mark.

    Scores are in percent, as in tables.

    Args:
        folders: Folders with event files.
        slots: Colour slot of runs whose colour is settled (a run named like a system shares its colour).
    """
    by_tag: dict[str, list[Series]] = {}
    counts: dict[str, dict[str, Series]] = {tag: {} for tag in _COUNTS}
    for name, folder in zip(run_names(folders), folders, strict=True):
        for tag, series in read_scalars(folder).items():
            if tag in _COUNTS:
                counts[tag][name] = series
            else:
                scale = 100.0 if _is_score(tag) else 1.0
                values = tuple(scale * value for value in series.values)
                by_tag.setdefault(tag, []).append(Series(name, series.steps, values))
    assigned = dict(slots or {})
    for name in sorted({series.run for group in by_tag.values() for series in group}):
        assigned.setdefault(name, max(assigned.values(), default=0) + 1)
    marks = length_changes(list(counts[_FRAMES].values()))
    return [
        line_chart(
            tag,
            by_tag[tag],
            assigned,
            marks=marks if tag.startswith(("train/", "val/")) else (),
            caption=_clips_of(tag, by_tag[tag], counts),
        )
        for tag in sorted(by_tag, key=_place)
    ]


def _place(tag: str) -> tuple[int, int, str]:
    """The metric that tables lead with comes first, then the other scores of validation, the loss, its parts, the rest."""
    metrics = ("val/J&F", "val/mIoU", "val/J", "val/F")
    groups = ("val/", "frames/", "train/loss", "train/")
    group = next((number for number, start in enumerate(groups) if tag.startswith(start)), len(groups))
    return group, metrics.index(tag) if tag in metrics else len(metrics), tag


def length_changes(lengths: Sequence[Series]) -> list[tuple[float, str]]:
    """Steps from which clips have another length, and how long they then are.

    >>> length_changes([Series("moga", (0.0, 10.0, 20.0, 30.0), (8.0, 8.0, 16.0, 16.0))])
    [(20.0, '16 frames')]
    """
    changes = {}
    for series in lengths:
        for before, value, step in zip(series.values, series.values[1:], series.steps[1:]):
            if value != before:
                changes[step] = f"{value:g} frames"
    return sorted(changes.items())


def _clips_of(tag: str, group: Sequence[Series], counts: Mapping[str, Mapping[str, Series]]) -> str:
    """The unit of scores, and how many clips a point is of, as its run logged it."""
    of = counts[_VALIDATED if tag.startswith("val/") else _TRAINED] if tag.startswith(("val/", "train/")) else {}
    numbers = sorted({value for series in group if series.run in of for value in of[series.run].values})
    unit = ["in percent"] if _is_score(tag) else []
    if numbers:
        text = f"{numbers[0]:g}" if len(numbers) == 1 else f"{numbers[0]:g} to {numbers[-1]:g}"
        unit.append(f"a point is of {text} clip{'' if numbers[-1] == 1 else 's'}")
    return "; ".join(unit)


def _is_score(tag: str) -> bool:
    return tag.startswith("val/")


def run_names(folders: Sequence[Path]) -> list[str]:
    """The shortest names that tell the folders apart; ``version_3`` and the like are left out where they can be.

    >>> run_names([Path("runs/moga/version_0"), Path("runs/lora/version_1")])
    ['moga', 'lora']
    >>> run_names([Path("runs/moga/version_0"), Path("runs/moga/version_1")])
    ['moga/version_0', 'moga/version_1']
    """
    plain = [[part for part in folder.parts if not re.fullmatch(r"version_\d+", part)] for folder in folders]
    for least, parts in ((1, plain), (2, [list(folder.parts) for folder in folders])):
        for depth in range(least, max((len(p) for p in parts), default=0) + 1):
            names = ["/".join(p[-depth:]) for p in parts]
            if len(set(names)) == len(names):
                return names
    return [str(folder) for folder in folders]


def line_chart(
    title: str,
    series: Sequence[Series],
    slots: Mapping[str, int],
    *,
    axis: str = "step",
    marks: Sequence[tuple[float, str]] = (),
    caption: str = "",
) -> Chart:
    """One scalar of several runs over training steps.

    A noisy line of more than 60 points is drawn twice: thin as logged, bold as a centred moving mean. A lone point is a
    dot.

    Args:
        title: What is drawn.
        series: At least one.
        slots: Colour slot of each run.
        axis: What runs to the right.
        marks: Places where something changed, and what it became: upright lines.
        caption: How to read it, beside the legend.
    """
    first, last = min(s.steps[0] for s in series), max(s.steps[-1] for s in series)
    first, last = (first, last) if first < last else (0.0, last or 1.0)
    x_ticks = svg.nice_ticks(first, last, 4)
    y_ticks = svg.nice_ticks(min(min(s.values) for s in series), max(max(s.values) for s in series), 4)
    x_axis = svg.Axis(first, last, _LEFT, _WIDTH - _RIGHT)
    y_axis = svg.Axis(y_ticks[0], y_ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = []
    for tick in y_ticks:
        parts.append(svg.line(_LEFT, y_axis(tick), _WIDTH - _RIGHT, y_axis(tick), "grid"))
        parts.append(svg.text(_LEFT - 6, y_axis(tick) + 4, svg.short(tick), "end"))
    for tick in x_ticks:
        if x_axis.low <= tick <= x_axis.high:
            parts.append(svg.text(x_axis(tick), _HEIGHT - _BOTTOM + 16, svg.short(tick)))
    parts.append(svg.line(_LEFT, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, "axis"))
    parts.append(svg.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 5, axis))
    for place, text in marks:
        if first <= place <= last:
            parts.append(svg.line(x_axis(place), _TOP, x_axis(place), _HEIGHT - _BOTTOM, "mark"))
            parts.append(svg.text(x_axis(place) + 3, _TOP + 9, text, "start"))
    for one in series:
        if len(one.values) == 1:
            x, y, colour = x_axis(one.steps[0]), y_axis(one.values[0]), svg.colour(slots[one.run])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" style="fill:{colour}"/>')
            continue
        smooth = _smooth(one)
        noisy = _is_noisy(one, smooth)
        if noisy:
            parts.append(_polyline(_bucket(one), x_axis, y_axis, slots[one.run], "raw"))
        parts.append(_polyline(_bucket(smooth if noisy else one), x_axis, y_axis, slots[one.run], "curve"))
    description = f"Line chart: {title} over {axis} of {', '.join(s.run for s in series)}"
    legend = tuple((slots[s.run], s.run) for s in series)
    return Chart(title, svg.document(_WIDTH, _HEIGHT, parts, description), legend, caption)


def _polyline(series: Series, x_axis: svg.Axis, y_axis: svg.Axis, slot: int, css: str) -> str:
    points = " ".join(f"{x_axis(x):.1f},{y_axis(y):.1f}" for x, y in zip(series.steps, series.values, strict=True))
    return f'<polyline class="{css}" points="{points}" style="stroke:{svg.colour(slot)}"/>'


def _smooth(series: Series) -> Series:
    """Mean over a centred window of about a twentieth of the run; it shrinks at the ends, so that nothing lags."""
    count, half = len(series.values), max(1, len(series.values) // 40)
    sums = [0.0, *accumulate(series.values)]
    values = []
    for i in range(count):
        reach = min(half, i, count - 1 - i)
        values.append((sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1))
    return Series(series.run, series.steps, tuple(values))


def _is_noisy(series: Series, smooth: Series) -> bool:
    """Whether smoothing shows something: the values stray from the window's mean by more than 1 % of their range."""
    stray = max(abs(a - b) for a, b in zip(series.values, smooth.values, strict=True))
    return len(series.values) > _SMOOTH_FROM and stray > 0.01 * (max(series.values) - min(series.values))


def _bucket(series: Series) -> Series:
    """At most about 300 points: of each bucket the lowest and the highest, so that spikes stay to be seen."""
    count = len(series.values)
    if count <= _POINTS:
        return series
    keep: list[int] = [0, count - 1]
    size = 2 * count / _POINTS
    for bucket in range(_POINTS // 2):
        inside = range(int(bucket * size), min(count, int((bucket + 1) * size)))
        keep += [min(inside, key=series.values.__getitem__), max(inside, key=series.values.__getitem__)]
    kept = sorted(set(keep))
    return Series(series.run, tuple(series.steps[i] for i in kept), tuple(series.values[i] for i in kept))
