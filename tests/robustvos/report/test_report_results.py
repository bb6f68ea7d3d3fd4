"""Laws of reading ``results.json``."""

from __future__ import annotations

import json
import math

import pytest

from robustvos.errors import DataNotFound
from robustvos.evaluation.results import BadResults, find_results, load_result

pytestmark = pytest.mark.fast


def edit(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return path


def test_what_was_written_is_read(write_run):
    run = load_result(write_run("moga", {("a", "corruption=fog"): 0.25, ("b", "corruption=fog"): 0.75}, seed=3))
    assert (run.system, run.base, run.dataset, run.seed, run.checkpoint) == ("moga", "nano", "shapes", 3, None)
    assert run.overall["J"].mean == 0.5
    assert run.by["corruption"]["fog"]["J"].videos == 2
    assert [entry.video for entry in run.objects] == ["a", "b"]


def test_null_aggregate_is_nan(write_run):
    run = load_result(write_run("moga", {("a", ""): None}))
    assert math.isnan(run.overall["J"].mean)
    assert run.overall["J"].videos == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda data: data.pop("system"), "system"),
        (lambda data: data.update(seed="0"), "seed"),
        (lambda data: data.update(seed=True), "seed"),
        (lambda data: data.update(metrics=[]), "metrics"),
        (lambda data: data["objects"][0].pop("clip"), r"objects\[0\].video"),
        (lambda data: data["objects"][0]["scores"].update(J="high"), r"objects\[0\].scores.J"),
        (lambda data: data["aggregates"]["overall"]["J"].update(mean="x"), "aggregates.overall.J.mean"),
        (lambda data: data["aggregates"]["overall"].pop("J"), "aggregates.overall.J"),
        (lambda data: data["aggregates"].pop("overall"), "aggregates.overall"),
        (lambda data: data.update(schema=99), "schema"),
    ],
)
def test_error_names_file_and_field(write_run, change, field):
    path = edit(write_run("moga", {("a", ""): 0.5}), change)
    with pytest.raises(BadResults, match=field) as caught:
        load_result(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"'])
def test_broken_file_is_named(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(BadResults, match=r"results\.json"):
        load_result(path)


def test_folders_are_searched_and_a_file_stands_for_itself(write_run, tmp_path):
    first, second = write_run("a", {("x", ""): 0.1}, folder="deep/a/v0"), write_run("b", {("x", ""): 0.1})
    assert find_results([tmp_path / "runs", first]) == sorted([first, second])
    assert find_results([second]) == [second]


def test_nothing_found_says_where_it_looked(tmp_path):
    with pytest.raises(DataNotFound) as caught:
        find_results([tmp_path, tmp_path / "nowhere"])
    assert str(tmp_path) in str(caught.value)
    assert "nowhere (does not exist)" in str(caught.value)
