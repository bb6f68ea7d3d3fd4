"""ACDC-Video under the protocol ``release``: objects are connected regions of class masks."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from robustvos.datasets.adverse.class_regions import regions_of
from robustvos.datasets.adverse.trees import find_clips
from robustvos.datasets.adverse.videos import AdverseVideos
from robustvos.datasets.evaluation import EvaluationVideos
from robustvos.datasets.vos.videos import JoiningEvaluation
from robustvos.errors import BadMask
from robustvos.evaluation.protocol import DatasetFacts, protocol_for

SIZE = (48, 64)
POLE, WALL = 5, 3


def classes(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """Boxes of ``class, y0, y1, x0, x1``."""
    ids = np.zeros(SIZE, np.uint8)
    for name, y0, y1, x0, x1 in boxes:
        ids[y0:y1, x0:x1] = name
    return ids


LEFT, RIGHT, BRICKS = (POLE, 4, 30, 6, 14), (POLE, 4, 20, 40, 46), (WALL, 34, 46, 4, 60)
MOVED = (POLE, 4, 20, 36, 42)


@pytest.fixture
def root(tmp_path) -> Path:
    """Fog has one video of two splits of 3 frames, annotated on frames 1, 2 and 5."""
    truth = {1: classes(LEFT, RIGHT, BRICKS), 2: classes(MOVED, LEFT), 5: classes(RIGHT)}
    video = tmp_path / "ACDC/fog/GOPR0476"
    (video / "gt").mkdir(parents=True)
    for split, numbers in (("split_000", range(3)), ("split_001", range(3, 6))):
        (video / split).mkdir()
        for number in numbers:
            Image.fromarray(np.full((*SIZE, 3), 40 + 9 * number, np.uint8)).save(video / split / f"{number}.jpg")
    for number, ids in truth.items():
        Image.fromarray(ids).save(video / "gt" / f"{number:06d}.png")
    return tmp_path / "ACDC"


def videos(root: Path, file: Path | None = None, prompt: str = "points:3", join: int = 0, limit: int | None = None):
    clips = find_clips(root, "acdc", ["fog"]).clips
    settings = JoiningEvaluation(prompt=prompt if file is None else str(file), max_objects=limit)
    protocol = protocol_for("release", DatasetFacts(every_object=True))
    return EvaluationVideos(AdverseVideos(clips, "acdc", join), settings, protocol)


def entry(class_id: int, clicks: list[tuple[float, float]], area: int, index: int = 0) -> dict:
    """In 1024 x 1024 pixels, of clicks in native ones."""
    points = [[x * 1024 / SIZE[1], y * 1024 / SIZE[0]] for x, y in clicks]
    names = {"class_id": class_id, "class_name": {POLE: "pole", WALL: "wall"}[class_id]}
    return {**names, "points": points, "area": area, "region_index": index}


def written(tmp_path: Path, *entries: dict, video: str = "GOPR0476") -> Path:
    told = {video: {"first_gt_frame": "000001.png", "num_objects": len(entries), "objects": list(entries)}}
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"metadata": {"image_size": 1024}, "prompts": {"fog": told}}))
    return path


def region(ids: np.ndarray, box: tuple[int, int, int, int, int]) -> torch.Tensor:
    return torch.from_numpy((classes(box) == box[0]) & (ids == box[0]))


# Which objects


def test_every_region_of_the_first_key_frame_is_an_object_with_the_tag_of_its_class(root):
    video = videos(root)[0]
    assert video.object_ids == (1, 2, 3)
    assert video.tags == {"weather": "fog", "class:1": "wall", "class:2": "pole", "class:3": "pole"}
    expected = torch.stack([region(classes(box), box) for box in (BRICKS, LEFT, RIGHT)])
    assert torch.equal(video.masks[1], expected)
    assert video.masks[0] is None
    for prompt, mask in zip(video.prompts, expected, strict=True):
        assert (prompt.frame, len(prompt.points)) == (1, 3)
        assert all(mask[int(y), int(x)] for x, y in prompt.points)


def test_regions_are_those_of_an_independent_labelling_in_its_order_and_specks_are_none():
    rng = np.random.default_rng(0)
    mask = rng.random((512, 512)) < 0.42
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    large = [labels == n for n in range(1, count + 1) if (labels == n).sum() * 4 >= 10]
    found = regions_of(mask)
    assert 3 <= len(found) == len(large) < count
    assert all(np.array_equal(one, other) for one, other in zip(found, large, strict=True))


def test_each_entry_of_the_file_is_an_object_on_the_largest_region_of_its_class(root, tmp_path):
    file = written(
        tmp_path,
        entry(POLE, [(8, 10), (9, 12), (10, 20)], 208),
        entry(POLE, [(42, 10), (42, 12), (42, 14)], 96, index=1),
        entry(WALL, [(5, 40), (9, 40), (50, 44)], 672),
    )
    video = videos(root, file)[0]
    assert [video.tags[f"class:{i}"] for i in video.object_ids] == ["pole", "pole", "wall"]
    left = region(classes(LEFT), LEFT)
    assert torch.equal(video.masks[1][0], left) and torch.equal(video.masks[1][1], left)
    torch.testing.assert_close(video.prompts[0].points, torch.tensor([[8.0, 10], [9, 12], [10, 20]]))
    assert video.prompts[1].points.tolist() == [[13, 10], [13, 12], [13, 14]]  # moved to the nearest pixel


def test_clip_without_any_object_of_the_file_tracks_all_regions_from_middle_and_quarters(root, tmp_path):
    file = written(tmp_path, entry(WALL, [(5, 40)] * 3, 672))
    second = videos(root, file)[1]
    (prompt,) = second.prompts
    assert prompt.frame == 2
    _, y0, y1, x0, x1 = RIGHT
    middle = [int((x0 + x1 - 1) / 2), int((y0 + y1 - 1) / 2)]
    quarters = [[int(x0 + (x1 - 1 - x0) * q), int(y0 + (y1 - 1 - y0) * q)] for q in (0.25, 0.75)]
    assert prompt.points.tolist() == [middle, *quarters]


def test_masks_boxes_and_a_limit_are_to_be_had_too(root):
    video = videos(root, prompt="box", limit=1)[0]
    assert video.object_ids == (1,)
    assert video.prompts[0].box.tolist() == [4, 34, 59, 45]


def test_clip_of_specks_is_said(root):
    for number in (1, 2):
        ids = np.zeros((1536, 2048), np.uint8)
        ids[:3, :3] = POLE
        Image.fromarray(ids).save(root / f"fog/GOPR0476/gt/{number:06d}.png")
        Image.fromarray(np.zeros((1536, 2048, 3), np.uint8)).save(root / f"fog/GOPR0476/split_000/{number}.jpg")
    Image.fromarray(np.zeros((1536, 2048, 3), np.uint8)).save(root / "fog/GOPR0476/split_000/0.jpg")
    with pytest.raises(BadMask, match="no region of its masks has the 10 pixels"):
        videos(root)[0]


# What they are scored against


def test_truth_follows_the_region_that_overlaps_it_and_is_empty_without_its_class(root):
    video = videos(root)[0]
    forward = [video.masks[t] for t in range(3)][2]
    assert not forward[0].any()  # no wall
    assert torch.equal(forward[1], region(classes(LEFT), LEFT))
    assert torch.equal(forward[2], region(classes(MOVED), MOVED))
    assert torch.equal(videos(root)[0].masks[2], forward)  # without having read the frames before


def test_prediction_is_matched_with_the_region_of_its_class_of_highest_iou(root):
    masks = videos(root)[0].masks
    ids = classes(MOVED, LEFT)
    predicted = torch.zeros(3, *SIZE, dtype=torch.bool)
    predicted[0] = True  # a wall where there is none
    predicted[1, 4:20, 35:45] = True  # the left pole's track has gone over to the right one
    matched = masks.matched_to(2, predicted)
    assert not matched[0].any()
    assert torch.equal(matched[1], region(ids, MOVED))
    assert torch.equal(matched[2], region(ids, LEFT))  # lost: the largest pole
    assert masks.matched_to(0, predicted) is None


def test_joined_video_adds_regions_of_classes_that_are_not_tracked_yet(root, tmp_path):
    ids = classes(RIGHT, (13, 30, 44, 30, 60))
    Image.fromarray(ids).save(root / "fog/GOPR0476/gt/000005.png")
    (video,) = videos(root, join=6)
    assert video.name == "fog_GOPR0476_split_000to001"
    assert {p.object_id: p.frame for p in video.prompts} == {1: 1, 2: 1, 3: 1, 4: 5}
    assert video.tags["class:4"] == "car"
    assert not video.masks[2][3].any()
    assert torch.equal(video.masks[5][3], torch.from_numpy(ids == 13))
