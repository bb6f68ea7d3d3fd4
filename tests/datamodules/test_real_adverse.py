"""ACDC-Video and MVSeg on tiny trees with the published file names."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.real_adverse import RealAdverse
from robustvos.datasets.adverse.trees import find_clips
from robustvos.datasets.adverse.videos import AdverseVideos
from robustvos.datasets.evaluation import EvaluationVideos
from robustvos.datasets.vos.videos import JoiningEvaluation
from robustvos.errors import BadMask, BadPrompt, DataNotFound, UnknownName, UserError
from robustvos.evaluation.protocol import protocol_named

SIZE = (48, 64)
GREY_PALETTE = [level for level in range(256) for _ in range(3)]


def id_map(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """Boxes of ``id, y0, y1, x0, x1``."""
    ids = np.zeros(SIZE, np.uint8)
    for object_id, y0, y1, x0, x1 in boxes:
        ids[y0:y1, x0:x1] = object_id
    return ids


POLE, CAR, OTHER = (5, 4, 20, 10, 20), (13, 30, 44, 30, 60), (30, 24, 28, 2, 8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def frame(shade: int) -> np.ndarray:
    return np.full((*SIZE, 3), 30 + 9 * shade, np.uint8)


def write_acdc_video(
    root: Path, weather: str, video: str, splits: dict[str, range], truth: dict[int, np.ndarray]
) -> None:
    for split, numbers in splits.items():
        for number in numbers:
            save(root / weather / video / split / f"{number}.jpg", frame(number))
    for number, ids in truth.items():
        save(root / weather / video / "gt" / f"{number:06d}.png", ids)


@pytest.fixture
def acdc(tmp_path) -> Path:
    """One video each weather; that of fog has two splits of 4 frames with a key frame each."""
    root = tmp_path / "ACDC-Video"
    truth = {9: id_map(POLE, CAR), 12: id_map(POLE), 14: id_map(POLE, OTHER)}
    write_acdc_video(root, "fog", "GOPR0476", {"split_000": range(8, 12), "split_001": range(12, 16)}, truth)
    (root / "fog/GOPR0476/metadata.json").write_text("{}")
    for weather in ("snow", "night", "rain"):
        write_acdc_video(root, weather, "GP01", {"split_000": range(3)}, {0: id_map(POLE), 2: id_map(POLE)})
    return root


@pytest.fixture
def mvseg(tmp_path) -> Path:
    """Three clips of 11 frames; frames 2 and 10 are labelled. INO's are PNG."""
    root = tmp_path / "MVSeg-adv"
    for name in ("INO_ParkingSnow.-5", "KAIST_set04_V001_2.-1", "RGBT234_hotglass.-2"):
        for number in range(1, 12):
            save(root / name / "visible" / f"{number}v.{'png' if name.startswith('INO') else 'jpg'}", frame(number))
            save(root / name / "infrared" / f"{number}i.png", frame(number))
        boxes = [(22, 2, 8, 2, 8), (7, 10, 20, 10, 20), (15, 22, 30, 30, 40), (14, 40, 46, 50, 60)]
        save(root / name / "label" / "2vl.png", id_map(*boxes))
        save(root / name / "label" / "10vl.png", id_map(*boxes[:2], (3, 40, 46, 2, 9)))
    return root


def videos(layout: str, root: Path, **more: object) -> list:
    own = {name: more.pop(name) for name in ("subset",) if name in more}
    return list(RealAdverse(layout, root=root, name="set", test=JoiningEvaluation(**more), **own).test_dataloader())


def released(clips, **more: object) -> EvaluationVideos:
    return EvaluationVideos(AdverseVideos(clips, "mvseg"), JoiningEvaluation(**more), protocol_named("release"))


# Trees


def test_acdc_has_one_clip_a_split_with_truth_on_its_key_frames(acdc):
    first, second, *rest = videos("acdc", acdc)
    assert [v.name for v in (first, second, *rest)] == [
        "fog_GOPR0476_split_000",
        "fog_GOPR0476_split_001",
        *(f"{weather}_GP01_split_000" for weather in ("snow", "night", "rain")),
    ]
    assert first.frame_names == ("8", "9", "10", "11")
    assert [mask is not None for mask in first.masks] == [False, True, False, False]
    assert [mask is not None for mask in second.masks] == [True, False, True, False]
    expected = torch.from_numpy(np.stack([id_map(POLE) == 5, id_map(CAR) == 13]))
    torch.testing.assert_close(first.masks[1], expected)
    assert first.object_ids == (5, 13)


