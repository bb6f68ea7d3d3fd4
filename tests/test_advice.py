"""What an error, or the end of a run, advises is what helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustvos.state_dicts import read_checkpoint

QUICK = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A video of three frames with a mask of each."""
    for t in range(3):
        for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
            ids = np.zeros((48, 64), np.uint8)
            ids[8:24, 8 + t : 24 + t] = 1
            path = tmp_path / "data" / kind / "v" / f"{t:05d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(ids).save(path)
    return tmp_path / "data"


def rename_masks(folder: Path, form: str) -> None:
    for path in sorted(folder.iterdir()):
        path.rename(folder / form.format(int(path.stem)))


@pytest.mark.parametrize("form", ["{:04d}.png", "{}.png", "mask_{:05d}.png"])
@pytest.mark.parametrize("videos", [1, 2])
def test_names_that_differ_are_not_frames_that_are_missing(door, data, tiny_base, form, videos):
    rename_masks(data / "Annotations/v", form)
    if videos == 2:
        for kind in ("JPEGImages", "Annotations"):
            (data / kind / "w").symlink_to(data / kind / "v")
    error = door("test", "--model", "sam2", "--sam2", tiny_base, "--data", "davis", "--data.root", data, *QUICK).error
    assert form.format(0).removesuffix(".png") in error and "00000" in error
    assert "give both the same one" in error and "copy" not in error.partition("data/")[2]


def test_a_frame_that_is_missing_is_still_said_to_be(door, data, tiny_base):
    (data / "JPEGImages/v/00001.jpg").unlink()
    error = door("test", "--model", "sam2", "--sam2", tiny_base, "--data", "davis", "--data.root", data, *QUICK).error
    assert "00001; the copy is incomplete: copy the frames again" in error


@pytest.mark.parametrize("prompt", [("--box", "-5,10,40,46"), ("--box=-5,10,40,46",), ("--box", "-.5,-3,9,9")])
def test_a_box_that_begins_left_of_the_picture_is_outside_of_it(door, data, tiny_base, prompt):
    said = ["track", data / "JPEGImages/v", "--model", "sam2", "--sam2", tiny_base, "--out", "out"]
    error = door(*said, *prompt).error
    assert "box -" in error and "leaves the frame of 64x48" in error and "outside" in error


def test_a_point_left_of_the_picture_is_outside_of_it(door, data, tiny_base):
    said = ["track", data / "JPEGImages/v", "--model", "sam2", "--sam2", tiny_base, "--out", "out"]
    assert "point -5,10 is outside the frame" in door(*said, "--point", "-5,10").error
    assert "--box needs a value" in door(*said, "--box", "--point", "3,3").error  # a flag is no value


@pytest.mark.parametrize("given", ["negative severity", "negative seed"])
def test_other_negative_numbers_are_values_too(door, data, given):
    flag = ("--severity", "-1") if given == "negative severity" else ("--seed", "-1")
    answer = door("corrupt", data, "out", "--corruption", "fog", "--dry_run", *flag)
    assert "needs a value" not in answer.err
    assert answer.code == (2 if flag[0] == "--severity" else 0), answer.err


@pytest.mark.parametrize("command", ["test", "track"])
def test_another_rank_than_the_shipped_adapters_says_so(door, data, tmp_path, command):
    if command == "test":
        said = ["test", "--model", "moga", "--model.adapter.rank", 8, "--data", "davis", "--data.root", data, *QUICK]
    else:
        adapter = "{class_path: MoGA, init_args: {rank: 8}}"
        (tmp_path / "mine.yaml").write_text(f"class_path: PromptableVOS\ninit_args: {{adapter: {adapter}}}")
        said = ["track", data / "JPEGImages/v", "--box", "8,8,24,24", "--model", "mine.yaml", "--out", "out"]
    error = door(*said).error
    assert "the MoGA that is shipped for nano has rank 32, this one 8: set --model.adapter.rank 32" in error
    assert "--ckpt_path" in error and "--model sam2" in error


def test_another_setting_than_the_shipped_adapters_says_so(door, data, tmp_path):
    adapter = "{class_path: MoGA, init_args: {rank: 32, standardise: true}}"
    (tmp_path / "mine.yaml").write_text(f"class_path: PromptableVOS\ninit_args: {{adapter: {adapter}}}")
    said = ["track", data / "JPEGImages/v", "--box", "8,8,24,24", "--model", "mine.yaml", "--out", "out"]
    assert "has standardise False, this one True" in door(*said).error


def test_a_run_resumed_at_its_end_has_not_trained(door, tiny_config, trained):
    last = trained / "checkpoints" / "last.ckpt"
    steps = read_checkpoint(last)["global_step"]
    answer = door("fit", "--config", tiny_config, "--ckpt_path", last)
    assert answer.code == 0, answer.err
    assert (
        "\ntrained: " not in answer.out and f"no step was done, it was trained to its end before: {last}" in answer.out
    )
    assert "--trainer.max_epochs" in answer.out and f"--ckpt_path {last}" in answer.out
    assert read_checkpoint(last)["global_step"] == steps
    further = door("fit", "--config", tiny_config, "--ckpt_path", last, "--trainer.max_epochs", 3)
    assert further.code == 0 and "\ntrained: " in further.out and "no step was done" not in further.out


def test_who_points_at_nothing_hears_how_to_point_with_the_mouse(door, data):
    error = door("track", data / "JPEGImages/v", "--out", "out").error
    assert "nothing to follow" in error and error.endswith("to mark it with the mouse")
    assert "annotate VIDEO" in error
