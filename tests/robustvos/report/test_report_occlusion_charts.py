"""Scores over severity and length of the occlusion: groups of clips, charts, and their place in the page."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.results import load_result
from robustvos.report.occlusion_charts import grouped_means, occlusion_charts
from robustvos.report.page import build_report
from robustvos.report.sections import make_sections

pytestmark = pytest.mark.fast


def clip(measure: float, score: float | None) -> ObjectScore:
    return ObjectScore("a", 1, 1, {}, {"mIoU_fo": score}, {"severity": measure})


def test_groups_have_as_many_clips_and_equal_measures_are_not_parted():
    objects = [clip(0.1 * i, 0.05 * i) for i in range(10)]
    groups = grouped_means(objects[::-1], "severity", "mIoU_fo", 5)
    assert [count for *_, count in groups] == [2] * 5
    assert groups[0][:2] == (0.05, 0.025) and groups[-1][:2] == (0.85, 0.425)
    near = grouped_means(
        [clip(x, y) for x, y in ((0.0, 0.9), (0.5, 0.5), (0.97, 0.1), (0.98, 0.3), (1.0, 0.2))], "severity", "mIoU_fo"
    )
    assert near == [(0.0, 0.9, 1), (0.5, 0.5, 1), (0.983333, 0.2, 3)]  # no leap within what is nearly the same
    alike = grouped_means([clip(0.5, 0.1 * i) for i in range(7)], "severity", "mIoU_fo", 5)
    assert alike == [(0.5, 0.3, 7)]
    assert grouped_means([clip(0.2, None), ObjectScore("b", 1, 1)], "severity", "mIoU_fo") == []


@pytest.fixture
def run(write_run):
    def write(system: str, more: float):
        scores = {(f"c{i}", "category=occlusion"): (0.5, 0.05 * i + more, 0.1, 0.1) for i in range(10)}
        path = write_run(system, scores, metrics=("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ"), dataset="realvas")
        content = json.loads(path.read_text())
        for i, entry in enumerate(content["objects"]):
            entry["measures"] = {"severity": 0.09 * (10 - i), "frames_hidden": float(i), "first_hidden": 0.0}
        path.write_text(json.dumps(content))
        return path

    return write


def test_page_shows_a_line_a_system_over_both(run, tmp_path):
    paths = [run("sam2", 0.0), run("hold_last", 0.2)]
    (section,) = make_sections([load_result(path) for path in paths])
    severity, length = occlusion_charts(section, {"sam2": 0, "hold_last": 1})
    assert severity.title == "mIoU_fo in percent" and length.title == "mIoU_ffo in percent"
    assert [name for _, name in severity.legend] == ["sam2", "hold_last"]
    lines = re.findall(r'<polyline class="curve" points="([^"]*)"', severity.svg)
    assert [len(points.split()) for points in lines] == [5, 5]
    heights = [[float(p.split(",")[1]) for p in points.split()] for points in lines]
    assert all(after > before for points in heights for before, after in pairwise(points))  # lower scores lie lower
    assert "2 clips" in severity.caption
    page = build_report(paths, tmp_path / "report").read_text()
    assert "Over severity and length of the occlusion" in page


def test_runs_that_do_not_say_how_objects_are_hidden_have_no_charts(write_run):
    path = write_run("sam2", {("a", "category=occlusion"): (0.5,)}, metrics=("mIoU",))
    (section,) = make_sections([load_result(path)])
    assert occlusion_charts(section, {"sam2": 0}) == []
