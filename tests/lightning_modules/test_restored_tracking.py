"""Frames pass a restorer before the tracker: in evaluation, never in training, and it leaves nothing in checkpoints."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest
import torch
from PIL import Image
from torch import Tensor

from callbacks.base import VideoCallback
from datamodules import Shapes
from lightning_modules import PromptableVOS
from robustvos.adapters import LoRA
from robustvos.datasets.shapes import ShapesEvaluation
from robustvos.errors import CheckpointNotFound, UserError
from robustvos.evaluation.results import load_result
from robustvos.restoration import URIE, Restorer
from robustvos.sam2.config import Sam2Config

TINY = Sam2Config("nano", checkpoint="random", image_size=64)
PARAMETERS = 672_439 - 2 * (32 + 64 + 128 + 64) - 4  # stored, but for running statistics and their counters


class Invert(Restorer):
    """The negative; with a parameter, so that there is something to freeze."""

    def __init__(self) -> None:
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def enhance(self, images: Tensor) -> Tensor:
        return self.one - images


class Seen(VideoCallback):
    """Keeps pairs of what the data gave and what was tracked."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Tensor, Tensor]] = []

    def on_tracked_frame(self, trainer: Any, module: Any, video: Any, frame: Tensor, tracked: Any) -> None:
        self.pairs.append((video.frames[tracked.index].clone(), frame.clone()))


def trainer(*callbacks: Any, **settings: Any) -> L.Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return L.Trainer(accelerator="cpu", callbacks=list(callbacks), **quiet, **settings)


def shapes() -> Shapes:
    few = ShapesEvaluation(limit=1, frames=3)
    return Shapes(size=64, val=few, test=few)


@pytest.mark.parametrize("loop", ["validate", "test"])
def test_tracker_sees_restored_frames(loop):
    seen = Seen()
    run = trainer(seen, **{f"limit_{'val' if loop == 'validate' else 'test'}_batches": 1})
    getattr(run, loop)(PromptableVOS(TINY, restorer=Invert()), datamodule=shapes(), verbose=False)
    assert len(seen.pairs) == 3
    assert all(torch.equal(tracked, 255 - given) for given, tracked in seen.pairs)


def test_training_refuses_a_restorer():
    with pytest.raises(UserError, match="train without a restorer"):
        trainer(max_steps=1).fit(PromptableVOS(TINY, LoRA(rank=2), restorer=Invert()), datamodule=shapes())


@pytest.mark.parametrize("adapter", [False, True])
def test_restorer_is_neither_trained_nor_saved(adapter):
    plain, restored = (PromptableVOS(TINY, LoRA(rank=2) if adapter else None, restorer=r) for r in (None, Invert()))
    assert not any(p.requires_grad for p in restored.restorer.parameters())
    state = restored.state_dict()
    assert state.keys() == plain.state_dict().keys()
    plain.load_state_dict(state)  # one reads what the other left
    restored.load_state_dict(plain.state_dict())


def test_missing_weights_are_said_when_the_system_is_built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFound, match="URIE"):
        PromptableVOS(TINY, restorer=URIE())


# Through the door


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Random weights under the published names where ``$ROBUSTVOS_WEIGHTS`` points; the last layer is zero if asked."""

    def save(still: bool) -> None:
        torch.manual_seed(0)
        state = {f"module.{name}": value for name, value in URIE().network.state_dict().items()}
        for name in ("module.up3.weight", "module.up3.bias"):
            state[name] = 0 * state[name] if still else 5 + state[name]
        torch.save(state, tmp_path / "ECCV_SKUNET_OURS.ckpt.pt")

    monkeypatch.setenv("ROBUSTVOS_WEIGHTS", str(tmp_path))
    return save


SMALL = [
    "--data",
    "shapes",
    "--data.size=64",
    "--data.test.limit=1",
    "--data.test.frames=3",
    "--trainer.accelerator=cpu",
]
SMALL += ["--data.test.conditions=[fog]", "--trainer.enable_progress_bar=false", "--strips.per_condition=0"]


def test_frozen_model_is_tested_on_restored_frames(door, weights, tiny_base, tmp_path):
    weights(still=True)
    for system in ("sam2", "restored_urie"):
        answer = door("test", "--model", system, "--sam2", tiny_base, "--run", system, *SMALL)
        assert answer.code == 0, answer.err
    assert "frames restored by URIE" in answer.out + answer.err
    plain, restored = (
        load_result(next((tmp_path / "runs" / s).rglob("results.json"))) for s in ("sam2", "restored_urie")
    )
    assert restored.system == "restored_urie"
    assert restored.objects == plain.objects  # its residual is zero
    assert restored.parameters == {"total": plain.parameters["total"] + PARAMETERS, "trainable": 0}


def test_fit_refuses_it_and_track_wants_its_weights(door, weights, tiny_config, tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "0.png")
    error = door("track", tmp_path, "--box", "1,1,9,9", "--model", "restored_urie", "--out", "o").error
    assert "taeyoungson/urie" in error and not (tmp_path / "o").exists()
    weights(still=False)
    assert "train without a restorer" in door("fit", "--config", tiny_config, "--model", "restored_urie").error


def test_weights_are_named_on_the_command_line(door, tiny_base):
    said = ["--model", "restored_airnet", "--model.restorer.init_args.checkpoint", "nowhere.pth", "--sam2", tiny_base]
    error = door("test", *said, *SMALL).error
    assert "nowhere.pth" in error
    assert "2022-CVPR-AirNet" in error


@pytest.mark.parametrize(("name", "count"), [("urie", PARAMETERS), ("airnet", 1_319_936 + 6_290_441)])
def test_inspect_shows_it_as_a_part_without_its_weights(door, name, count):
    def rows(*argv: str) -> dict[str, list[str]]:
        answer = door("inspect", *argv)
        assert answer.code == 0, answer.err
        return {line.split()[0].lower(): line.split()[1:] for line in answer.out.splitlines() if line}

    plain, restored = rows("--model", "sam2"), rows("--model", f"restored_{name}")
    assert restored[name] == [f"{count:,}", "0"]
    difference = int(restored["total"][0].replace(",", "")) - int(plain["total"][0].replace(",", ""))
    assert difference == count
    assert restored["total"][1] == "0"
