"""``cli.py experiment``: what is planned, what is shared, what is left out, and the table at the end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from robustvos.commands.experiment import CLI
from robustvos.errors import UnknownName, UserError
from robustvos.experiments.plan import read_plan
from robustvos.experiments.reading import CONFIGS, known_experiments
from robustvos.state_dicts import read_checkpoint

REAL = sorted(name for name in known_experiments() if name.startswith("real_"))
TINY_DATA = {
    "from": "shapes",
    "size": 64,
    "test": {"limit": 2, "frames": 3, "conditions": ["clean", "fog"]},
}


@pytest.mark.parametrize("name", known_experiments())
@pytest.mark.parametrize("scale", ["embedded", "full"])
def test_every_experiment_can_be_planned(name, scale):
    if scale == "full" and (name == "object_specific" or name in REAL):
        with pytest.raises(UserError, match="runs at: embedded"):
            read_plan(name, scale, Path("out"))
        return
    plan = read_plan(name, scale, Path("out"))
    assert plan.tests and set(plan.references) <= {row.title for row in plan.rows}
    for test in plan.tests:
        model = test.arguments[test.arguments.index("--model") + 1]
        published = "--ckpt_path" in test.arguments
        shipped = name.startswith("realvas") and scale == "embedded"  # the adapter of the package
        assert (test.fit is None) == (model in UNTRAINED or published or shipped)


BASELINES = ("repeat_query", "hold_last", "constant_velocity", "follow_occluder", "complete_convex")
UNTRAINED = ("sam2", "restored_urie", "restored_airnet", "restored_spandrel", *BASELINES)


def test_tables_share_what_they_train_and_test():
    table2, table4, table6 = (read_plan(name, "embedded", Path("out")) for name in ("table2", "table4", "table6"))
    fits = {fit.name for plan in (table2, table4, table6) for fit in plan.fits}
    assert len(fits) == 4, "gara, moga, lora, and moga conditioned on the memory"
    assert set(table4.tests) < {*table2.tests, *table6.tests}


def test_every_published_name_is_one_of_the_papers(tmp_path):
    from robustvos.report.published import PAPERS, published_table

    for name in known_experiments():
        plan = read_plan(name, "embedded", tmp_path)
        if plan.table is None:
            continue
        parts = published_table(plan.table, PAPERS[plan.paper])
        known = {row for part in parts for row, _ in part.rows} | {column for part in parts for column in part.columns}
        assert {row.published for row in plan.rows} - {""} <= known | {"SAM2"}, name


def test_seeds_train_apart_and_are_tested_apart():
    plan = read_plan("object_specific", "embedded", Path("out"))
    assert [len(row.tests) for row in plan.rows] == [1, 3, 3, 3, 3]
    for fit in plan.fits:
        assert fit.arguments.count("--seed_everything") == 1
    assert len(plan.fits) == 12 and len({fit.folder for fit in plan.fits}) == 12


def test_experiments_on_real_pixels_list_what_is_to_be_run(door, tmp_path):
    """The parser understands every command of them, here of one seed; data need not be there."""
    files = [tmp_path / f"{name}.yaml" for name in REAL]
    for file in files:
        content = yaml.safe_load((CONFIGS / file.name).read_text())
        assert content["seeds"] == [0, 1, 2]
        file.write_text(yaml.safe_dump(content | {"seeds": [0]}))
    answer = door("experiment", *files, "--dry_run")
    assert answer.code == 0, answer.err
    plans = [read_plan(str(file), "embedded", Path("experiments/embedded")) for file in files]
    lines = answer.out.splitlines()
    assert len(lines) == len({job for plan in plans for job in plan.jobs})
    for line in lines:
        base = "--config configs/moga_small.yaml" if line.startswith("fit") else "--sam2 small"
        assert base in line and "--trainer.devices 1" in line
        assert line.startswith("fit") or "callbacks.GateVariance" in line


def test_experiments_on_real_pixels_share_trainings():
    plans = {name: read_plan(name, "embedded", Path("out")) for name in REAL}
    for plan in plans.values():
        assert "memory attention" in plan.note, "whose norms are trained"
    fits = {fit for name, plan in plans.items() if name != "real_object_specific" for fit in plan.fits}
    assert len(fits) == 3 * 5, "layer norms, LoRA, MoGA, MoGA conditioned on the memory, everything"
    assert not fits & set(plans["real_object_specific"].fits), "trained on degradations that differ between objects"


def test_rows_on_real_pixels_are_left_out_where_data_are_missing(door, tmp_path, monkeypatch):
    monkeypatch.delenv("ROBUSTVOS_DATA", raising=False)
    content = yaml.safe_load((CONFIGS / "real_table4.yaml").read_text())
    content["rows"] = {"SAM2": content["rows"]["SAM2"]}
    (tmp_path / "alone.yaml").write_text(yaml.safe_dump(content | {"reference": "SAM2"}))
    answer = door("experiment", tmp_path / "alone.yaml")
    assert answer.code == 2
    assert "$ROBUSTVOS_DATA" in answer.err and "--data.root" in answer.err


@pytest.fixture
def files(tmp_path, tiny_base):
    """A scale and an experiment whose every part takes seconds."""
    scale = {
        "fit": {
            "config": str(CONFIGS.parent / "moga.yaml"),
            "sam2": str(tiny_base),
            "trainer": {"devices": 1, "max_epochs": 1},
            "data": {
                "size": 64,
                "train": {"batches": 1, "frames": 2, "frames_per_batch": 2},
                "val": {"limit": 1, "frames": 2},
            },
        },
        "test": {"trainer": {"devices": 1}, "sam2": str(tiny_base)},
        "sets": {"shapes": {"data": TINY_DATA}},
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
            "MoGA+SAM2": {"model": "moga", "scales": {"embedded": {"model": {"adapter": {"rank": 4}}}}, "fit": True},
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

    content = yaml.safe_load(experiment.read_text())
    content["rows"]["MoGA+SAM2"]["test"] = {"data": {"test": {"limit": 1}}}
    experiment.write_text(yaml.safe_dump(content))
    left = door("experiment", experiment, "--scale", scale, "--dry_run").out.splitlines()
    assert [line.split()[0] for line in left] == ["test", "test"], "other tests of the same training"


def test_a_run_of_other_settings_is_another_run_and_the_message_names_them(door, files, tmp_path):
    experiment, scale = files
    content = yaml.safe_load(experiment.read_text())
    content["rows"] = {"MoGA+SAM2": content["rows"]["MoGA+SAM2"]}
    experiment.write_text(yaml.safe_dump(content | {"reference": "MoGA+SAM2"}))
    config = tmp_path / "mine.yaml"
    settings = yaml.safe_load(Path(CONFIGS.parent / "moga.yaml").read_text())
    for name in ("sam2", "recipe"):
        settings[name] = str(CONFIGS.parent / settings[name])
    settings["trainer"]["max_epochs"] = 1
    config.write_text(yaml.safe_dump(settings))
    content = yaml.safe_load(scale.read_text())
    content["fit"]["config"] = str(config)
    scale.write_text(yaml.safe_dump(content))
    command = ("experiment", experiment, "--scale", scale)
    assert door(*command).code == 0
    assert door(*command, "--dry_run").out == ""

    settings["trainer"] |= {"gradient_clip_val": 0.2, "log_every_n_steps": 3, "accelerator": "cpu"}
    config.write_text(yaml.safe_dump(settings))  # as if configs/moga.yaml were edited
    answer = door(*command, "--dry_run")
    fit, test = answer.out.splitlines()
    assert fit.startswith("fit") and "--ckpt_path" not in fit, "it begins anew"
    assert "version_1/checkpoints/last.ckpt" in test
    (line,) = answer.err.splitlines()
    assert "version_0 is of other settings (trainer.gradient_clip_val 0.1, now 0.2): it is not used" in line
    assert door(*command).code == 0
    assert len(list((tmp_path / "runs/experiments/scale").glob("*/**/version_1/identity.json"))) == 2

    settings["trainer"]["gradient_clip_val"] = 0.1
    config.write_text(yaml.safe_dump(settings))
    assert door(*command, "--only", "fit", "--dry_run").out == "", "what was trained with these settings is still there"


def test_stopped_experiment_waits_for_its_command_and_goes_on_from_there(door, files, tmp_path):
    experiment, scale = files
    content = yaml.safe_load(scale.read_text())
    content["fit"]["data"]["train"]["batches"] = 4000
    content["fit"]["checkpoint"] = {"every_n_train_steps": 1}
    scale.write_text(yaml.safe_dump(content))
    command = [sys.executable, CLI, "experiment", experiment, "--scale", scale, "--only", "fit"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(list(map(str, command)), cwd=tmp_path, start_new_session=True, **pipes) as process:
        deadline = time.monotonic() + 600
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
        ({"rows": {"SAM2": {"model": "sam2", "test": 3}}}, "test: expected settings as in a --config, got 3"),
    ):
        experiment.write_text(yaml.safe_dump(content | change))
        with pytest.raises((UnknownName, UserError), match=message):
            read_plan(str(experiment), str(scale), tmp_path)
    experiment.write_text(yaml.safe_dump(content | {"sets": "shapes"}))
    assert read_plan(str(experiment), str(scale), tmp_path).sets == ("shapes",)
    scale.write_text("fit: {data: shapes}")
    with pytest.raises(UserError, match="scale.yaml has no sets"):
        read_plan(str(experiment), str(scale), tmp_path)


def test_a_setting_that_no_system_has_is_refused_before_anything_runs(door, files):
    experiment, scale = files
    content = yaml.safe_load(experiment.read_text())
    content["rows"]["SAM2"]["test"] = {"data": {"test": {"limmit": 1}}}
    experiment.write_text(yaml.safe_dump(content))
    answer = door("experiment", experiment, "--scale", scale)
    assert "limmit" in answer.error and "--data.test.limmit 1" in answer.error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sets": {"embedded": ["shapes"], "full": ["mvseg_adv"]}},
            'sets differs by scale; write scales: {embedded: {sets: ["shapes"]}, full: {sets: ["mvseg_adv"]}}',
        ),
        (
            {"fit": "--data.train.batches 30"},
            "fit: '--data.train.batches 30' is written as flags; write settings: {data: {train: {batches: 30}}}",
        ),
        (
            {"rows": {"a": {"model": "moga", "system": "--model.adapter.rank 8"}}},
            "settings of the system stand in model itself: {model: {from: moga, adapter: {rank: 8}}}",
        ),
        (
            {"rows": {"a": {"model": "moga", "test": "--model.adapter.scale 0"}}},
            "write settings: {model: {adapter: {scale: 0}}}",
        ),
    ],
)
def test_files_of_version_0_1_are_answered_with_what_to_write(files, tmp_path, change, message):
    experiment, scale = files
    experiment.write_text(yaml.safe_dump(yaml.safe_load(experiment.read_text()) | change))
    with pytest.raises(UserError) as caught:
        read_plan(str(experiment), str(scale), tmp_path)
    assert message in str(caught.value)


def test_a_scale_of_version_0_1_is_answered_with_what_to_write(files, tmp_path):
    experiment, scale = files
    scale.write_text("fit: --config configs/moga.yaml --trainer.devices 2\nsets: {shapes: --data shapes}")
    with pytest.raises(UserError, match=r"write settings: \{config: configs/moga.yaml, trainer: \{devices: 2\}\}"):
        read_plan(str(experiment), str(scale), tmp_path)


def test_examples_of_the_page_can_be_planned(tmp_path):
    page = (Path(__file__).resolve().parents[1] / "docs" / "experiments.md").read_text()
    scale, experiment = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "scale.yaml").write_text(scale)
    (tmp_path / "ranks.yaml").write_text(experiment)
    plan = read_plan(str(tmp_path / "ranks.yaml"), "embedded", Path("out"))
    assert [fit.arguments[-1] for fit in plan.fits] == ["0", "0"] and len(plan.tests) == 3
    (test,) = {
        test for row in read_plan("table4", str(tmp_path / "scale.yaml"), Path("out")).rows[:1] for test in row.tests
    }
    assert "/data/MVSeg-adv" in test.arguments


def test_help_names_every_experiment(door):
    text = " ".join(door("experiment", "--help").out.split())
    assert "table2 to table8" in text and "realvas_table2 to realvas_table5" in text
    assert all(name in text for name in known_experiments() if "table" not in name)


def test_an_unknown_paper_is_named(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("title: x\npaper: realvos\nsets: [shapes]\nrows: {a: {model: sam2}}\n")
    with pytest.raises(UnknownName, match="unknown paper in .*x.yaml: 'realvos'; did you mean 'realvas'"):
        read_plan(str(file), "embedded", tmp_path)
