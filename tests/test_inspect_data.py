"""``inspect --data``: the size of a dataset, through the door, on tiny trees that are counted by hand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustvos.registry import CONFIGS

DATA = sorted(path.stem for path in (CONFIGS / "data").glob("*.yaml"))


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("ROBUSTVOS_DATA", raising=False)
    monkeypatch.setenv("ROBUSTVOS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def save(path: Path, *ids: int) -> None:
    """A mask with the given ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = np.zeros((20, 40), np.uint8)
    for i, object_id in enumerate(ids):
        plane[4:16, 8 * i : 8 * i + 6] = object_id
    Image.fromarray(plane).save(path)


def frame(path: Path) -> None:
    """A frame that cannot be decoded: counting must not try."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no image")


def rows(out: str) -> dict[str, list[int]]:
    """Numbers of each row of the table by its title."""
    found = {}
    for line in out.splitlines():
        match = re.fullmatch(r"(\S.*?)((?: {2,}[\d,]+){3,4})", line)
        if match:
            found[match[1]] = [int(number.replace(",", "")) for number in match[2].split()]
    return found


@pytest.fixture
def acdc(tmp_path) -> Path:
    """A clip of 3 frames each weather, two of them annotated; in fog a split more, of two frames and one annotation."""
    root = tmp_path / "ACDC-Video"
    for weather in ("fog", "snow", "night", "rain"):
        for number in range(1, 4):
            frame(root / weather / "GP01/split_000" / f"{number}.jpg")
        save(root / weather / "GP01/gt/000001.png", 5, 13)
        save(root / weather / "GP01/gt/000003.png", 5, 255)
    for number in (4, 5):
        frame(root / "fog/GP01/split_001" / f"{number}.jpg")
    save(root / "fog/GP01/gt/000005.png", 3, 5, 7)
    return root


def test_acdc_is_counted_by_weather_beside_the_published_row(door, acdc):
    answer = door("inspect", "--data", "acdc_video", "--data.root", acdc)
    assert answer.code == 0, answer.err
    found = rows(answer.out)
    assert found["fog"] == [2, 5, 2 + 3, 3 + 3]
    assert found["snow"] == found["night"] == found["rain"] == [1, 3, 2, 3]
    assert found["all"] == [5, 14, 11, 15]
    assert found["published (all)"] == [149, 3259, 613]
    assert "arXiv 2605.12006, Table 1" in answer.out


def test_mvseg_is_counted(door, tmp_path):
    clip = tmp_path / "MVSeg/INO_a.-1"
    for number in range(1, 12):
        frame(clip / "visible" / f"{number}v.png")
    save(clip / "label/2vl.png", 22, 7)
    save(clip / "label/10vl.png", 7, 15)
    answer = door("inspect", "--data", "mvseg", "--data.root", tmp_path / "MVSeg")
    assert rows(answer.out) == {
        "INO": [1, 11, 3, 4],
        "all": [1, 11, 3, 4],
        "published (all)": [202, 13581, 1930],
    }


def write_davis(root: Path, *videos: str) -> None:
    for name in videos:
        for t in range(3):
            frame(root / "JPEGImages" / name / f"{t:05d}.jpg")
        save(root / "Annotations" / name / "00000.png", 1)
        save(root / "Annotations" / name / "00002.png", 1, 2)


def test_davis_is_counted_by_split(door, tmp_path):
    write_davis(tmp_path / "DAVIS", "a", "b", "c")
    (tmp_path / "DAVIS/ImageSets/2017").mkdir(parents=True)
    (tmp_path / "DAVIS/ImageSets/2017/val.txt").write_text("b\n")
    answer = door("inspect", "--data", "davis", "--data.root", tmp_path / "DAVIS")
    assert rows(answer.out) == {"train": [2, 6, 4, 6], "validation and test": [1, 3, 2, 3]}
    assert "the paper's Table 1 has no row for davis" in answer.out


def test_masks_without_an_object_are_noticed(door, tmp_path):
    frame(tmp_path / "bw/JPEGImages/a/00000.jpg")
    save(tmp_path / "bw/Annotations/a/00000.png", 255)
    assert "--data.binary true" in door("inspect", "--data", "davis", "--data.root", tmp_path / "bw").out


def test_black_and_white_masks_count_as_one_object(door, tmp_path):
    for split, video in (("train", "bear"), ("val", "goat")):
        lines = ""
        for t in range(2):
            frame(tmp_path / "D16/JPEGImages/480p" / video / f"{t:05d}.jpg")
            save(tmp_path / "D16/Annotations/480p" / video / f"{t:05d}.png", 255)
            lines += f"/JPEGImages/480p/{video}/{t:05d}.jpg /Annotations/480p/{video}/{t:05d}.png\n"
        (tmp_path / "D16/ImageSets/480p").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"D16/ImageSets/480p/{split}.txt").write_text(lines)
    found = rows(door("inspect", "--data", "davis2016", "--data.root", tmp_path / "D16").out)
    assert found == {"train": [1, 2, 1, 2], "validation and test": [1, 2, 1, 2]}


@pytest.mark.parametrize(
    ("name", "published"),
    [("youtube_vos_c", [507, 13710, 25574]), ("robustpvos_train", [46768, 1774560, 3872048])],
)
def test_rendered_set_is_counted_under_each_corruption_and_all(door, tmp_path, name, published):
    for corruption in ("fog", "ISO_noise", "rain"):
        write_davis(tmp_path / "C/valid" / corruption, "x", "y")
        if name == "youtube_vos_c":
            shutil.rmtree(tmp_path / "C/valid/Annotations", ignore_errors=True)
            (tmp_path / "C/valid" / corruption / "Annotations").rename(tmp_path / "C/valid/Annotations")
    answer = door("inspect", "--data", name, "--data.root", tmp_path / "C")
    assert answer.code == 0, answer.err
    found = rows(answer.out)
    assert found["all, each corruption"] == [2, 6, 4, 6]
    assert found["all, all 3 corruptions"] == [6, 18, 12, 18]
    assert published in found.values()


def test_embedded_shapes_are_counted_by_what_they_give(door):
    from datamodules.shapes import Shapes

    shown = rows(door("inspect", "--data", "shapes").out)
    videos = list(Shapes().test_dataloader())
    assert len(videos) == 25  # clean alone: other conditions have the same clips
    masks = sum(int(mask.flatten(1).any(1).sum()) for video in videos for mask in video.masks)
    assert shown["test"] == [25, 400, sum(len(video.object_ids) for video in videos), masks]
    assert shown["validation"][:2] == [8, 128]


def test_a_row_of_the_paper_is_missed_of_published_sets_alone(door):
    assert "Table 1" not in door("inspect", "--data", "shapes").out


def test_embedded_real_vas_is_counted(door, tmp_path):
    (tmp_path / "two.yaml").write_text(
        "class_path: RealVAS\ninit_args: {sample: {occlusion: 1, containment: 0}}\n", encoding="utf-8"
    )
    answer = door("inspect", "--data", "two.yaml")
    clips, frames, objects, masks = rows(answer.out)["all"]
    assert (clips, objects) == (1, 1) and frames >= masks > 1


@pytest.mark.parametrize("name", [name for name in DATA if name not in ("shapes", "realvas")])
def test_missing_dataset_gives_the_datamodules_own_message(door, name):
    error = door("inspect", "--data", name).error
    lacking = "no footage" if name.startswith(("pasted", "hidden")) else f"no data: {name} ("
    assert lacking in error and "$ROBUSTVOS_DATA" in error and "--data.root" in error


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--data", "davsi"], "did you mean 'davis'"),
        (["--data.root", "."], "--data NAME"),
        (["--data", "shapes", "--data.root", "."], "shapes is drawn"),
        (["--data", "bad.yaml"], "class_path"),
        (["--data", "odd.yaml"], "did you mean '--data.root'"),
        (["--data", "davis", "--data.rot", "x"], "did you mean '--data.root'"),
        (["--data", "davis", "--root", "x"], "--root is now --data.root"),
        (["--data", "davis", "--data.root", "nowhere"], "nowhere does not exist"),
    ],
)
def test_slip_is_one_line(door, tmp_path, argv, said):
    (tmp_path / "bad.yaml").write_text("init_args: {}")
    (tmp_path / "odd.yaml").write_text("class_path: CorruptedVOS\ninit_args: {rooot: x}")
    assert said in door("inspect", *argv).error


def test_help_says_how(door):
    out = door("inspect", "--help").out
    assert "--data DATA" in out and "--data.root FOLDER" in out and "Table 1" in out and "cli.py inspect --data" in out
