"""J&F over the frames of the videos, all systems in one chart: how long a system keeps its objects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from robustvos.conditions import CLEAN
from robustvos.evaluation.frame_means import FrameMeans, bin_width, difference_points, frame_means, score_points
from robustvos.evaluation.frame_scores import FrameSeries, by_condition, read_frame_series
from robustvos.report import svg
from robustvos.report.sections import Section, reference_of

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 520, 260, 48, 12, 10, 38
_BANDS = 3  # more overlapping bands than these cannot be told apart

Series = Mapping[str, list[FrameSeries]]


@dataclass(frozen=True)
class FrameChart:
    """A drawn chart.

    Attributes:
        title: What it shows, of which clips.
        caption: How to read it.
        svg: The drawing.
        legend: Colour slot and name of each line.
    """

    title: str
    caption: str
    svg: str
    legend: tuple[tuple[int, str], ...]


def frame_charts(section: Section, slots: Mapping[str, int], reference: str = "sam2") -> list[FrameChart]:
    """For clean and for corrupted clips: mean J&F over frames, and its paired difference from the reference.

    Nothing where no run stored the scores of its frames (amodal runs have none).
    """
    series = {name: read_frame_series(run.folder) for name, run in section.runs}
    charts = []
    for group, chosen in _groups(series).items():
        width = bin_width(frame for one in chosen.values() for s in one for frame in s.frames)
        lines = {name: frame_means(score_points(found), width) for name, found in chosen.items()}
        charts.append(_chart(f"J&F over frames, {group} videos", {n: m for n, m in lines.items() if m}, slots, False))
        gaps = {}
        for name, run in section.runs:
            other = reference_of(section, run, reference)
            if other is not None and name in chosen and other[0] in chosen:
                gaps[name] = frame_means(difference_points(chosen[name], chosen[other[0]]), width)
        if any(gaps.values()):
            title = f"Difference from {reference}, {group} videos"
            charts.append(_chart(title, {n: m for n, m in gaps.items() if m}, slots, True))
    return charts


def _groups(series: Series) -> dict[str, dict[str, list[FrameSeries]]]:
    """Series of each system, by group of conditions; ``all`` where nothing was corrupted."""
    groups: dict[str, dict[str, list[FrameSeries]]] = {}
    for name, found in series.items():
        for group, chosen in by_condition(found).items():
            groups.setdefault(group, {})[name] = chosen
    return {"all": groups[CLEAN]} if set(groups) == {CLEAN} else dict(sorted(groups.items()))


def _chart(title: str, lines: Mapping[str, FrameMeans], slots: Mapping[str, int], difference: bool) -> FrameChart:
    banded = difference or len(lines) <= _BANDS
    drawing = line_chart(lines, slots, title, banded=banded, zero=difference)
    return FrameChart(title, _caption(lines, banded, difference), drawing, tuple((slots[n], n) for n in lines))


def _caption(lines: Mapping[str, FrameMeans], banded: bool, difference: bool) -> str:
    longest = max(lines.values(), key=lambda means: means.frames[-1])
    what = "Points, on the same videos, objects and frames" if difference else "Percent, mean over the objects scored"
    text = f"{what}; {_clips(longest)}"
    if longest.width > 1:
        text += f"; a point is {longest.width} frames"
    return f"{text}; bands are {'paired ' * difference}95 % intervals over videos." if banded else f"{text}."


def _clips(means: FrameMeans) -> str:
    most, last = max(means.videos), means.videos[-1]
    text = f"{most} video{'' if most == 1 else 's'}"
    return text if last == most else f"{text} at most, {last} on the last frames"


def line_chart(
    lines: Mapping[str, FrameMeans], slots: Mapping[str, int], title: str, *, banded: bool, zero: bool
) -> str:
    """Lines of means (fractions, drawn times 100) over frame numbers; gaps stay gaps, lone points are dots.

    Args:
        lines: By name; at least one.
        slots: Colour slot of each name.
        title: For screen readers.
        banded: Draw the intervals too.
        zero: Keep zero in sight, and draw it.
    """
    values = [100 * v for means in lines.values() for v in _extent(means, banded)] + [0.0] * zero
    ticks = svg.nice_ticks(min(values), max(values), 4)
    last = max(means.frames[-1] for means in lines.values())
    x_axis = svg.Axis(0.0, max(last, 1.0), _LEFT, _WIDTH - _RIGHT)
    y_axis = svg.Axis(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = []
    for tick in ticks:
        css = "axis" if zero and tick == 0 else "grid"
        parts.append(svg.line(_LEFT, y_axis(tick), _WIDTH - _RIGHT, y_axis(tick), css))
        parts.append(svg.text(_LEFT - 6, y_axis(tick) + 4, svg.short(tick), "end"))
    for tick in svg.nice_ticks(0.0, max(last, 1.0), 6):
        if tick <= x_axis.high and tick == round(tick):
            parts.append(svg.text(x_axis(tick), _HEIGHT - _BOTTOM + 16, svg.short(tick)))
    parts.append(svg.line(_LEFT, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, "axis"))
    parts.append(svg.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 5, "frame"))
    if banded:
        parts += [
            _band(means, piece, x_axis, y_axis, slots[n]) for n, means in lines.items() for piece in means.pieces()
        ]
    for name, means in lines.items():
        parts += [_line(name, means, piece, x_axis, y_axis, slots[name]) for piece in means.pieces()]
    return svg.document(_WIDTH, _HEIGHT, parts, f"Line chart: {title}, of {', '.join(lines)}")


def _extent(means: FrameMeans, banded: bool) -> list[float]:
    ends = [*means.mean, *means.low, *means.high] if banded else [*means.mean]
    return [value for value in ends if not math.isnan(value)]


def _line(name: str, means: FrameMeans, piece: Sequence[int], x: svg.Axis, y: svg.Axis, slot: int) -> str:
    points = [(x(means.frames[i]), y(100 * means.mean[i])) for i in piece]
    tip = f"<title>{escape(name)}</title>"
    if len(points) == 1:
        ((left, top),) = points
        return f'<circle cx="{left:.1f}" cy="{top:.1f}" r="2.5" style="fill:{svg.colour(slot)}">{tip}</circle>'
    path = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
    return f'<polyline class="curve" points="{path}" style="stroke:{svg.colour(slot)}">{tip}</polyline>'


def _band(means: FrameMeans, piece: Sequence[int], x: svg.Axis, y: svg.Axis, slot: int) -> str:
    known = [i for i in piece if not math.isnan(means.low[i])]
    if len(known) < 2:
        return ""
    ends = [(i, means.high[i]) for i in known] + [(i, means.low[i]) for i in reversed(known)]
    path = " ".join(f"{x(means.frames[i]):.1f},{y(100 * value):.1f}" for i, value in ends)
    return f'<polygon class="band" points="{path}" style="fill:{svg.colour(slot)}"/>'
