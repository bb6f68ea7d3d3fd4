"""The datamodule of clips made of stills and videos, and the training of a base on them."""

from __future__ import annotations

import multiprocessing
import re
import signal
import subprocess
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from datamodules.hidden import Hidden
from datamodules.pasted import Pasted
from robustvos.datasets.corruption import Corruption
from robustvos.datasets.pasted import HeldBackEvaluation, Movement, Recipe, TrainingSchedule
from robustvos.errors import DataNotFound, UserError
from robustvos.termination import SIGNALS

TRAIN = TrainingSchedule(frames=2, clips_per_batch=2, batches=3, size=32)
TINY = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.limit_train_batches=2"]
CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def root(tmp_path) -> Path:
    """Two stills, and two videos called one and two, with an object each."""
    rng = np.random.default_rng(0)
    for name in ("s/{}/a", "s/{}/b", *(f"v/{{}}/{video}/{t}" for video in ("one", "two") for t in range(4))):
        image, ids = rng.integers(0, 99, (40, 60, 3), dtype=np.uint8), np.zeros((40, 60), np.uint8)
        ids[10:30, 15:45] = 1
        image[ids > 0] = 255
        for kind, picture in (("JPEGImages", image), ("Annotations", ids)):
            path = tmp_path / "footage" / f"{name.format(kind)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    return tmp_path / "footage"


def test_batches_are_the_same_after_a_resumption(root):
    batches = list(Pasted(root, train=TRAIN).train_dataloader())
    assert [batch.frames.shape for batch in batches] == [(2, 2, 3, 32, 32)] * 3
    loader = Pasted(root, train=TRAIN).train_dataloader()
    list(islice(loader, 1))
    again = Pasted(root, train=TRAIN).train_dataloader()
    again.load_state_dict({"batches": 1})
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(batches[1:], again, strict=True))


def test_workers_make_the_same_clips(root):
    alone, shared = Pasted(root, train=TRAIN), Pasted(root, train=TRAIN, workers=1)
    for a, b in zip(alone.train_dataloader(), shared.train_dataloader(), strict=True):
        assert torch.equal(a.frames, b.frames)
        assert a.names == b.names


@pytest.mark.parametrize("sent", [signal.SIGINT, *SIGNALS])
def test_workers_serve_a_step_that_a_signal_lets_end(root, sent):
    """Clusters and terminals signal a whole group of processes: that of a training saves before its workers end."""
    expected = list(Pasted(root, train=TRAIN).train_dataloader())
    others = multiprocessing.active_children()
    batches = iter(Pasted(root, train=TRAIN, workers=1).train_dataloader())
    found = [next(batches)]
    (worker,) = (child for child in multiprocessing.active_children() if child not in others)
    subprocess.run(["kill", f"-{int(sent)}", str(worker.pid)], check=True)  # not from its parent, which may end it
    found += batches
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(found, expected, strict=True))


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="the sender of a signal is not known here")
def test_a_worker_ends_at_once_when_its_parent_says_so(root):
    others = multiprocessing.active_children()
    batches = iter(Pasted(root, train=TRAIN, workers=1).train_dataloader())
    next(batches)
    (worker,) = (child for child in multiprocessing.active_children() if child not in others)
    worker.terminate()
    worker.join(20)
    assert worker.exitcode == 0


def test_held_back_videos_are_for_evaluation_alone(root):
    data = Pasted(root, held_back=("two",), held_back_stills=2, test=HeldBackEvaluation(limit=3, frames=4, size=48))
    train, held = data.footage()
    assert [v.name for v in (*train.videos, *train.stills)] == ["v/one", "s/b"]
    assert [v.name for v in (*held.videos, *held.stills)] == ["v/two", "s/a"]
    videos = list(data.test_dataloader())
    assert [video.name for video in videos] == ["pasted_0000", "pasted_0001", "pasted_0002"]
    assert videos[0].tags["kind"] == "cutouts" and {v.tags["footage"] for v in videos} <= {"v/two", "s/a"}
    assert all(torch.equal(p.mask, videos[0].masks[0][i]) for i, p in enumerate(videos[0].prompts))
    assert torch.equal(videos[2].frames[3], list(data.test_dataloader())[2].frames[3])
    assert not torch.equal(videos[0].frames[0], next(iter(data.val_dataloader())).frames[0][:, :48, :48])


def test_training_clips_are_corrupted_and_keep_their_masks(root):
    clean = next(iter(Pasted(root, train=TRAIN).train_dataloader()))
    for name in ("fog", "mixed"):
        train = replace(TRAIN, corruption=Corruption(names=(name,), preset="release"))
        corrupted = next(iter(Pasted(root, train=train).train_dataloader()))
        assert corrupted.names == clean.names and torch.equal(corrupted.masks, clean.masks)
        assert not torch.equal(corrupted.frames, clean.frames)


def test_held_back_clips_have_conditions_in_turn(root):
    conditions = ("clean", "fog", "depth_fog", "mixed")
    test = HeldBackEvaluation(limit=8, frames=3, size=48, conditions=conditions, in_turn=True)
    videos = list(Pasted(root, held_back=("two",), held_back_stills=2, test=test).test_dataloader())
    clean = list(
        Pasted(
            root, held_back=("two",), held_back_stills=2, test=replace(test, conditions=("clean",))
        ).test_dataloader()
    )
    assert [video.corruption for video in videos] == [*conditions] * 2
    for video, same in zip(videos, clean, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(video.masks, same.masks, strict=True))
        assert torch.equal(video.frames[1], same.frames[1]) == (video.corruption == "clean")


