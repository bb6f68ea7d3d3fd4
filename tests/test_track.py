"""``track`` beyond the first frame: prompt files, objects that come and go, backwards, streams, other forms of masks."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask
from robustvos.video.prompt_file import PromptLine, write_prompt_lines
from robustvos.video.track_scores import area_and_box, read_scores
from robustvos.video.writer import VideoWriter

HEIGHT, WIDTH, LENGTH = 48, 64, 5


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with VideoWriter(path, 10) as writer:
        for t in range(LENGTH):
            frame = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
            cv2.circle(frame, (16 + 2 * t, 20), 9, (230, 60, 40), -1)
            cv2.rectangle(frame, (40, 24 + t), (56, 38 + t), (40, 90, 220), -1)
            writer.add(torch.from_numpy(frame).permute(2, 0, 1))
    return path


@pytest.fixture
def track(door, tiny_base, video):
    def run(*argv, source=video):
        common = ["--model", "sam2", "--sam2", tiny_base, "--out", "out", "--overlay", "false"]
        return door("track", source, *common, *argv)

    return run


def ids_of_frames(folder):
    masks = [read_indexed_mask(folder / f"{t:05d}.png") for t in range(LENGTH)]
    return [sorted(set(np.unique(mask).tolist()) - {0}) for mask in masks]


def scored(path):
    return {(row.frame, row.object_id): row for row in read_scores(path)}


def test_objects_of_a_prompt_file_come_are_corrected_and_go(track, tmp_path):
    lines = [
        PromptLine(0, 1, box=(7, 11, 25, 29)),
        PromptLine(2, 7, points=((48, 33, 1),)),
        PromptLine(2, 7, points=((5, 5, 0),)),  # adds a click
        PromptLine(3, 1, points=((22, 20, 1),)),
        PromptLine(4, 1, remove=True),
        PromptLine(0, 9, box=(1, 1, 5, 5), video=tmp_path / "other.mp4"),
    ]
    write_prompt_lines(lines, tmp_path / "p.jsonl")
    answer = track("--prompts", "p.jsonl")
    assert answer.code == 0, answer.err
    assert "2 object(s)" in answer.out
    rows = scored(tmp_path / "out" / "scores.csv")
    assert sorted(rows) == [(0, 1), (1, 1), (2, 1), (2, 7), (3, 1), (3, 7), (4, 7)]
    for (frame, object_id), row in rows.items():
        mask = read_indexed_mask(tmp_path / "out" / "masks" / f"{frame:05d}.png") == object_id
        assert (row.area, row.box) == area_and_box(mask)
        assert 0 <= row.presence <= 1
        assert 0 <= row.sureness <= 1


def test_backwards_reaches_the_beginning_and_leaves_the_rest_alone(track, door, tmp_path):
    given = ["--box", "3:10,11,29,29", "--frame", "2"]
    assert track(*given).code == 0
    forwards = scored(tmp_path / "out" / "scores.csv")
    (tmp_path / "out").rename(tmp_path / "forwards")
    assert track(*given, "--backwards").code == 0
    both = scored(tmp_path / "out" / "scores.csv")
    assert sorted(forwards) == [(t, 3) for t in range(2, LENGTH)]
    assert sorted(both) == [(t, 3) for t in range(LENGTH)]
    assert {place: both[place] for place in forwards} == forwards


def test_clicks_name_their_objects_and_a_second_system_runs_beside(door, video, tiny_base, tmp_path):
    common = [
        "--sam2",
        tiny_base,
        "--out",
        "out",
        "--point",
        "4:16,20",
        "--box",
        "2:40,24,56,38",
        "--point",
        "4:60,4,0",
    ]
    assert "what tracks already" in door("track", video, *common, "--model", "sam2", "--compare", "sam2").error
    assert not (tmp_path / "out").exists()
    saved = trained_lora(tiny_base, tmp_path)
    answer = door("track", video, *common, "--model", saved, "--compare", "sam2", "--limit", 2)
    assert answer.code == 0, answer.err
    left = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert left == {
        *(f"{place}masks/{t:05d}.png" for place in ("", "sam2/") for t in range(2)),
        *("scores.csv", "sam2/scores.csv", "overlay.mp4", "compare.mp4"),
    }
    assert set(scored(tmp_path / "out" / "sam2" / "scores.csv")) == {(t, i) for t in range(2) for i in (2, 4)}
    one, both = open_frames(tmp_path / "out" / "overlay.mp4"), open_frames(tmp_path / "out" / "compare.mp4")
    assert len(both) == 2
    assert both.size[1] >= 2 * one.size[1]


def trained_lora(tiny_base, folder):
    """LoRA with weights that are not the identity, saved as a folder."""
    import yaml

    from robustvos.adapters.lora import LoRA
    from robustvos.sam2.config import Sam2Config
    from robustvos.systems.system import System

    system = System(Sam2Config(**yaml.safe_load(tiny_base.read_text())), LoRA(rank=2))
    with torch.no_grad():
        for parameter in system.adapter.parameters():
            parameter.add_(0.05)
    return system.save_pretrained(folder / "saved")


@pytest.mark.parametrize("kind", ["png", "coco_rle", "ytvos"])
def test_forms_of_masks_hold_the_same(track, tmp_path, kind):
    if kind == "coco_rle":
        codec = pytest.importorskip("pycocotools.mask", reason="needs the extra 'coco'")
    assert track("--box", "7,11,25,29", "--format", kind).code == 0
    out, rows = tmp_path / "out", scored(tmp_path / "out" / "scores.csv")
    areas = [rows[t, 1].area for t in range(LENGTH)]
    if kind == "coco_rle":
        content = json.loads((out / "masks.json").read_text())
        found = {a["image_id"]: int(codec.decode(a["segmentation"]).sum()) for a in content["annotations"]}
        assert [found.get(t, 0) for t in range(LENGTH)] == areas
        assert len(content["images"]) == LENGTH
    elif kind == "png":
        assert [int((read_indexed_mask(out / "masks" / f"{t:05d}.png") == 1).sum()) for t in range(LENGTH)] == areas
    else:
        folder = out / "Annotations" / "clip"
        assert [int((read_indexed_mask(folder / f"{t:05d}.png") == 1).sum()) for t in range(LENGTH)] == areas
        named = json.loads((out / "meta.json").read_text())["videos"]["clip"]["objects"]["1"]["frames"]
        assert named == [f"{t:05d}" for t in range(LENGTH) if areas[t]]
    for other in (kind, "png" if kind != "png" else "ytvos"):
        assert "is of an earlier run" in track("--box", "7,11,25,29", "--format", other).error


def test_standard_input_is_tracked_as_the_file_is(track, video, tmp_path, monkeypatch):
    assert track("--box", "7,11,25,29").code == 0
    (tmp_path / "out").rename(tmp_path / "file")
    stream = io.BytesIO()
    with_av(video, stream)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stream.getvalue()), isatty=lambda: False))
    answer = track("--box", "7,11,25,29", source="-")
    assert answer.code == 0, answer.err
    assert (tmp_path / "out" / "scores.csv").read_text() == (tmp_path / "file" / "scores.csv").read_text()


def test_interrupted_stream_keeps_what_was_tracked(track, video, tmp_path, monkeypatch):
    from robustvos.video import live

    stream, following = io.BytesIO(), live.LiveFrames.__next__
    with_av(video, stream)
    frames = iter(range(LENGTH))

    def interrupted(self):
        if next(frames) == 3:
            raise KeyboardInterrupt
        return following(self)

    monkeypatch.setattr(live.LiveFrames, "__next__", interrupted)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stream.getvalue()), isatty=lambda: False))
    answer = track("--box", "7,11,25,29", source="-")
    assert answer.code == 0, answer.err
    assert "3 frames" in answer.out
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 3
    assert sorted(scored(tmp_path / "out" / "scores.csv")) == [(t, 1) for t in range(3)]


def with_av(video, stream):
    """The same packets in Matroska, which can be read from a pipe."""
    import av

    with av.open(str(video)) as source, av.open(stream, "w", format="matroska") as target:
        out = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = out
                target.mux(packet)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--box", "1:7,11,25,29", "--point", "9,9"], "name all of them"),
        (["--box", "1:7,11,25,29", "--box", "1:7,11,25,30"], "two --box for object 1"),
        (["--point", "0:7,11"], "from 1 to 255"),
        (["--point", "a:7,11"], "cannot read"),
        (["--box", "7,11,25,29", "--frame", "5"], "frames 0 to 4"),
        (["--box", "7,11,25,29", "--frame", "-1"], "counted from 0"),
        (["--prompts", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--prompts", "nowhere.jsonl", "--point", "3,3"], "says it all"),
        (["--box", "7,11,25,29", "--limit", "0"], "at least 1"),
        (["--box", "7,11,25,29", "--compare", "samtwo"], "did you mean"),
    ],
)
def test_what_cannot_be_meant_is_one_line(track, tmp_path, argv, said):
    assert said in track(*argv).error
    assert not (tmp_path / "out").exists()


def test_prompt_files_that_contradict_themselves_are_refused(track, tmp_path):
    write_prompt_lines([PromptLine(0, 1, box=(7, 11, 25, 29)), PromptLine(0, 1, box=(7, 11, 25, 30))], "p.jsonl")
    assert "two things of object 1" in track("--prompts", "p.jsonl").error
    write_prompt_lines([PromptLine(1, 1, box=(7, 11, 25, 29)), PromptLine(1, 2, remove=True)], "p.jsonl")
    assert "before any prompt shows it" in track("--prompts", "p.jsonl").error
    write_prompt_lines([PromptLine(1, 1, box=(7, 11, 25, 29), role="container")], "p.jsonl")
    assert "no prompt for an object" in track("--prompts", "p.jsonl").error


def test_sources_that_give_nothing_are_one_line(track, monkeypatch):
    assert "camera 97" in track("--box", "7,11,25,29", source="97").error
    assert "rtsp://127.0.0.1:9" in track("--box", "7,11,25,29", source="rtsp://127.0.0.1:9/x").error
    assert "from its end" in track("--box", "7,11,25,29", "--backwards", source="rtsp://127.0.0.1:9/x").error
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"no video"), isatty=lambda: False))
    assert "standard input" in track("--box", "7,11,25,29", source="-").error
