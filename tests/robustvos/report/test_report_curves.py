"""Laws of the charts."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from robustvos.report.bars import bar_chart
from robustvos.report.curves import Series, find_event_folders, line_chart, read_scalars, training_charts
from robustvos.report.svg import nice_ticks
from robustvos.report.table import Cell, Row, Table

pytestmark = pytest.mark.fast


def log(folder, **scalars):
    writer = EventFileWriter(str(folder))
    for tag, points in scalars.items():
        for step, value in points:
            writer.add_event(Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)])))
    writer.close()


def points(svg: str, css: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(rf'<polyline class="{css}" points="([^"]*)"', svg)
    return [[tuple(map(float, p.split(","))) for p in line.split()] for line in lines]


def test_scalars_are_read_back_and_single_points_are_no_curve(tmp_path):
    log(tmp_path / "fit", loss=[(0, 2.0), (5, 1.0)], test=[(5, 0.5)], epoch=[(0, 0.0), (5, 1.0)])
    series = read_scalars(tmp_path / "fit")
    assert set(series) == {"loss"}
    assert (series["loss"].steps, series["loss"].values) == ((0.0, 5.0), (2.0, 1.0))


@pytest.mark.parametrize("step", [0, 15])
def test_the_only_validation_of_a_training_is_a_dot(tmp_path, step):
    log(tmp_path / "fit", **{"train/loss": [(0, 2.0), (15, 1.0)], "val/J": [(step, 0.5)]})
    log(tmp_path / "test", **{"test/J": [(0, 0.5)]})
    score, loss = training_charts(find_event_folders([tmp_path]))
    assert (loss.title, score.title) == ("train/loss", "val/J")
    assert "<circle" not in loss.svg and "nan" not in score.svg
    (dot,) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', score.svg)
    assert 0 < float(dot[0]) <= 420 and 0 < float(dot[1]) < 240


def test_a_step_logged_again_keeps_its_last_value_and_nan_is_left_out(tmp_path):
    log(tmp_path / "fit", loss=[(0, 3.0), (1, 2.0), (1, 1.0), (2, math.nan)])
    assert read_scalars(tmp_path / "fit")["loss"].values == (3.0, 1.0)


def test_each_scalar_is_one_chart_with_a_line_per_run_the_main_metric_first(tmp_path):
    scores = {"val/F": [(0, 0.1), (9, 0.9)], "val/J&F": [(0, 0.1), (9, 0.9)], "clips/val": [(0, 9.0), (9, 9.0)]}
    lengths = {"clips/frames": [(0, 8.0), (5, 16.0), (9, 16.0)], "clips/train": [(0, 4.0), (9, 2.0)]}
    log(tmp_path / "moga/version_0", **{"train/loss": [(0, 2.0), (9, 1.0)]}, **scores, **lengths)
    log(tmp_path / "lora/version_0", **{"train/loss": [(0, 2.5), (9, 1.5)]})
    charts = training_charts(find_event_folders([tmp_path]), {"moga": 2})
    assert [chart.title for chart in charts] == ["val/J&F", "val/F", "train/loss"]
    assert [chart.caption for chart in charts] == ["in percent; a point is of 9 clips"] * 2 + [
        "a point is of 2 to 4 clips"
    ]
    assert all('class="mark"' in chart.svg and "16 frames" in chart.svg for chart in charts)
    charts = charts[2:]
    assert sorted(name for _, name in charts[0].legend) == ["lora", "moga"]
    assert (2, "moga") in charts[0].legend
    assert len(points(charts[0].svg, "curve")) == 2


def test_line_is_a_linear_map_of_its_values():
    chart = line_chart("loss", [Series("a", (0.0, 1.0, 4.0), (0.0, 10.0, 5.0))], {"a": 1})
    ((x0, y0), (x1, y1), (x2, y2)) = points(chart.svg, "curve")[0]
    assert (x1 - x0) / (x2 - x0) == pytest.approx(0.25, abs=0.01)
    assert (y2 - y0) / (y1 - y0) == pytest.approx(0.5, abs=0.01)
    assert y1 < y0


def test_noise_is_drawn_thin_beneath_a_mean_and_a_straight_line_is_drawn_once():
    steps = tuple(map(float, range(1000)))
    noisy = line_chart("n", [Series("a", steps, tuple(math.sin(7.3 * s) for s in steps))], {"a": 1}).svg
    straight = line_chart("s", [Series("a", steps, steps)], {"a": 1}).svg
    assert len(points(noisy, "raw")) == len(points(noisy, "curve")) == 1

    def height(line):
        return max(y for _, y in line) - min(y for _, y in line)

    assert height(points(noisy, "curve")[0][20:-20]) < 0.2 * height(points(noisy, "raw")[0])
    assert points(straight, "raw") == []


def test_a_spike_survives_thinning():
    values = [0.0] * 20000
    values[12345] = 1.0
    line = points(line_chart("s", [Series("a", tuple(map(float, range(20000))), tuple(values))], {"a": 1}).svg, "raw")
    heights = [y for _, y in line[0]]
    assert len(heights) < 400
    assert min(heights) == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 17.0), (1e-6, 5e-6), (2.0, 2.0), (0.0, 0.0)])
def test_ticks_cover_the_range_in_equal_steps(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert 2 <= len(ticks) <= 9


def bars(*cells: Cell | None) -> ET.Element:
    table = Table("scores", "J & <F>", "", ("fog",), tuple(Row(f"s<{i}>", (c,)) for i, c in enumerate(cells)), ("J",))
    return ET.fromstring(bar_chart(table, range(len(cells))))


def test_bar_heights_are_proportional_and_start_at_zero():
    heights = [float(r.get("height")) for r in bars(Cell(0.2), Cell(0.8)).iter("rect")]
    assert heights[1] / heights[0] == pytest.approx(4, abs=0.02)


def test_whiskers_reach_the_ends_of_the_interval():
    root = bars(Cell(0.5, 0.25, 0.75))
    (rectangle,) = root.iter("rect")
    base = float(rectangle.get("y")) + float(rectangle.get("height"))
    unit = float(rectangle.get("height")) / 0.5
    ends = [float(line.get(y)) for line in root.iter("line") if line.get("class") == "whisker" for y in ("y1", "y2")]
    assert min(ends) == pytest.approx(base - 0.75 * unit, abs=0.2)
    assert max(ends) == pytest.approx(base - 0.25 * unit, abs=0.2)


def test_missing_figures_have_no_bar_and_names_are_escaped():
    root = bars(None, Cell(math.nan), Cell(0.5))
    assert len(list(root.iter("rect"))) == 1
    assert [title.text for title in root.iter("title")] == ["s<2>, fog: 50.0"]
