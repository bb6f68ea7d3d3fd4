"""The datasets through the one door, with random weights on tiny videos."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

import cli
from robustvos.commands.requirements import check_requirements
from robustvos.errors import CheckpointNotFound, DataNotFound
from robustvos.registry import CONFIGS
from robustvos.sam2.config import Sam2Config

RANDOM = ["--sam2", "nano", "--sam2.checkpoint", "random"]
PAPER = CONFIGS / "moga_paper.yaml"
QUICK = [
    *["--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.max_epochs", "1"],
    *["--trainer.limit_val_batches", "0", "--trainer.enable_progress_bar", "false"],
    *["--trainer.enable_model_summary", "false", "--data.train.frames", "2", "--data.train.frames_per_batch", "2"],
    *["--data.train.batches", "1"],
]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path) -> Path:
    """Run in an empty folder, without data or weights of the machine's own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("ROBUSTVOS_DATA", "ROBUSTVOS_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "work"


def run(*arguments: str) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_fit_trains_on_a_folder_in_davis_layout(tree, elsewhere):
    data = ["--data", "davis", "--data.root", str(tree.root)]
    assert run("fit", "--model", "moga", *RANDOM, "--recipe", "nano", *data, *QUICK, "--run", "own") == 0
    assert (elsewhere / "runs/own/version_0/checkpoints/last.ckpt").is_file()


def test_setting_of_the_paper_trains_on_three_sets(make_tree, moving_boxes, elsewhere):
    roots = {}
    for name in ("youtube_vos", "mose", "davis"):
        made = make_tree(name)
        made.video("a", moving_boxes(3))
        roots[name] = str(made.root)
    small = ["--sam2.image_size", "128", "--data.train.size", "128", "--data.workers", "0"]
    one = ["--trainer.strategy", "auto", "--trainer.precision", "32", "--data.train.frames", "3"]
    assert run("fit", "--config", PAPER, *RANDOM, f"--data.roots={json.dumps(roots)}", *small, *QUICK, *one) == 0
    assert (elsewhere / "runs/moga_paper/version_0/checkpoints/last.ckpt").is_file()


def test_test_scores_every_condition_under_the_name_of_the_dataset(tree, elsewhere):
    data = ["--data", "davis", "--data.root", str(tree.root), "--data.test.conditions", "[clean, fog]"]
    few = ["--data.test.limit", "1", "--data.test.max_frames", "4", *QUICK[:2], "--run", "own"]
    assert run("test", "--model", "sam2", *RANDOM, *data, *few) == 0
    results = json.loads((elsewhere / "runs/own/version_0/results.json").read_text())
    assert results["dataset"] == "davis"
    rows = {(row["video"], row["object"], row["tags"]["corruption"], row["frames"]) for row in results["objects"]}
    # Frames 0 and 3 are the ends; object 2 is seen from frame 2 on.
    assert rows == {("bear", i, name, 3 - i) for i in (1, 2) for name in ("clean", "fog")}


def test_release_clicks_three_points_on_three_objects_and_says_so(make_tree, elsewhere):
    made = make_tree("crowd")
    ids = np.zeros((48, 64), np.uint8)
    for i in range(4):
        ids[8:40, 16 * i + 2 : 16 * i + 14] = i + 1
    made.video("a", [ids] * 3)
    data = ["--data", "mose", "--data.root", str(made.root), "--data.test.conditions", "[clean, snow]"]
    run_release = ["--model.protocol", "release", *QUICK[:2], "--run", "own"]
    assert run("test", "--model", "sam2", *RANDOM, *data, *run_release) == 0
    results = json.loads((elsewhere / "runs/own/version_0/results.json").read_text())
    assert (results["protocol"], results["prompt"]) == ("release", "points:3")
    rows = {(row["object"], row["tags"]["corruption"], row["frames"]) for row in results["objects"]}
    assert rows == {(i, name, 3) for i in (1, 2, 3) for name in ("clean", "snow")}


def test_predict_needs_no_more_than_the_first_mask(make_tree, moving_boxes):
    semi = make_tree("semi")
    semi.video("a", [moving_boxes()[3], None, None])
    assert run("predict", "--model", "sam2", *RANDOM, "--data", "mose", "--data.root", semi.root, *QUICK[:2]) == 0


def test_missing_data_end_in_one_line(capsys):
    assert run("fit", "--model", "moga", *RANDOM, "--data", "davis", *QUICK[:4]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "DAVIS 2017" in errors[0] and "794 MB" in errors[0] and "--data.root" in errors[0]


def test_the_papers_setting_says_all_it_lacks_at_once(capsys):
    assert run("fit", "--config", str(PAPER)) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert all(part in error for part in ("sam2_hiera_base_plus.pt", "324 MB", "8.3 GB", "20 GB", "794 MB"))


def test_one_message_lists_weights_and_every_data_set_that_the_papers_setting_lacks(tree):
    config = yaml.safe_load(PAPER.read_text())
    data = {**config["data"], "class_path": "datamodules.CorruptedVOS"}
    with pytest.raises(DataNotFound) as both:
        check_requirements(Sam2Config(**config["sam2"]), data)
    text = str(both.value)
    assert "\n" not in text
    for part in ("sam2_hiera_base_plus.pt", "324 MB", "https://dl.fbaipublicfiles.com", "YouTube-VOS", "MOSE", "DAVIS"):
        assert part in text
    present = {"class_path": data["class_path"], "init_args": {"root": str(tree.root)}}
    with pytest.raises(CheckpointNotFound, match="324 MB"):
        check_requirements(Sam2Config(**config["sam2"]), present)
    with pytest.raises(DataNotFound, match="^no data"):
        check_requirements(Sam2Config(checkpoint="random"), data)
    check_requirements(Sam2Config(checkpoint="random"), present)
    check_requirements(Sam2Config(checkpoint="random"), {"class_path": "datamodules.Shapes", "init_args": {}})


@pytest.mark.skipif(
    "ROBUSTVOS_REALDATA" not in os.environ, reason="set ROBUSTVOS_REALDATA to a folder that holds davis/"
)
def test_real_videos_give_clips_and_videos():
    from datamodules.corrupted_vos import CorruptedVOS
    from robustvos.datasets.corruption import Corruption
    from robustvos.datasets.geometric import Geometric
    from robustvos.datasets.vos.clips import TrainingClips

    train = TrainingClips(size=128, geometric=Geometric(), corruption=Corruption())
    data = CorruptedVOS(root=Path(os.environ["ROBUSTVOS_REALDATA"]) / "davis", train=train)
    batch = next(iter(data.train_dataloader()))
    assert batch.frames.shape == (4, 4, 3, 128, 128)
    assert batch.masks[0].flatten(1).any(1).all()
    for video in data.val_dataloader():
        assert {prompt.object_id for prompt in video.prompts} == set(video.object_ids)
