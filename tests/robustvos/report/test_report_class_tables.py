"""Scores by class and weather: shown where results have such tags, each class weighing the same in their mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robustvos.evaluation.protocol import protocol_named
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.results import RunRecord, load_result
from robustvos.evaluation.summary import summary_lines
from robustvos.report.class_tables import CLASS_MEAN, class_tables
from robustvos.report.page import build_report
from robustvos.report.sections import make_sections

pytestmark = pytest.mark.fast

SCORES = {
    ("a", "class=car,weather=fog"): 0.9,
    ("b", "class=car,weather=rain"): 0.7,
    ("c", "class=pole,weather=fog"): 0.2,
    ("d", "weather=rain"): 0.1,
}


def section_of(*paths):
    (section,) = make_sections([load_result(path) for path in paths])
    return section


def test_classes_are_columns_and_weigh_the_same_in_their_mean(write_run):
    section = section_of(write_run("sam2", SCORES), write_run("moga", {k: v + 0.05 for k, v in SCORES.items()}))
    (table,) = class_tables(section)  # weathers are the columns of the score tables
    assert table.columns == ("car", "pole", CLASS_MEAN)
    assert {row.name: [cell.mean for cell in row.cells] for row in table.rows} == {
        "sam2": pytest.approx([0.8, 0.2, 0.5]),
        "moga": pytest.approx([0.85, 0.25, 0.55]),
    }
    assert [cell.videos for cell in table.rows[0].cells] == [2, 1, 3]


def test_weathers_have_a_table_where_corruptions_are_the_columns(write_run):
    scores = {(c, f"{t},corruption={k}"): s for (c, t), s in SCORES.items() for k in ("clean", "fog")}
    tables = class_tables(section_of(write_run("sam2", scores)))
    assert [table.title for table in tables] == ["J by class", "J by weather"]
    assert tables[1].columns == ("fog", "rain")
    assert [cell.mean for cell in tables[1].rows[0].cells] == pytest.approx([0.55, 0.4])


def test_results_without_such_tags_have_no_table(write_run):
    assert class_tables(section_of(write_run("sam2", {("a", "corruption=fog"): 0.5}))) == []


def test_page_and_files_show_them(write_run, tmp_path):
    path = write_run("sam2", {k: (v,) * 3 for k, v in SCORES.items()}, metrics=("J&F", "J", "F"))
    out = build_report([path], tmp_path / "out").parent
    page = (out / "index.html").read_text()
    assert page.count("by class</strong>") + page.count("by class.</strong>") == 3
    for name in ("tables.md", "tables.csv", "tables.tex"):
        assert CLASS_MEAN in (out / name).read_text()


def test_test_prints_classes_and_weathers():
    objects = [
        ObjectScore(
            video, 1, 2, {**dict(p.split("=") for p in tags.split(",")), "corruption": corruption}, {"J": score}
        )
        for (video, tags), score in SCORES.items()
        for corruption in ("clean", "snow")
    ]
    about = {"system": "moga", "base": "nano", "dataset": "x", "prompt": "mask", "seed": 0, "created": ""}
    run = RunRecord.of(objects, protocol_named("davis"), **about, versions={}, parameters={}, checkpoint=None)
    run = replace(run, metrics=("J",))
    lines = [line.split() for line in summary_lines(run)]
    assert ["car", "80.0", "4"] in lines
    assert ["pole", "20.0", "2"] in lines
    assert ["mean", "over", "classes", "50.0", "6"] in lines
    assert ["rain", "40.0", "4"] in lines