def test_acdc_tags_weather_and_the_class_of_each_object(acdc):
    first, second, *rest = videos("acdc", acdc)
    assert first.tags == {"weather": "fog", "class:5": "pole", "class:13": "car"}
    assert second.tags == {"weather": "fog", "class:5": "pole", "class:30": "class 30"}
    assert [video.tags["weather"] for video in rest] == ["snow", "night", "rain"]


def test_objects_are_prompted_where_they_are_first_seen(acdc):
    second = videos("acdc", acdc)[1]
    assert {prompt.object_id: prompt.frame for prompt in second.prompts} == {5: 0, 30: 2}


def test_mvseg_frames_are_in_the_order_of_their_numbers(mvseg):
    ino, kaist, _ = videos("mvseg", mvseg)
    assert ino.frame_names == tuple(f"{number}v" for number in range(1, 12))
    assert [t for t, mask in enumerate(kaist.masks) if mask is not None] == [1, 9]
    assert kaist.frames[9].float().mean().round() == 30 + 9 * 10
    assert [video.tags for video in videos("mvseg", mvseg)] == [{"source": s} for s in ("INO", "KAIST", "RGBT234")]


def test_subset_and_limit_choose_clips(acdc, mvseg):
    assert [v.tags["weather"] for v in videos("acdc", acdc, subset=["rain", "night"])] == ["rain", "night"]
    assert [v.name for v in videos("mvseg", mvseg, limit=1)] == ["INO_ParkingSnow.-5"]
    with pytest.raises(UnknownName, match="did you mean 'snow'"):
        videos("acdc", acdc, subset=["snows"])
    with pytest.raises(UnknownName, match="known: INO, KAIST, RGBT234"):
        videos("mvseg", mvseg, subset=["FLIR"])


# Objects and prompts


def test_cap_takes_the_lowest_ids_of_all_key_frames(mvseg):
    assert videos("mvseg", mvseg)[0].object_ids == (3, 7, 14, 15, 22)
    capped = videos("mvseg", mvseg, max_objects=3, prompt="box")[0]
    assert capped.object_ids == (3, 7, 14)
    assert capped.masks[1].shape == (3, *SIZE)
    assert all(prompt.box is not None for prompt in capped.prompts)


def test_release_takes_the_lowest_ids_of_the_first_key_frame(mvseg):
    clips = find_clips(mvseg, "mvseg").clips
    video = released(clips)[0]
    assert video.object_ids == (7, 14, 15)
    assert all(prompt.frame == 1 for prompt in video.prompts)
    for prompt in video.prompts:
        mask = video.masks[1][video.object_ids.index(prompt.object_id)]
        assert len(prompt.points) == 3
        assert all(mask[int(y), int(x)] for x, y in prompt.points)


def test_release_orders_ids_by_the_grey_of_their_colours(mvseg):
    label = mvseg / "INO_ParkingSnow.-5/label/2vl.png"
    image = Image.open(label)
    image.load()
    image.putpalette([255 - level for level in GREY_PALETTE])  # the higher the id, the darker
    image.save(label)
    clips = find_clips(mvseg, "mvseg", ["INO"]).clips
    assert [prompt.object_id for prompt in released(clips, prompt="mask")[0].prompts] == [22, 15, 14]


def click(x: float, y: float) -> dict:
    return {"point_coords": [[x, y]] * 3, "point_labels": [1, 1, 1]}


def written(tmp_path: Path, content: object) -> str:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_prompt_file_says_what_is_tracked_and_what_it_leaves_out_is_counted(mvseg, tmp_path, capsys):
    told = {
        "INO_ParkingSnow.-5": {"7": click(12, 13), "15": click(33, 25)},
        "RGBT234_hotglass.-2": {"7": click(11, 11)},
    }
    ino, rgbt = videos("mvseg", mvseg, prompt=written(tmp_path, told), max_objects=2)
    assert (ino.object_ids, rgbt.object_ids) == ((7, 15), (7,))
    assert [(p.frame, p.points[0].tolist()) for p in ino.prompts] == [(1, [12, 13]), (1, [33, 25])]
    lines = capsys.readouterr().out.splitlines()
    assert any("1 of 3 clips are not in prompts.json" in line and "KAIST_set04_V001_2.-1" in line for line in lines)
    assert any("RGBT234_hotglass.-2 (14, 15, 22)" in line for line in lines)
    assert not any("INO" in line for line in lines)


