"""The curve of an experiment whose rows stand on an axis."""

from __future__ import annotations

import re

import pytest

from robustvos.commands.experiment import _curves
from robustvos.errors import UserError
from robustvos.evaluation.results import load_result
from robustvos.experiments.plan import read_plan
from robustvos.experiments.rows import RowRuns
from robustvos.experiments.scaling_curves import scaling_chart

EXPERIMENT = """
title: "More and more"
curve: "training clips, percent"
sets: [shapes]
rows:
  none: {model: sam2, at: 0}
  half: {model: moga, at: 50, fit: true}
  beside: {model: lora}
"""


@pytest.fixture
def run(write_run):
    """``run(score)``: a test of three clips, whose mean is that score."""

    def make(score, metric="mIoU", protocol="realvas", name="moga"):
        scores = {(f"v{i}", ""): score + 0.01 * (i - 1) for i in range(3)}
        folder = f"{name}-{score}-{metric}"
        return load_result(write_run(name, scores, folder=folder, metrics=(metric,), protocol=protocol))

    return make


def test_rows_say_where_they_stand(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(EXPERIMENT)
    plan = read_plan(str(path), "embedded", tmp_path)
    assert plan.curve == "training clips, percent"
    assert [row.at for row in plan.rows] == [0.0, 50.0, None]
    path.write_text(EXPERIMENT.replace("at: 50", "at: half"))
    with pytest.raises(UserError, match="row 'half': at: 'half' is no number"):
        read_plan(str(path), "embedded", tmp_path)


def test_line_passes_through_the_means_in_order_of_the_axis(run):
    chart = scaling_chart("t", "share", [(100, [run(0.8)]), (0, [run(0.2)]), (50, [run(0.4), run(0.6)])])
    assert [name for _, name in chart.legend] == ["mIoU"]
    assert chart.caption.startswith("a point is the mean over 3 clips")
    (points,) = re.findall(r'<polyline[^>]*points="([^"]+)"', chart.svg)
    x, y = zip(*[map(float, pair.split(",")) for pair in points.split()], strict=True)
    assert list(x) == sorted(x) and list(y) == sorted(y, reverse=True)  # better is higher up
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)


def test_fewer_than_two_points_are_no_curve(run):
    assert scaling_chart("t", "share", []) is None
    assert scaling_chart("t", "share", [(0, [run(0.2)]), (50, [])]) is None
    modal = [(0, [run(0.2, "J", "davis")]), (1, [run(0.3, "J", "davis")])]
    assert [name for _, name in scaling_chart("t", "a", modal).legend] == ["J"]


def test_each_set_has_a_curve_of_its_own(run, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(EXPERIMENT.replace("[shapes]", "[shapes, shapes_long]"))
    plan = read_plan(str(path), "embedded", tmp_path)
    one, two = run(0.2), run(0.5)
    rows = [
        RowRuns("none", "", (("shapes", one), ("shapes_long", two))),
        RowRuns("half", "", (("shapes", two), ("shapes_long", one))),
        RowRuns("beside", "", ()),
    ]
    assert [chart.title.split(":")[0] for chart in _curves(plan, rows)] == [
        "More and more, shapes",
        "More and more, shapes_long",
    ]
