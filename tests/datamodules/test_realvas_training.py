"""`fit --data realvas`: clips of a root are trained on and validated apart by footage; whole objects are the target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from datamodules.realvas import RealVAS
from robustvos.datasets.amodal.training import AmodalTraining
from robustvos.state_dicts import read_checkpoint
from robustvos.video.native_writer import write_native_clip

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "moga_amodal.yaml"
TINY = [
    *("--data.train.frames=3", "--data.train.frames_per_batch=3", "--data.train.batches=1", "--data.train.size=64"),
    *("--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--trainer.check_val_every_n_epoch=1"),
    *(
        "--strips.per_condition=0",
        "--gates.per_condition=0",
        "--overlays.videos=0",
        "--trainer.enable_progress_bar=false",
    ),
]


@pytest.fixture
def root(tmp_path):
    """Three clips of two source videos."""
    whole = torch.zeros(6, 48, 64, dtype=torch.bool)
    whole[:, 16:32, 20:40] = True
    seen = whole.clone()
    seen[3:] = False
    frames = torch.randint(0, 256, (6, 3, 48, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    for name, source in (("a", "one.mp4"), ("b", "two.mp4"), ("c", "one.mp4")):
        write_native_clip(tmp_path / "clips" / name, frames, seen, whole, source=source)
    return tmp_path / "clips"


def test_a_training_validates_on_footage_that_it_does_not_see(door, root, tiny_base):
    answer = door("fit", "--config", CONFIG, "--sam2", tiny_base, "--data.root", root, *TINY, "--data.train.drawn=0.5")
    assert answer.code == 0, answer.err
    assert "clips of 1 source videos to train on" in answer.out and "of 1 others to validate" in answer.out
    (last,) = root.parent.rglob("last.ckpt")
    trained = read_checkpoint(last)["state_dict"]
    assert {"adapter.motion_cue.embed.weight", "sam2.no_obj_ptr"} <= set(trained)
    assert not any("image_encoder" in name for name in trained)


def make_sparse(clip: Path) -> None:
    """Masks on the first and fourth frame alone, as converted sets have them."""
    for folder in ("gt_masks", "visible_masks"):
        for file in (clip / folder).iterdir():
            if int(file.stem) % 3:
                file.unlink()
    (clip / "annos.json").write_text(json.dumps({"annotated": "some frames", "source": f"{clip.name}.mp4"}))


def test_clips_with_masks_on_some_frames_are_left_out_of_a_training(door, root, tiny_base):
    make_sparse(root / "c")
    words = ("fit", "--config", CONFIG, "--sam2", tiny_base, "--data.root", root, *TINY)
    answer = door(*words, "--data.train.drawn=0")
    assert answer.code == 0, answer.err
    assert "left out 1 clips that have masks on some frames alone" in answer.out
    assert "1 clips of 1 source videos to train on, 1 of 1 others" in answer.out
    for name in "ab":
        make_sparse(root / name)
    assert "every clip has masks on some frames alone" in door(*words).error


def test_without_a_training_every_clip_is_validated_on(root):
    data = RealVAS(root=root, train=AmodalTraining(held_out=0.5))
    assert len(data.val_dataloader()) == len(data.test_dataloader()) == 3


def test_processes_share_no_clip_and_a_resumed_epoch_has_the_same(root):
    class Trainer:
        current_epoch, world_size = 2, 2
        reload_dataloaders_every_n_epochs = 1
        state = type("State", (), {"fn": "fit"})

        def __init__(self, rank):
            self.global_rank = rank

    def names(rank):
        data = RealVAS(train=AmodalTraining(frames=2, frames_per_batch=4, batches=2, size=32))
        data.trainer = Trainer(rank)
        return [name for batch in data.train_dataloader() for name in batch.names]

    assert len(names(0)) == 4 and not set(names(0)) & set(names(1)) and names(0) == names(0)


def test_data_that_do_not_know_whole_objects_are_refused(door, tiny_base, tmp_path, monkeypatch):
    from robustvos.datasets import shapes

    modal = shapes.ShapesClips.__getitem__
    monkeypatch.setattr(shapes.ShapesClips, "__getitem__", lambda self, i: _without_amodal(modal(self, i)))
    small = ["--data.train.frames_per_batch=2", "--data.train.batches=1", "--data.train.frames=2", "--data.size=64"]
    answer = door("fit", "--config", CONFIG, "--sam2", tiny_base, "--data", "shapes", *small, *TINY[4:])
    assert "whole objects (target: amodal)" in answer.error


def _without_amodal(clip):
    from dataclasses import replace

    return replace(clip, amodal=None)
