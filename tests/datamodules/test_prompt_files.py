"""Prompt files of three schemas, and what the public evaluator draws without one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.datasets.prompts.benchmark_files import read_prompt_file
from robustvos.datasets.prompts.release import random_points
from robustvos.errors import BadPrompt
from robustvos.types import Prompt
from robustvos.video.luma import lowest_by_luma, read_lumas
from robustvos.video.masks import write_indexed_mask

CLICKS = [[3, 4], [5.0, 6.0], [7, 8]]
SIZE = (540, 960)


@pytest.fixture
def write(tmp_path):
    def to_file(content: object) -> Path:
        path = tmp_path / "prompts.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return to_file


def prompt_of(path: Path, video: str, luma: int) -> Prompt:
    file = read_prompt_file(path)
    (entry,) = (entry for entry in file.videos[video].objects if entry.luma == luma)
    return entry.as_prompt(2, 9, SIZE, file.side, "here")


def test_mvseg_is_read_in_native_pixels_with_its_labels(write):
    told = {"point_coords": CLICKS, "point_labels": [1, 0, 1]}
    prompt = prompt_of(write({"INO_a.-1": {"7": told, "15": told}}), "INO_a.-1", 15)
    assert (prompt.object_id, prompt.frame, prompt.labels.tolist()) == (2, 9, [1, 0, 1])
    assert prompt.points.tolist() == CLICKS


def test_youtube_vos_is_read_in_native_pixels_as_positive_points(write):
    prompt = prompt_of(write({"003234408d": {"38": CLICKS}}), "003234408d", 38)
    assert prompt.points.tolist() == CLICKS
    assert prompt.labels.tolist() == [1, 1, 1]


def acdc(*objects: dict, side: int = 1024) -> dict:
    entry = {"first_gt_frame": "000761.png", "num_objects": len(objects), "objects": list(objects)}
    return {"metadata": {"image_size": side}, "prompts": {"fog": {"GOPR0476": entry}}}


def pole(points: list, **more: object) -> dict:
    return {"class_id": 5, "class_name": "pole", "points": points, "area": 9, "region_index": 0, **more}


def test_acdc_is_converted_from_1024_pixels(write):
    path = write(acdc(pole([[512, 512], [0, 0], [1023, 1023]])))
    points = prompt_of(path, "fog/GOPR0476", 5).points
    height, width = SIZE
    torch.testing.assert_close(
        points, torch.tensor([[512, 512], [0, 0], [1023, 1023]]) * torch.tensor([width, height]) / 1024
    )
    assert bool((points < torch.tensor([width, height])).all())
    video = read_prompt_file(path).videos["fog/GOPR0476"]
    assert video.first_frame == "000761"
    assert video.objects[0].class_name == "pole"


def test_acdc_of_several_regions_of_a_class_the_largest_is_taken(write):
    small, large = pole([[1, 1]], area=12), pole([[2, 2]], area=480, region_index=1, class_name="unknown")
    (taken,) = read_prompt_file(write(acdc(small, large))).videos["fog/GOPR0476"].objects
    assert taken.points == ((2.0, 2.0),)
    assert taken.class_name is None


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        {},
        {"v": [1]},
        {"v": {"seven": CLICKS}},
        {"v": {"7": [[1, 2, 3]]}},
        {"v": {"7": []}},
        {"v": {"7": {"point_coords": CLICKS, "point_labels": [1]}}},
        {"v": {"7": "[[1, 2]]"}},
        {"metadata": {}, "prompts": {"fog": {"GOPR0476": {}}}},
        {"metadata": {"image_size": "large"}, "prompts": {}},
        acdc({"class_id": None, "points": CLICKS}),
    ],
)
def test_what_is_no_prompt_file_is_said_in_one_line_with_its_path(write, content):
    path = write(content)
    with pytest.raises(BadPrompt) as caught:
        read_prompt_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_said(tmp_path):
    with pytest.raises(BadPrompt, match=r"absent\.json cannot be read"):
        read_prompt_file(tmp_path / "absent.json")


def test_point_outside_of_the_frame_is_said_with_its_place(write):
    with pytest.raises(BadPrompt, match=r"point 960,3 of object 7 .*960x540"):
        prompt_of(write({"v": {"7": [[960, 3]]}}), "v", 7)
    with pytest.raises(BadPrompt, match="1024x1024 in the file"):
        prompt_of(write(acdc(pole([[3, 1024]]))), "fog/GOPR0476", 5)


# Without a file


def test_lowest_ids_of_the_davis_palette_are_1_2_4_of_four(tmp_path):
    path = tmp_path / "0.png"
    write_indexed_mask(torch.eye(4, dtype=torch.bool)[:, None], (1, 2, 3, 4), path)
    assert [read_lumas(path)[i] for i in (1, 2, 3, 4)] == np.asarray(Image.open(path).convert("L"))[0].tolist()
    assert lowest_by_luma((1, 2, 3, 4), path, 3) == (4, 1, 2)
    assert lowest_by_luma((1, 2, 3, 4), path, None) == (4, 1, 2, 3)


def test_grey_levels_of_a_greyscale_mask_are_its_ids(tmp_path):
    Image.fromarray(np.array([[0, 7, 22]], dtype=np.uint8)).save(tmp_path / "1vl.png")
    assert lowest_by_luma((22, 7, 15), tmp_path / "1vl.png", 2) == (7, 15)


def test_points_are_those_of_numpys_global_generator_with_seed_42():
    masks = torch.zeros(3, 20, 30, dtype=torch.bool)
    masks[0, 2:9, 3:20] = True
    masks[1, 12:18, 5:11] = True
    masks[2, 0, :2] = True
    np.random.seed(42)
    for prompt, mask in zip(random_points(masks, (7, 15, 30), 3, 4), masks.numpy(), strict=True):
        y, x = np.where(mask)
        indices = np.random.choice(len(x), size=3, replace=False) if len(x) >= 3 else range(len(x))
        assert prompt.points.tolist() == [[x[i], y[i]] for i in indices]
        assert prompt.labels.tolist() == [1] * len(prompt.points)
        assert prompt.frame == 4
