"""``cli.py experiment``: what is planned, what is shared, what is left out, and the table at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from robustvos.commands.experiment import CLI
from robustvos.commands.experiment_plan import CONFIGS, known_experiments, read_plan
from robustvos.errors import UnknownName, UserError
from robustvos.state_dicts import read_checkpoint

TINY = {
    "fit": "--trainer.devices 1 --data.train.batches 1 --data.train.frames 2 --data.train.frames_per_batch 2",
    "data": "--data shapes --data.size 64 --data.test.clips 2 --data.test.frames 3 --data.test.conditions [clean,fog]",
}


@pytest.mark.parametrize("name", known_experiments())
@pytest.mark.parametrize("scale", ["embedded", "full"])
def test_every_experiment_can_be_planned(name, scale):
    if (name, scale) == ("object_specific", "full"):
        with pytest.raises(UserError, match="runs at: embedded"):
            read_plan(name, scale, Path("out"))
        return
    plan = read_plan(name, scale, Path("out"))
    assert plan.tests and set(plan.references) <= {row.title for row in plan.rows}
    for test in plan.tests:
        assert test.command()[0] == "test"
        model = test.arguments[test.arguments.index("--model") + 1]
        published = "--ckpt_path" in test.arguments
        assert (test.fit is None) == (model in UNTRAINED or published)


UNTRAINED = ("sam2", "restored_urie", "restored_airnet", "restored_spandrel")


def test_tables_share_what_they_train_and_test():
    table2, table4, table6 = (read_plan(name, "embedded", Path("out")) for name in ("table2", "table4", "table6"))
    fits = {fit.name for plan in (table2, table4, table6) for fit in plan.fits}
    assert len(fits) == 4, "gara, moga, lora, and moga conditioned on the memory"
    assert set(table4.tests) < {*table2.tests, *table6.tests}


def test_every_published_name_is_one_of_the_papers(tmp_path):
    from robustvos.report.published import published_table

    for name in known_experiments():
        plan = read_plan(name, "embedded", tmp_path)
        if plan.table is None:
            continue
        parts = published_table(plan.table)
        known = {row for part in parts for row, _ in part.rows} | {column for part in parts for column in part.columns}
        assert {row.published for row in plan.rows} - {""} <= known | {"SAM2"}, name


def test_seeds_train_apart_and_are_tested_apart():
    plan = read_plan("object_specific", "embedded", Path("out"))
    assert [len(row.tests) for row in plan.rows] == [1, 3, 3, 3, 3]
    for fit in plan.fits:
        assert fit.arguments.count("--seed_everything") == 1
    assert len(plan.fits) == 12 and len({fit.folder for fit in plan.fits}) == 12


def test_a_broken_off_training_goes_on_and_a_finished_one_is_not_repeated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (fit,) = [f for f in read_plan("table4", "embedded", Path("out")).fits if f.name.startswith("lora")]
    assert not fit.done and "--ckpt_path" not in fit.command()
    checkpoint = fit.folder / "version_0" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert not fit.done and fit.command()[-2:] == ["--ckpt_path", str(checkpoint)]
    (fit.folder / "version_0" / "trained.json").touch()
    assert fit.done
    newer = fit.folder / "version_10" / "checkpoints" / "last.ckpt"
    newer.parent.mkdir(parents=True)
    newer.touch()
    assert fit.checkpoint == newer and not fit.done, "a newer version was begun"


def test_results_count_only_for_the_weights_that_training_ended_with(tmp_path, monkeypatch, door):
    monkeypatch.chdir(tmp_path)
    plan = read_plan("table4", "embedded", Path("experiments/embedded"))
    (test,) = [t for t in plan.tests if t.name == "lora"]
    checkpoint = test.fit.folder / "version_0" / "checkpoints" / "last.ckpt"
    results = test.folder / "version_0" / "results.json"
    for path in (checkpoint, results):
        path.parent.mkdir(parents=True)
        path.touch()
    results.write_text(json.dumps({"checkpoint": str(checkpoint)}))
    assert test.results is None, "training has not ended"
    answer = door("experiment", "table4", "--dry_run", "--only", "test")
    assert "lora" not in answer.out and str(test.fit.folder) in answer.err
    (test.fit.folder / "version_0" / "trained.json").touch()
    assert test.results == results
    results.write_text(json.dumps({"checkpoint": "runs/another/last.ckpt"}))
    assert test.results is None, "of other weights"


@pytest.fixture
def files(tmp_path, tiny_base):
    """A scale and an experiment whose every part takes seconds."""
    scale = {
        "fit": f"--config {CONFIGS.parent / 'moga.yaml'} --sam2 {tiny_base} --data.size 64 {TINY['fit']}",
        "test": f"--trainer.devices 1 --sam2 {tiny_base}",
        "sets": {"shapes": TINY["data"]},
        "like": "embedded",
    }
    experiment = {
        "title": "Tiny table",
        "table": 4,
        "sets": ["shapes"],
        "reference": "SAM2",
        "rows": {
            "SAM2": {"model": "sam2"},
            "URIE+SAM2": {"model": "restored_urie"},
            "MoGA+SAM2": {"model": "moga", "system": {"embedded": "--model.adapter.rank 4"}, "fit": True},
        },
    }
    for name, content in (("scale", scale), ("tiny", experiment)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "tiny.yaml", tmp_path / "scale.yaml"


def test_an_experiment_from_nothing_to_its_table(door, files, tmp_path):
    experiment, scale = files
    left = door("experiment", experiment, "--scale", scale, "--dry_run").out.splitlines()
    assert [line.split()[0] for line in left] == ["fit", "test", "test", "test"]

    answer = door("experiment", experiment, "--scale", scale)
    assert answer.code == 0, answer.err
    assert "Tiny table: J&F" in answer.out and "MoGA+SAM2 (published)" in answer.out
    assert "URIE+SAM2 (not measured)" in answer.out
    assert "left out: " in answer.out and "ECCV_SKUNET_OURS.ckpt.pt" in answer.out
    out = tmp_path / "runs" / "experiments" / "scale"
    page = (out / "report" / "tiny" / "index.html").read_text()
    assert "Tiny table" in page and "URIE+SAM2 (not measured)" in page
    (moga,) = out.glob("test/shapes/moga-*/version_0/results.json")
    assert json.loads(moga.read_text())["system"] == "moga rank=4"
    (trained,) = out.glob("fit/moga-*/version_0/trained.json")
    assert Path(json.loads(trained.read_text())["checkpoint"]).name == "last.ckpt"

    left = door("experiment", experiment, "--scale", scale, "--dry_run").out.splitlines()
    assert len(left) == 1 and "restored_urie" in left[0], "nothing else is left to do"


def test_stopped_experiment_waits_for_its_command_and_goes_on_from_there(door, files, tmp_path):
    experiment, scale = files
    content = yaml.safe_load(scale.read_text())
    content["fit"] += " --data.train.batches 4000 --checkpoint.every_n_train_steps 1"
    scale.write_text(yaml.safe_dump(content))
    command = [sys.executable, CLI, "experiment", experiment, "--scale", scale, "--only", "fit"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(list(map(str, command)), cwd=tmp_path, start_new_session=True, **pipes) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("last.ckpt")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, _ = process.communicate(timeout=120)
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    assert process.returncode == 130, out
    assert "stopping after this step" in out and "Traceback" not in out
    assert out.splitlines()[-1] == "stopped: what is trained and tested stays, and the same command goes on"
    (saved,) = tmp_path.rglob("interrupted.ckpt")
    (left,) = door("experiment", experiment, "--scale", scale, "--only", "fit", "--dry_run").out.splitlines()
    goes_on_from = tmp_path / left.split("--ckpt_path ")[1]  # there is one of each step too, here
    assert read_checkpoint(goes_on_from)["global_step"] == read_checkpoint(saved)["global_step"] > 0


def test_what_is_misspelt_is_refused(door, files, tmp_path):
    experiment, scale = files
    assert "did you mean 'table4'" in door("experiment", "tabel4").error
    assert "did you mean 'embedded'" in door("experiment", "table4", "--scale", "embeded").error
    assert "give fit or test" in door("experiment", "table4", "--only", "train").error
    assert "below runs/" in door("experiment", "table4", "--out", tmp_path).error
    assert "below runs/" in door("experiment", "table4", "--out", "../elsewhere").error
    content = yaml.safe_load(experiment.read_text())
    for change, message in (
        ({"sets": ["shape"]}, "did you mean 'shapes'"),
        ({"rows": {"SAM2": {"modell": "sam2"}}}, "did you mean 'model'"),
        ({"rows": {"SAM2": {"fit": True}}}, "names no model"),
        ({"title": ""}, "has no title"),
        ({"seeds": 3}, r"seeds: 3 is no list of whole numbers; write e\.g\. \[0, 1, 2\]"),
        ({"seeds": ["a"]}, "is no list of whole numbers"),
        ({"rows": ["sam2"]}, "rows: expected names with values, got a list"),
        ({"rows": {"SAM2": "sam2"}}, "row 'SAM2': expected names with values, got 'sam2'"),
        ({"sets": 4}, "sets: 4 is no list of names"),
        ({"reference": {"a": 1}}, "reference: .* is no list of names"),
        ({"rows": {"SAM2": {"model": "sam2", "test": 3}}}, "3 is no text with arguments"),
    ):
        experiment.write_text(yaml.safe_dump(content | change))
        with pytest.raises((UnknownName, UserError), match=message):
            read_plan(str(experiment), str(scale), tmp_path)
    experiment.write_text(yaml.safe_dump(content | {"sets": "shapes"}))
    assert read_plan(str(experiment), str(scale), tmp_path).sets == ("shapes",)
    scale.write_text("fit: --data shapes")
    with pytest.raises(UserError, match="scale.yaml has no sets"):
        read_plan(str(experiment), str(scale), tmp_path)


def test_help_names_every_experiment(door):
    text = " ".join(door("experiment", "--help").out.split())
    assert "table2 to table8" in text
    assert all(name in text for name in known_experiments() if not name.startswith("table"))
