"""Small inputs of the kinds that public reports are about, in the folder that ``$ROBUSTVOS_CASES`` names: what becomes of each.

The same kinds are drawn by the tests of each room; these are files that other programs have written.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.errors import BadVideo
from robustvos.evaluation.results import load_result
from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask

FOLDER = os.environ.get("ROBUSTVOS_CASES")
CASES = Path(FOLDER or "/nonexistent")
BOX = ("--box", "10,15,40,45", "--sam2", "nano")

pytestmark = pytest.mark.skipif(FOLDER is None, reason="set ROBUSTVOS_CASES to a folder of small odd inputs")


def shown(path: Path) -> list[torch.Tensor]:
    """Every picture of the moving stream, decoded from the beginning by PyAV alone."""
    with av.open(str(path)) as container:
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        moving = max(streams, key=lambda s: (s.codec_context.name not in ("png", "mjpeg"), s.width * s.height))
        return [torch.from_numpy(f.to_ndarray(format="rgb24")).permute(2, 0, 1) for f in container.decode(moving)]


def ids_in(folder: Path) -> set[int]:
    return {int(i) for path in folder.glob("*.png") for i in np.unique(read_indexed_mask(path))} - {0}


@pytest.mark.parametrize(
    "name,length",
    [
        *(
            (f"transport_streams/{name}", 30)
            for name in ("h264.ts", "h264.m2ts", "mpeg2.ts", "no_b.mts", "one_key_no_b.ts")
        ),
        *(("transport_streams/hls0.ts", 12), ("transport_streams/hls1.ts", 12), ("transport_streams/hls2.ts", 6)),
        *((f"video_files/{name}", 30) for name in ("alpha.webm", "cover_first.mkv")),
        ("video_files/vfr.mp4", 11),
        *(
            (f"video_folder/{name}", 30)
            for name in ("PHONE.3gp", "a.flv", "anim.gif", "cam.MTS", "old.mpg", "vp9.webm")
        ),
    ],
)
def test_frames_are_those_that_are_shown_in_their_order(name, length):
    frames, expected = open_frames(CASES / name), shown(CASES / name)
    assert len(frames) == len(expected) == length
    for t in (0, 1, length // 2, length - 1, 0):
        assert (frames[t].int() - expected[t].int()).abs().max() <= 2, t


@pytest.mark.parametrize(
    "name,said", [("cutoff.avi", "truncated"), ("damaged_middle.mp4", "frame 11 cannot be decoded")]
)
def test_damaged_videos_are_refused_by_name(name, said):
    with pytest.raises(BadVideo, match=f"{name}: .*{said}"):
        list(open_frames(CASES / "video_files" / name))


def test_a_choice_among_streams_is_said():
    assert open_frames(CASES / "video_files" / "two_streams.mp4").notes == ("2 video streams: stream 1 is read, 0 not",)


def test_videos_of_every_suffix_are_corrupted(door, tmp_path):
    answer = door("corrupt", CASES / "video_folder", tmp_path / "rain", "--corruption", "rain", "--dry_run", "true")
    assert answer.code == 0 and "9 videos" in answer.out


def test_webp_frames_are_tracked_and_copies_of_a_frame_refused(door, tmp_path):
    assert door("track", CASES / "folders" / "webp", *BOX, "--out", tmp_path / "webp").code == 0
    assert len(list((tmp_path / "webp" / "masks").glob("*.png"))) == 3
    assert "00001 (1).jpg" in door("track", CASES / "folders" / "copies", *BOX, "--out", tmp_path / "no").error


@pytest.mark.parametrize(
    "mask,ids", [("antialiased.png", {1}), ("bw255.png", {1}), ("onebit.png", {1}), ("palette_7_200.png", {7, 200})]
)
def test_masks_show_the_objects_that_a_person_sees(door, tmp_path, mask, ids):
    kinds = CASES / "mask_kinds"
    answer = door("track", kinds / "f", "--mask", kinds / mask, "--sam2", "nano", "--out", tmp_path / "out")
    assert answer.code == 0 and f"{len(ids)} object(s)" in answer.out
    rows = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    place = rows[0].split(",").index("object")
    assert {int(row.split(",")[place]) for row in rows[1:]} == ids


def test_grey_levels_of_four_bits_are_the_ids_that_are_stored():
    assert {int(i) for i in np.unique(read_indexed_mask(CASES / "mask_kinds" / "gray4bit.png"))} == {0, 1, 2}


@pytest.mark.parametrize("mask", ["cvat_colour.png", "rgba.png", "mots16.png"])
def test_masks_without_ids_are_refused_by_name(door, tmp_path, mask):
    kinds = CASES / "mask_kinds"
    assert mask in door("track", kinds / "f", "--mask", kinds / mask, "--sam2", "nano", "--out", tmp_path / "out").error


def test_jpeg_born_masks_are_refused_as_ids_and_one_object_where_they_are_said_to_be(door, tmp_path):
    data = ("--data", "davis", "--data.root", CASES / "datasets" / "jpegborn", "--data.test.conditions", "[clean]")
    test = ("test", *data, "--model", "sam2", "--run", "born")
    assert "a soft black-and-white mask" in door(*test).error
    assert door(*test, "--data.binary", "true").code == 0
    (record,) = (tmp_path / "runs" / "born").glob("version_*/results.json")
    (score,) = load_result(record).objects
    assert score.scores["J&F"] > 0.85


@pytest.mark.parametrize("name,parts", [("nas", {"all": 1}), ("bom", {"train": 1, "validation and test": 1})])
def test_what_other_systems_leave_in_folders_and_lists_is_passed_over(door, name, parts):
    answer = door("inspect", "--data", "davis", "--data.root", CASES / "datasets" / name)
    found = {m[1]: int(m[2]) for m in re.finditer(r"^(\S.*?)\s{2,}(\d+)\s+\d+\s+\d+\s+\d+$", answer.out, re.MULTILINE)}
    assert found == parts


def test_annotations_of_other_names_than_their_frames_are_one_line(door):
    data = ("--data", "davis", "--data.root", CASES / "datasets" / "mism", "--data.test.conditions", "[clean]")
    assert "an annotation is matched to its frame by name" in door("test", *data, "--model", "sam2").error


def test_pictures_are_seen_upright(door, tmp_path):
    stored = CASES / "exif" / "ds6" / "JPEGImages" / "v"
    height, width = open_frames(stored).size
    assert (width, height) == Image.open(stored / "00000.jpg").size[::-1]
    assert door("corrupt", CASES / "exif" / "ds6", tmp_path / "fog", "--corruption", "fog").code == 0
    copy = tmp_path / "fog" / "fog" / "JPEGImages" / "v"
    assert open_frames(copy).size == (height, width) == Image.open(copy / "00000.jpg").size[::-1]


def test_black_and_white_masks_score_as_masks_of_one_id_do(door, tmp_path):
    pages = CASES / "score" / "bw"
    for name in ("pred", "pred01"):
        assert door("score", pages / name, pages / "gt", "--out", tmp_path / name).code == 0
    white, one = (load_result(tmp_path / name / "results.json").objects for name in ("pred", "pred01"))
    assert [o.scores for o in white] == [o.scores for o in one] and len(one) == 1


@pytest.mark.parametrize(
    "prompt,said",
    [
        (("--box", "40,45,10,15"), "40,45,10,15"),
        (("--box", "-5,10,40,60"), "-5,10,40,60"),
        (("--box", "nan,1,2,3"), "nan"),
        (("--point", "900,900"), "900"),
    ],
)
def test_prompts_that_cannot_be_meant_are_one_line(door, tmp_path, prompt, said):
    assert said in door("track", CASES / "prompts" / "f", *prompt, "--sam2", "nano", "--out", tmp_path / "out").error


def test_clicks_on_two_things_are_two_objects(door, tmp_path):
    clicks = ("--point", "1:25,30", "--point", "2:70,40")
    answer = door(
        "track", CASES / "prompts" / "f", *clicks, "--frame", "1", "--sam2", "nano", "--out", tmp_path / "out"
    )
    assert answer.code == 0 and "2 object(s)" in answer.out
