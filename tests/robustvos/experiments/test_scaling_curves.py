"""The curve of an experiment whose rows stand on an axis."""

from __future__ import annotations

import re

import pytest

from robustvos.errors import UserError
from robustvos.evaluation.records import ObjectScore
from robustvos.experiments.plan import read_plan
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


def objects(score, metric="mIoU", clips=3):
    return [ObjectScore(f"v{i}", 1, 4, {}, {metric: score + 0.01 * i}) for i in range(clips)]


def test_rows_say_where_they_stand(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(EXPERIMENT)
    plan = read_plan(str(path), "embedded", tmp_path)
    assert plan.curve == "training clips, percent"
    assert [row.at for row in plan.rows] == [0.0, 50.0, None]
    path.write_text(EXPERIMENT.replace("at: 50", "at: half"))
    with pytest.raises(UserError, match="row 'half': at: 'half' is no number"):
        read_plan(str(path), "embedded", tmp_path)


def test_line_passes_through_the_means_in_order_of_the_axis():
    chart = scaling_chart("t", "share", [(100, objects(0.8)), (0, objects(0.2)), (50, objects(0.5))])
    assert [name for _, name in chart.legend] == ["mIoU"]
    assert chart.caption.startswith("a point is the mean over 3 clips")
    (points,) = re.findall(r'<polyline[^>]*points="([^"]+)"', chart.svg)
    x, y = zip(*[map(float, pair.split(",")) for pair in points.split()], strict=True)
    assert list(x) == sorted(x) and list(y) == sorted(y, reverse=True)  # better is higher up
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)


def test_fewer_than_two_points_are_no_curve():
    assert scaling_chart("t", "share", [(0, objects(0.2))]) is None
    assert scaling_chart("t", "share", [(0, objects(0.2)), (50, [])]) is None
    assert [name for _, name in scaling_chart("t", "a", [(0, objects(0.2, "J")), (1, objects(0.3, "J"))]).legend] == [
        "J"
    ]
