"""Real bad weather through the one door, with random weights on tiny clips."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SMALL = [
    "--trainer.accelerator",
    "cpu",
    "--trainer.devices",
    "1",
    "--trainer.enable_progress_bar",
    "false",
    "--run",
    "own",
]
SYSTEM = ["--model", "sam2", "--sam2", "nano", "--sam2.checkpoint", "random", "--sam2.image_size", "64"]


@pytest.fixture
def acdc(tmp_path) -> Path:
    """A clip of 3 frames each weather, the last two annotated: a pole in all, and in fog a car that is gone at the end."""
    root = tmp_path / "ACDC-Video"
    for weather in ("fog", "snow", "night", "rain"):
        video = root / weather / "GOPR0001"
        (video / "split_000").mkdir(parents=True)
        (video / "gt").mkdir()
        for number in range(1, 4):
            ids = np.zeros((36, 48), np.uint8)
            ids[4:20, 8 + 2 * number : 20 + 2 * number] = 5
            if weather == "fog" and number < 3:
                ids[22:34, 26:46] = 13
            shown = np.stack([60 + 9 * ids] * 3, -1).astype(np.uint8)
            Image.fromarray(shown).save(video / "split_000" / f"{number}.jpg")
            if number > 1:
                Image.fromarray(ids).save(video / "gt" / f"{number:06d}.png")
    return root


def test_release_scores_key_frames_with_the_prompted_one_and_averages_over_classes(door, acdc, tmp_path):
    answer = door("test", *SYSTEM, "--data", "acdc_video", "--data.root", acdc, "--model.protocol", "release", *SMALL)
    assert answer.code == 0, answer.err
    results = json.loads((tmp_path / "runs/own/version_0/results.json").read_text())
    assert (results["dataset"], results["protocol"], results["prompt"]) == ("acdc_video", "release", "points:3")
    rows = {(row["video"], row["object"]): row for row in results["objects"]}
    pole, car = (rows[("fog_GOPR0001_split_000", i)] for i in (1, 2))  # regions, in the order of their classes
    assert (car["frames"], pole["frames"]) == (1, 2)
    assert car["tags"] == {"weather": "fog", "class": "car", "corruption": "clean"}
    poles = [row["scores"]["J&F"] for (_, object_id), row in rows.items() if object_id == 1]
    assert len(poles) == 4
    mean = (car["scores"]["J&F"] + sum(poles) / 4) / 2
    assert results["aggregates"]["class_means"]["J&F"]["mean"] == pytest.approx(mean)
    assert set(results["aggregates"]["by"]["weather"]) == {"fog", "snow", "night", "rain"}


def test_half_copied_dataset_ends_in_one_line_before_anything_is_built(door, acdc):
    for file in (acdc / "fog/GOPR0001/gt").iterdir():
        file.unlink()
    error = door("test", *SYSTEM, "--data", "acdc_video", "--data.root", acdc, *SMALL).error
    assert "fog/GOPR0001/gt/*.png" in error


def test_release_tracks_what_the_prompt_file_says_and_all_regions_of_clips_that_it_leaves_out(door, acdc, tmp_path):
    entry = {"class_id": 13, "class_name": "car", "points": [[800, 800]] * 3, "area": 240, "region_index": 0}
    told = {"metadata": {"image_size": 1024}, "prompts": {"fog": {"GOPR0001": {"objects": [entry, entry]}}}}
    (tmp_path / "told.json").write_text(json.dumps(told))
    data = [
        "--data",
        "acdc_video",
        "--data.root",
        acdc,
        "--data.test.prompt",
        "told.json",
        "--data.subset",
        "[fog,snow]",
    ]
    answer = door("test", *SYSTEM, *data, "--model.protocol", "release", *SMALL)
    assert answer.code == 0, answer.err
    assert "1 of 2 clips are not in told.json" in answer.out
    results = json.loads((tmp_path / "runs/own/version_0/results.json").read_text())
    rows = {(row["video"][:4], row["object"], row["tags"]["class"], row["frames"]) for row in results["objects"]}
    assert rows == {("fog_", 1, "car", 1), ("fog_", 2, "car", 1), ("snow", 1, "pole", 2)}


def test_file_of_another_set_and_nothing_to_join_end_in_one_line(door, acdc, tmp_path):
    (tmp_path / "told.json").write_text(json.dumps({"a": {"1": [[1, 1]]}}))
    data = ["--data", "acdc_video", "--data.root", acdc, "--model.protocol", "release"]
    assert (
        "prompts for none of 4 clips" in door("test", *SYSTEM, *data, "--data.test.prompt", "told.json", *SMALL).error
    )
    assert "no two of 4 clips" in door("test", *SYSTEM, *data, "--data.test.join_frames", "1000", *SMALL).error
