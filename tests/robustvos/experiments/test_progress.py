"""What of an experiment is done: only what is of the settings, weights and data of now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from robustvos.experiments.identity import CHECKPOINT, digest_of
from robustvos.experiments.plan import Evaluation, Fit
from robustvos.experiments.progress import Progress

FIT = Fit("moga-1", Path("runs/x/fit/moga-1"), ("--model", "moga"))
TEST = Evaluation("moga", "shapes", Path("runs/x/test/shapes/moga-2"), ("--model", "moga"), FIT)
NOW = {"recipe.optimisation.learning_rate": 0.01, "sam2.checkpoint": "content 1"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def progress() -> Progress:
    return Progress({FIT: NOW, TEST: NOW})


def begun(folder: Path, number: int, identity: dict | None, *files: str) -> Path:
    """A version of a run, with empty files."""
    version = folder / f"version_{number}"
    for name in ("config.yaml", *files):
        (version / name).parent.mkdir(parents=True, exist_ok=True)
        (version / name).write_text(str(version))
    if identity is not None:
        (version / "identity.json").write_text(json.dumps(identity))
    return version


def test_a_broken_off_training_goes_on_and_a_finished_one_is_not_repeated(progress):
    assert not progress.done(FIT) and "--ckpt_path" not in progress.command(FIT)
    version = begun(FIT.folder, 0, NOW, "checkpoints/last.ckpt")
    last = version / "checkpoints/last.ckpt"
    assert not progress.done(FIT) and progress.command(FIT)[-2:] == ["--ckpt_path", str(last)]
    (version / "trained.json").touch()
    assert progress.done(FIT) and not progress.is_left(FIT)
    newer = begun(FIT.folder, 10, NOW, "checkpoints/last.ckpt")
    assert progress.checkpoint(FIT) == newer / "checkpoints/last.ckpt"
    assert not progress.done(FIT), "a newer version was begun"


def test_a_training_of_other_settings_is_neither_used_nor_gone_on_with(progress):
    begun(FIT.folder, 0, NOW | {"recipe.optimisation.learning_rate": 0.5}, "checkpoints/last.ckpt", "trained.json")
    assert not progress.done(FIT) and "--ckpt_path" not in progress.command(FIT)
    assert "recipe.optimisation.learning_rate 0.5, now 0.01" in str(progress.stale(FIT))
    assert progress.command(TEST)[-4:-2] == ["--ckpt_path", str(FIT.folder / "version_1/checkpoints/last.ckpt")]
    begun(FIT.folder, 1, NOW, "checkpoints/last.ckpt", "trained.json")
    assert progress.done(FIT) and progress.stale(FIT) is None


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (NOW | {"sam2.checkpoint": "content 2"}, "sam2.checkpoint content 2, now content 1"),
        (NOW | {"data.init_args.root": "3 files"}, "data.root 3 files, now not set"),
        (None, "has no identity.json"),
    ],
)
def test_other_weights_or_data_and_runs_that_do_not_say_are_not_used(progress, then, said):
    begun(FIT.folder, 0, then, "checkpoints/last.ckpt", "trained.json")
    assert not progress.done(FIT) and said in str(progress.stale(FIT))


def test_weights_that_are_not_on_this_machine_are_not_compared():
    begun(FIT.folder, 0, NOW, "checkpoints/last.ckpt", "trained.json")
    assert Progress({FIT: NOW | {"sam2.checkpoint": None}}).done(FIT)


def test_results_count_only_for_the_weights_that_training_ended_with(progress):
    version = begun(FIT.folder, 0, NOW, "checkpoints/last.ckpt")
    last = version / "checkpoints/last.ckpt"
    results = begun(TEST.folder, 0, {**NOW, CHECKPOINT: digest_of(last)}, "results.json") / "results.json"
    assert progress.results(TEST) is None, "training has not ended"
    (version / "trained.json").touch()
    assert progress.results(TEST) == results
    last.write_text("trained on")
    assert progress.results(TEST) is None, "of other weights"
    assert "ckpt_path content" in str(progress.stale(TEST))
