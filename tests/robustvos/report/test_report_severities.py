"""Scores over severities: what a line joins differs in nothing but the severity."""

from __future__ import annotations

import re

import pytest

from robustvos.evaluation.results import load_result
from robustvos.report.retention import severity_charts

pytestmark = pytest.mark.fast

SLOTS = {"sam2": 0, "moga": 1}


def heights(chart) -> list[list[float]]:
    """Of each line's points, from the top."""
    lines = re.findall(r'<polyline class="curve" points="([^"]*)"', chart.svg)
    return [[float(point.split(",")[1]) for point in line.split()] for line in lines]


@pytest.fixture
def charts(write_run):
    """``charts((system, severity, scores by clip and corruption, facts), ...)``."""

    def made(*tested):
        paths = [
            write_run(
                system,
                {(clip, f"corruption={name}"): score for (clip, name), score in scores.items()},
                folder=f"{i}",
                facts={"severity": severity, "preset": "release", **more},
            )
            for i, (system, severity, scores, more) in enumerate(tested)
        ]
        return severity_charts([load_result(path) for path in paths], SLOTS)

    return made


def test_points_are_of_the_clips_and_corruptions_that_all_have(charts):
    """At severity 3 more was tested, and easier: that does not lift the line."""
    both = {("a", "fog"): 0.5, ("b", "fog"): 0.7, ("a", "clean"): 1.0}
    easy = {**both, ("c", "fog"): 1.0, ("a", "rain"): 1.0}
    (chart,) = charts(("sam2", "1", both, {}), ("sam2", "3", easy, {}), ("sam2", "5", both, {}))
    (line,) = heights(chart)
    assert line[0] == line[1] == line[2]
    assert chart.caption == "a point is the mean over the same 2 videos under fog"


def test_a_system_tested_at_one_severity_takes_no_part(charts):
    both, other = {("a", "fog"): 0.5}, {("z", "fog"): 0.5}
    (chart,) = charts(("sam2", "1", both, {}), ("sam2", "5", both, {}), ("moga", "3", other, {}))
    assert [name for _, name in chart.legend] == ["sam2"]


def test_what_differs_in_more_than_severity_is_not_joined(charts):
    scores = {("a", "fog"): 0.5}
    assert charts(("sam2", "1", scores, {"frames": "16"}), ("sam2", "5", scores, {"frames": "96"})) == []
    assert charts(("sam2", "1", scores, {}), ("sam2", "5", {("b", "fog"): 0.5}, {})) == []
