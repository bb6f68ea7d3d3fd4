"""The datamodule of real objects that others hide, and the training of a tracker of hidden objects on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.hidden import Hidden
from robustvos.datasets.corruption import Corruption
from robustvos.datasets.pasted import PASSES, HiddenEvaluation, HiddenTraining
from robustvos.errors import DataNotFound, UserError

TINY = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "moga_amodal_small.yaml"
SHORT = HiddenEvaluation(limit=3, frames=10, size=48)


@pytest.fixture
def root(tmp_path) -> Path:
    """Four stills with an object each."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        image, ids = rng.integers(0, 99, (40, 60, 3), dtype=np.uint8), np.zeros((40, 60), np.uint8)
        ids[10:30, 15:45] = 1
        image[ids > 0] = rng.integers(150, 255, 3)
        for kind, picture in (("JPEGImages", image), ("Annotations", ids)):
            path = tmp_path / "footage/s" / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    return tmp_path / "footage"


def test_batches_hold_whole_masks_and_are_resumed(root):
    data = Hidden(root, train=HiddenTraining(frames=8, frames_per_batch=16, batches=3, size=48))
    batches = list(data.train_dataloader())
    assert [batch.frames.shape for batch in batches] == [(2, 8, 3, 48, 48)] * 3
    assert batches[0].amodal.shape == batches[0].masks.shape == (8, 2, 48, 48)
    again = data.train_dataloader()
    again.load_state_dict({"batches": 2})
    assert torch.equal(next(iter(again)).frames, batches[2].frames)


def test_validation_and_test_are_of_held_back_footage(root):
    data = Hidden(root, held_back_stills=2, val=SHORT, test=SHORT)
    train, held = data.footage()
    assert [s.name for s in train.stills] == ["s/b", "s/d"] and [s.name for s in held.stills] == ["s/a", "s/c"]
    videos = list(data.test_dataloader())
    assert [video.name for video in videos] == ["hidden_0000", "hidden_0001", "hidden_0002"]
    for video in videos:
        assert video.tags["category"] in PASSES
        assert torch.equal(video.prompts[0].mask, video.amodal[0][0])
        assert any(not torch.equal(seen, whole) for seen, whole in zip(video.masks, video.amodal, strict=True))
    assert not torch.equal(videos[0].frames[0], next(iter(data.val_dataloader())).frames[0])


def test_objects_may_be_degraded_each_by_itself(root):
    shadow = HiddenEvaluation(limit=1, frames=10, size=48, conditions=("clean", "low_light"))
    clean, dark = list(Hidden(root, held_back=(), held_back_stills=2, test=shadow).test_dataloader())
    changed = (clean.frames[0].int() - dark.frames[0].int()).abs().amax(0) > 8
    assert changed.any() and not changed.all()
    local = HiddenTraining(frames=6, frames_per_batch=6, batches=1, size=48, corruption=Corruption(names=("local",)))
    assert next(iter(Hidden(root, held_back=(), train=local).train_dataloader())).frames.shape[1] == 6


def test_missing_footage_and_size_are_said(root, monkeypatch):
    monkeypatch.delenv("ROBUSTVOS_DATA", raising=False)
    with pytest.raises(DataNotFound, match=r"--data.root FOLDER, or put it at \$ROBUSTVOS_DATA/pasted"):
        Hidden().footage()
    assert "it does not exist" in str(Hidden.describe_missing({"root": root / "x"}))
    assert Hidden.describe_missing({"root": root}) is None
    with pytest.raises(UserError, match="--data.train.size"):
        Hidden(root).train_dataloader()
    with pytest.raises(UserError, match="frames is 0"):
        HiddenEvaluation(frames=0)


def test_tracker_of_hidden_objects_is_trained_and_tested_on_small(door, root, tmp_path):
    clips = ["--data.root", root, "--data.held_back=[]", "--data.held_back_stills=2"]
    short = ["--data.train.frames=4", "--data.train.frames_per_batch=4", "--data.train.batches=2", "--data.workers=0"]
    brief = ["--trainer.max_epochs=1", "--sam2.image_size=64", "--trainer.limit_val_batches=0"]
    answer = door("fit", "--config", CONFIG, *clips, *short, *brief, *TINY)
    assert answer.code == 0, answer.err
    assert "MoGA on small" in answer.out + answer.err
    weights = next(tmp_path.rglob("last.ckpt"))
    evaluation = ["--data.test.limit=2", "--data.test.frames=10", "--data.test.size=64", "--sam2.image_size=64"]
    chosen = ["--model", "moga_amodal", "--sam2", "small", "--ckpt_path", weights, "--data", "hidden"]
    answer = door("test", *chosen, *clips, *evaluation, *TINY)
    assert answer.code == 0, answer.err
    results = json.loads(next(tmp_path.rglob("results.json")).read_text())
    assert results["base"] == "small" and "mIoU_occ" in results["metrics"]