def test_missing_footage_and_size_are_said(root, monkeypatch):
    monkeypatch.delenv("ROBUSTVOS_DATA", raising=False)
    with pytest.raises(DataNotFound, match=r"--data.root FOLDER, or put it at \$ROBUSTVOS_DATA/pasted"):
        Pasted().footage()
    monkeypatch.setenv("ROBUSTVOS_DATA", str(root.parent))
    root.rename(root.parent / "pasted")
    assert Pasted().footage()[0].videos
    root = root.parent / "pasted"
    assert "it does not exist" in str(Pasted.describe_missing({"root": root / "x"}))
    assert Pasted.describe_missing({"root": root, "sets": None}) is None
    with pytest.raises(UserError, match="--data.train.size"):
        Pasted(root).train_dataloader()


def fit(door, root, *more, stage="small"):
    config = CONFIGS / f"pretrain/{stage}.yaml"
    small = ["--sam2.image_size=64", "--sam2.trunk_weights=null", "--trainer.max_epochs=1", "--data.held_back=[]"]
    schedule = ["--data.train.frames=2", "--data.train.clips_per_batch=1", "--data.workers=0"]
    return door("fit", "--config", config, f"--data.root={root}", *small, *schedule, *TINY, *more)


@pytest.mark.parametrize("stage", sorted(path.stem for path in (CONFIGS / "pretrain").glob("*.yaml")))
def test_stage_trains(door, root, tmp_path, stage):
    answer = fit(door, root, "--sam2.checkpoint=random", stage=stage)
    assert answer.code == 0, answer.err
    config = yaml.safe_load((CONFIGS / f"pretrain/{stage}.yaml").read_text())
    frozen = config["recipe"]["optimisation"]["trunk_factor"] == 0
    trained, total = re.search(r"train ([\d,]+) of ([\d,]+)", answer.out + answer.err).groups()
    assert (trained != total) == frozen


def test_training_a_base_leaves_a_frozen_trunk_as_it_was(door, root, tmp_path):
    answer = fit(door, root)
    assert answer.code == 0, answer.err
    last = next(tmp_path.rglob("last.ckpt"))
    answer = door("export", last, "--base", "--out", tmp_path / "small.safetensors")
    assert answer.code == 0, answer.err
    state = torch.load(last, map_location="cpu", weights_only=True)
    trained = {id(p) for group in state["optimizer_states"][0]["param_groups"] for p in group["params"]}
    assert trained
    again = fit(door, root, "--sam2.checkpoint", tmp_path / "small.safetensors", "--model.train_base=true")
    assert again.code == 0, again.err
    newest = max(tmp_path.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
    after = torch.load(newest, map_location="cpu", weights_only=True)["state_dict"]
    before = state["state_dict"]
    trunk = [name for name in before if ".trunk." in name and "num_batches" not in name]
    assert trunk
    assert all(torch.allclose(before[name], after[name], rtol=1e-3, atol=1e-6) for name in trunk)  # fp16 in between
    assert not torch.allclose(
        before["sam2.memory_encoder.out_proj.weight"], after["sam2.memory_encoder.out_proj.weight"]
    )


def test_bad_footage_is_one_line(door, root):
    assert "it does not exist" in fit(door, root / "nowhere").error
    cv2.imwrite(str(root / "s/Annotations/b.png"), np.zeros((8, 8), np.uint8))
    assert "b.png is 8x8, but its image is 60x40" in fit(door, root, "--data.recipe.weights={stills: 1}").error
    (root / "s/Annotations/b.png").unlink()
    assert "1 of 2 stills have no mask" in fit(door, root).error
    assert "give a file, or 'timm'" in fit(door, root, "--data.sets=[v]", "--sam2.trunk_weights=no.pt").error


def test_what_clips_are_made_of_decides_whether_results_may_be_compared(root):
    def facts(held_back=("two",), recipe=Recipe(), **settings):
        test = HeldBackEvaluation(limit=1, frames=2, size=32, **settings)
        return Pasted(root, held_back=held_back, recipe=recipe, test=test).evaluation_facts("test")

    assert facts() == facts(recipe=Recipe(weights={"stills": 1.0}, max_objects=1))  # those of training clips
    assert len({str(f) for f in (facts(), facts(weights={"stills": 1.0}), facts(recipe=Recipe(exits=1.0)))}) == 3
    assert facts() != facts(held_back=("one",))
    hidden = [Hidden(root, recipe=Movement(strides=strides)).evaluation_facts("test") for strides in ((1, 4), (2, 2))]
    assert hidden[0] != hidden[1]


def test_nothing_held_back_is_said_with_what_to_do(root):
    for data in (Pasted(root, held_back_stills=0), Hidden(root, held_back_stills=0)):
        with pytest.raises(DataNotFound, match=r"no footage is held back.*--data.held_back \["):
            data.test_dataloader()
    shapes = HeldBackEvaluation(limit=1, frames=2, size=48, weights={"shapes": 1.0, "videos": 0.0})
    assert len(list(Pasted(root, held_back_stills=0, test=shapes).test_dataloader())) == 1
    assert "no video three to hold back" in str(Pasted.describe_missing({"root": root, "held_back": ["three"]}))


def test_fewest_objects_are_no_more_than_the_most():
    with pytest.raises(UserError, match="fewest is 4; give 1 to objects, which is 3"):
        HeldBackEvaluation(fewest=4)


def test_local_conditions_may_be_had_of_the_first_frames_alone(root):
    first = HeldBackEvaluation(limit=1, frames=4, size=48, conditions=("clean", "depth_fog"), max_frames=2)
    clean, fog = Pasted(root, held_back=("two",), test=first).test_dataloader()
    assert len(clean.frames) == len(fog.frames) == 2
    assert not torch.equal(clean.frames[1], fog.frames[1])
