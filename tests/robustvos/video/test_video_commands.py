"""Videos, folders and masks of every kind through the commands, as a person runs them."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from counted_videos import HEIGHT, WIDTH, number_of, numbered, write_numbered
from PIL import Image

from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask

BOX = "0,0,24,12"  # the red corner


@pytest.fixture
def track(door: Any, tiny_base: Path) -> Any:
    def run(*argv: object) -> Any:
        return door("track", *argv, "--model", "sam2", "--sam2", tiny_base, "--out", "out")

    return run


def sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_file_without_video_is_one_line_and_not_for_ever(track: Any, door: Any, tmp_path: Path) -> None:
    path = sound(tmp_path / "sound.mp4")
    assert "no video stream" in track(path, "--box", BOX).error
    answer = door("corrupt", path, "copies", "--corruption", "fog")
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith("error: ") and "no video stream" in answer.err


def test_track_follows_a_transport_stream_frame_by_frame(track: Any, tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "cam:1.ts", range(14))
    assert track(path, "--box", BOX).code == 0
    shown = open_frames(tmp_path / "out" / "overlay.mp4")
    assert [number_of(frame) for frame in shown] == list(range(14))


def test_track_says_and_keeps_pixels_that_are_not_square(track: Any, tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", range(3), aspect=Fraction(4, 3))
    answer = track(path, "--box", BOX)
    assert "pixels are 4:3, not square" in answer.out
    assert open_frames(tmp_path / "out" / "overlay.mp4").pixel_aspect == Fraction(4, 3)


def exif_folder(folder: Path, orientation: int) -> Path:
    folder.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for number in range(3):
        Image.fromarray(numbered(number)).save(folder / f"{number:05d}.jpg", exif=exif, quality=95)
    return folder


def test_masks_fit_the_frames_as_shown_and_others_are_refused_naming_exif(track: Any, tmp_path: Path) -> None:
    folder = exif_folder(tmp_path / "frames", 6)
    stored = np.zeros((HEIGHT, WIDTH), np.uint8)
    stored[:12, :24] = 1
    Image.fromarray(stored).save(tmp_path / "stored.png")
    assert "EXIF orientation 6" in track(folder, "--mask", tmp_path / "stored.png").error
    Image.fromarray(np.rot90(stored, -1)).save(tmp_path / "shown.png")
    answer = track(folder, "--mask", tmp_path / "shown.png")
    assert answer.code == 0, answer.err
    assert read_indexed_mask(tmp_path / "out" / "masks" / "00000.png").shape == (WIDTH, HEIGHT)


def test_a_corrupted_copy_of_turned_frames_is_upright(door: Any, tmp_path: Path) -> None:
    exif_folder(tmp_path / "data" / "frames", 6)
    assert door("corrupt", "data", "copies", "--corruption", "resampling_blur", "--severity", "0.5").code == 0
    copy = open_frames(tmp_path / "copies" / "resampling_blur" / "JPEGImages" / "frames")
    assert (copy.size, copy.notes) == ((WIDTH, HEIGHT), ())
    turned = np.rot90(copy[2].permute(1, 2, 0).numpy(), 1)
    assert turned[:8, :16, 0].mean() > turned[:8, 40:, 0].mean() + 60  # the red corner is where it was stored


def test_corrupt_reads_every_kind_of_video_and_names_what_is_none(door: Any, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    kinds = {"a.ts": "libx264", "b.MTS": "libx264", "c.gif": "gif", "d.flv": "libx264", "e.mpg": "mpeg2video"}
    for name, codec in {**kinds, "f.3gp": "libx264", "g.MP4": "libx264"}.items():
        lower = write_numbered(folder / name.lower(), range(3), codec)
        lower.rename(folder / name)
    (folder / "notes.txt").write_text("")
    (folder / "h.xyz").write_bytes(b"")
    (folder / "empty").mkdir()
    (folder / "._a.ts").write_bytes(b"")
    answer = door("corrupt", folder, "copies", "--corruption", "rain", "--dry_run")
    assert "7 videos" in answer.out
    assert answer.out.splitlines()[1].endswith("empty, h.xyz, notes.txt")
    assert door("corrupt", folder, "copies", "--corruption", "color_jitter").code == 0
    for name in "abcdefg":
        copied = open_frames(tmp_path / "copies" / "color_jitter" / "JPEGImages" / name)
        assert len(copied) == 3


def test_pictures_beside_videos_are_not_taken_for_the_only_video(door: Any, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    write_numbered(tmp_path / "videos" / "a.mp4", range(3))
    Image.fromarray(numbered(1)).save(tmp_path / "videos" / "poster.jpg")
    assert "1 pictures" in door("corrupt", "videos", "copies", "--corruption", "fog").error


def write_masks(folder: Path, masks: list[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for t, mask in enumerate(masks):
        Image.fromarray(mask).save(folder / f"{t:05d}.png")


def discs(shift: int, white: int) -> list[np.ndarray]:
    planes = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(4)]
    return [cv2.circle(plane, (30 + 3 * t + shift, 24), 12, white, -1) for t, plane in enumerate(planes)]


def soft(masks: list[np.ndarray]) -> list[np.ndarray]:
    """Edges of several levels that are cut at half to the same masks."""
    wide = [cv2.GaussianBlur(mask, (0, 0), 0.8) for mask in masks]
    return [
        np.where(mask > 0, np.maximum(one, 128), np.minimum(one, 127)) for mask, one in zip(masks, wide, strict=True)
    ]


def scores(door: Any, pred: str, gt: str) -> tuple[float, list[dict[str, str]], str]:
    answer = door("score", pred, gt, "--out", f"s_{pred}_{gt}")
    assert answer.code == 0, answer.err
    with Path(f"s_{pred}_{gt}", "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    return float(rows[0]["J-Mean"]), rows, answer.out + answer.err


def test_black_and_white_masks_score_as_ids_do(door: Any, tmp_path: Path) -> None:
    for name, shift in (("pred", 4), ("gt", 0)):
        write_masks(tmp_path / f"{name}_ids" / "v", discs(shift, 1))
        write_masks(tmp_path / f"{name}_white" / "v", discs(shift, 255))
        write_masks(tmp_path / f"{name}_soft" / "v", soft(discs(shift, 255)))
    expected, _, _ = scores(door, "pred_ids", "gt_ids")
    assert 0.3 < expected < 0.95
    for pred in ("pred_ids", "pred_white", "pred_soft"):
        for gt in ("gt_ids", "gt_white", "gt_soft"):
            j, rows, said = scores(door, pred, gt)
            assert (j, len(rows)) == (pytest.approx(expected, abs=1e-6), 1), (pred, gt)
            assert ("soft edges" in said) == ("soft" in pred + gt), (pred, gt)


def test_void_is_void_where_the_truth_has_ids(door: Any, tmp_path: Path) -> None:
    truth = discs(0, 1)
    truth[0][:] = 255  # a first frame that nobody knows
    write_masks(tmp_path / "gt" / "v", truth)
    write_masks(tmp_path / "pred" / "v", discs(0, 1))
    j, rows, _ = scores(door, "pred", "gt")
    assert (j, len(rows)) == (1.0, 1)


def test_davis_2016_is_tested_scored_and_tracked_alike(door: Any, track: Any, tiny_base: Path, tmp_path: Path) -> None:
    frames = tmp_path / "data" / "JPEGImages" / "480p" / "v"
    frames.mkdir(parents=True)
    for t in range(4):
        Image.fromarray(numbered(t)).save(frames / f"{t:05d}.jpg")
    truth = tmp_path / "data" / "Annotations" / "480p"
    write_masks(truth / "v", discs(0, 255))
    answer = door(
        *("test", "--model", "sam2", "--sam2", tiny_base, "--data", "davis2016", "--data.root", "data", "--run", "t"),
        *("--data.test.conditions", "[clean]"),
    )
    assert answer.code == 0, answer.err
    (run,) = (tmp_path / "runs" / "t").iterdir()
    tested = json.loads((run / "results.json").read_text())
    j_of_test = [record["scores"]["J"] for record in tested["objects"]]
    answer = door("score", run / "masks", truth, "--skip_first_last", "--out", "s")
    assert answer.code == 0, answer.err
    with Path("s", "scores.csv").open() as file:
        assert [float(row["J-Mean"]) for row in csv.DictReader(file)] == pytest.approx(j_of_test, abs=1e-6)
    answer = track(frames, "--mask", truth / "v" / "00000.png")
    assert answer.code == 0 and "white is object 1" in answer.out
    for mask in sorted((run / "masks").rglob("*.png")):
        assert set(np.unique(read_indexed_mask(mask))) <= {0, 1}
        assert np.array_equal(read_indexed_mask(tmp_path / "out" / "masks" / mask.name), read_indexed_mask(mask))


def test_a_soft_dataset_is_refused_or_read_in_black_and_white(door: Any, tiny_base: Path, tmp_path: Path) -> None:
    frames = tmp_path / "data" / "JPEGImages" / "v"
    frames.mkdir(parents=True)
    for t in range(4):
        Image.fromarray(numbered(t)).save(frames / f"{t:05d}.jpg")
    write_masks(tmp_path / "data" / "Annotations" / "v", soft(discs(0, 255)))
    test = ("test", "--model", "sam2", "--sam2", tiny_base, "--data.root", "data", "--run", "t")
    assert "ring one another" in door(*test, "--data", "davis").err
    assert door(*test, "--data", "davis2016", "--data.test.conditions", "[clean]").code == 0
    (run,) = (path for path in (tmp_path / "runs" / "t").iterdir() if (path / "results.json").is_file())
    assert len(json.loads((run / "results.json").read_text())["objects"]) == 1