def test_prompt_file_names_objects_by_the_grey_of_their_colours(mvseg, tmp_path):
    label = mvseg / "INO_ParkingSnow.-5/label/2vl.png"
    image = Image.open(label)
    image.load()
    image.putpalette([255 - level for level in GREY_PALETTE])
    image.save(label)
    path = written(tmp_path, {"INO_ParkingSnow.-5": {"248": click(12, 13)}})
    assert videos("mvseg", mvseg, prompt=path, subset=["INO"])[0].object_ids == (7,)


def acdc_file(tmp_path: Path, points: list, class_id: int = 5, name: str = "mast") -> str:
    entry = {"class_id": class_id, "class_name": name, "points": points, "area": 160, "region_index": 0}
    fog = {"GOPR0476": {"first_gt_frame": "000009.png", "num_objects": 1, "objects": [entry]}}
    return written(tmp_path, {"metadata": {"image_size": 1024}, "prompts": {"fog": fog}})


def test_acdc_file_serves_all_splits_and_stray_points_move_onto_the_object(acdc, tmp_path):
    height, width = SIZE
    inside, outside = (15 * 1024 / width, 8 * 1024 / height), (30 * 1024 / width, 10 * 1024 / height)
    found = videos("acdc", acdc, prompt=acdc_file(tmp_path, [inside, outside]), subset=["fog"])
    assert [video.name for video in found] == ["fog_GOPR0476_split_000", "fog_GOPR0476_split_001"]
    for video, first in zip(found, (1, 0), strict=True):
        (prompt,) = video.prompts
        assert (prompt.object_id, prompt.frame) == (5, first)
        torch.testing.assert_close(prompt.points, torch.tensor([[15.0, 8.0], [19.0, 10.0]]))
        assert video.tags["class:5"] == "mast"


def test_acdc_split_without_the_objects_of_the_file_is_left_out_and_counted(acdc, tmp_path, capsys):
    path = acdc_file(tmp_path, [[700, 800]], class_id=13)
    assert [video.name for video in videos("acdc", acdc, prompt=path, subset=["fog"])] == ["fog_GOPR0476_split_000"]
    assert "1 of 2 clips show none of the objects of prompts.json" in capsys.readouterr().out


def test_object_that_is_not_in_the_masks_is_said(acdc, mvseg, tmp_path):
    with pytest.raises(BadPrompt, match=r"INO_ParkingSnow.-5'.*objects \[9\] are not in .*2vl\.png.*\[7, 14, 15, 22\]"):
        videos("mvseg", mvseg, prompt=written(tmp_path, {"INO_ParkingSnow.-5": {"9": click(1, 1)}}))
    with pytest.raises(BadPrompt, match=r"objects \[9\] are not in"):
        videos("acdc", acdc, prompt=acdc_file(tmp_path, [[3, 3]], class_id=9))


def test_file_of_another_dataset_is_said(mvseg, tmp_path):
    with pytest.raises(BadPrompt, match=r"none of 3 clips: it names fog/GOPR0476.*has INO_ParkingSnow"):
        videos("mvseg", mvseg, prompt=acdc_file(tmp_path, [[3, 3]]))


# Bad input


def message(layout: str, root: Path | None, name: str = "acdc_video") -> str:
    with pytest.raises(DataNotFound) as caught:
        RealAdverse(layout, root=root, name=name).setup("test")
    text = str(caught.value)
    assert RealAdverse.describe_missing({"layout": layout, "root": root, "name": name}) == text
    assert "\n" not in text
    return text


def test_missing_dataset_is_one_message_with_its_card(tmp_path, monkeypatch):
    monkeypatch.delenv("ROBUSTVOS_DATA", raising=False)
    said = message("acdc", None)
    assert all(part in said for part in ("149 clips", "https://", "no folder was given", "--data.root"))
    assert "does not exist" in message("acdc", tmp_path / "absent")
    (tmp_path / "JPEGImages").mkdir()
    said = message("mvseg", tmp_path, "mvseg")
    assert "label/<n>vl.png" in said and "which holds JPEGImages" in said


def test_dataset_is_found_by_its_name_in_the_folder_of_datasets(acdc, monkeypatch):
    acdc.rename(acdc.with_name("acdc_video"))
    monkeypatch.setenv("ROBUSTVOS_DATA", str(acdc.parent))
    assert RealAdverse.describe_missing({"layout": "acdc", "name": "acdc_video"}) is None


def test_half_copied_acdc_is_one_message_that_lists_what_is_missing(acdc):
    (acdc / "night/GP01").rename(acdc / "GP01")
    for file in (acdc / "rain/GP01/gt").iterdir():
        file.unlink()
    save(acdc / "snow/GP01/split_000/frame_x.jpg", frame(1))
    said = message("acdc", acdc)
    assert "found 2 whole clips, and 3 things missing" in said
    assert "videos of night (--data.subset [fog,snow,rain] does without)" in said
    assert "rain/GP01/gt/*.png" in said and "frame_x.jpg" in said and "copy it again" in said


def test_half_copied_mvseg_is_one_message_that_lists_what_is_missing(mvseg):
    (mvseg / "INO_ParkingSnow.-5/visible/10v.png").unlink()
    for file in (mvseg / "KAIST_set04_V001_2.-1/label").iterdir():
        file.unlink()
    said = message("mvseg", mvseg, "mvseg_adv")
    assert "2 things missing" in said
    assert "frames of INO_ParkingSnow.-5/label/10vl" in said and "masks in KAIST_set04_V001_2.-1/label" in said


def test_split_without_key_frames_is_left_out_and_counted(acdc, capsys):
    write_acdc_video(acdc, "rain", "GP01", {"split_001": range(20, 22)}, {})
    assert len(videos("acdc", acdc)) == 5
    assert "1 clips have no annotation and are left out: rain_GP01_split_001" in capsys.readouterr().out


def test_masks_of_another_size_or_without_objects_are_said(mvseg):
    save(mvseg / "INO_ParkingSnow.-5/label/2vl.png", np.zeros((10, 12), np.uint8))
    with pytest.raises(BadMask, match=r"2vl\.png is 12x10, but the frames are 64x48"):
        videos("mvseg", mvseg)
    for number in (2, 10):
        save(mvseg / f"INO_ParkingSnow.-5/label/{number}vl.png", id_map())
    with pytest.raises(BadMask, match=r"'INO_ParkingSnow\.-5': no object in 2 annotated"):
        videos("mvseg", mvseg)


def test_wrong_arguments_are_said_at_once(mvseg):
    with pytest.raises(UnknownName, match="known: acdc, mvseg"):
        RealAdverse("davis")
    with pytest.raises(UnknownName, match="unknown prompt kind 'clicks'"):
        JoiningEvaluation(prompt="clicks")
    with pytest.raises(UserError, match="max_objects is 0"):
        JoiningEvaluation(max_objects=0)
    with pytest.raises(UserError, match="without training clips"):
        RealAdverse("mvseg", root=mvseg).train_dataloader()


# Long videos


def test_joined_clips_keep_ids_and_prompt_new_objects_where_they_appear(acdc, mvseg):
    fog, *rest = videos("acdc", acdc, join_frames=8)
    assert (fog.name, len(rest)) == ("fog_GOPR0476_split_000to001", 3)
    assert {prompt.object_id: prompt.frame for prompt in fog.prompts} == {5: 1, 13: 1, 30: 6}
    assert fog.tags == {"weather": "fog", "class:5": "pole", "class:13": "car", "class:30": "class 30"}
    assert fog.frame_names[3:5] == ("01_11", "02_12")
    assert [t for t, mask in enumerate(fog.masks) if mask is not None] == [1, 4, 6]
    (mvseg / "INO_ParkingSnow.-5").rename(mvseg / "RGBT234_hotglass.-3")
    assert [v.name for v in videos("mvseg", mvseg, join_frames=1000)] == [
        "KAIST_set04_V001_2.-1",
        "RGBT234_hotglass.-2to3",
    ]
    assert [v.name for v in videos("mvseg", mvseg, join_frames=1000, limit=1)] == ["KAIST_set04_V001_2.-1"]


def test_joined_clips_follow_the_prompt_file_of_each(acdc, tmp_path):
    path = acdc_file(tmp_path, [[250, 200]])
    (fog,) = videos("acdc", acdc, prompt=path, subset=["fog"], join_frames=8)
    assert [(prompt.object_id, prompt.frame) for prompt in fog.prompts] == [(5, 1)]
    assert fog.tags["class:5"] == "mast"


def test_clips_that_cannot_be_joined_are_said(mvseg):
    with pytest.raises(UserError, match=r"join_frames is 99, but no two of 3 clips"):
        videos("mvseg", mvseg, join_frames=99)
    with pytest.raises(UserError, match="join_frames is -2"):
        JoiningEvaluation(join_frames=-2)
    assert len(videos("mvseg", mvseg, join_frames=0)) == 3
