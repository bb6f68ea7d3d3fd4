"""``realvas run VIDEOS --prompts FILE``: containment clips beside the others, joined by the stage ``camera``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from robustvos.commands.realvas import main
from robustvos.files.stage import open_results
from robustvos.realvas.sheet import write_sheet
from robustvos.scenes.carried import CarriedSpec, render_carried_clip
from robustvos.video.masks import write_binary_mask
from robustvos.video.native import find_native_clips
from robustvos.video.prompt_file import PromptLine, write_prompt_lines


@pytest.fixture(scope="module")
def boxes(scene, tmp_path_factory) -> Path:
    """A video of a container that is pushed, and gone from frame 24 to 27; prompts for it in two files."""
    folder = tmp_path_factory.mktemp("boxes")
    clip = render_carried_clip("translation", 1, CarriedSpec(size=(180, 320), frames=40, depth=0.02, hand=False))
    pictures = list(clip.clip.frames)
    for t in range(24, 29):
        pictures[t] = np.full_like(pictures[t], 128)
    scene.write_frames(folder / "box", pictures)
    rest, later = clip.rest_frame, 34
    for name, mask in (
        ("thing", clip.clip.amodal[0, 0]),
        ("carrier", clip.carrier[rest]),
        ("later", clip.carrier[later]),
    ):
        write_binary_mask(torch.from_numpy(mask), folder / f"{name}.png")
    first = [
        PromptLine(0, 1, mask=folder / "thing.png"),
        PromptLine(rest, 1, mask=folder / "carrier.png", role="container", rest_frame=rest),
    ]
    write_prompt_lines(first, folder / "first.jsonl")
    write_prompt_lines([PromptLine(later, 1, mask=folder / "later.png", role="container")], folder / "more.jsonl")
    return folder


@pytest.fixture(scope="module")
def made(boxes, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("boxes") / "run"
    main(
        [
            "realvas",
            "run",
            str(boxes / "box"),
            "--prompts",
            str(boxes / "first.jsonl"),
            "--tracker",
            "flow",
            "--out",
            str(root),
        ]
    )
    return root


def test_prompts_make_a_clip_that_stops_where_its_container_is_lost(made, capsys):
    (clip,) = open_results(made, "contain").kept
    assert clip.key == "box.o1" and clip.figures["stop"]["reason"] == "container lost"
    assert clip.figures["stop"]["frame"] == 24 == clip.figures["frames"] and clip.figures["severity"] > 0.9
    assert {r.reason for r in open_results(made, "ingest").rejected} == {"short shot"}, (
        "contained objects need no ingest"
    )
    main(["realvas", "funnel", "--out", str(made)])
    said = capsys.readouterr().out
    assert "clips of contained objects" in said and "end early: container lost" in said and "before frame 24" in said


def test_camera_joins_all_clips_in_one_dataset(made):
    (joined,) = open_results(made, "camera").kept
    assert joined.figures["stage"] == "contain" and joined.figures["category"] == "surface"
    (native,) = find_native_clips(made / "camera", ["box.o1"])
    assert native.category == "surface" and len(native.frames) == 24 and native.amodal is not None
    said = json.loads((made / "camera" / "box.o1" / "annos.json").read_text())
    assert said["containment"]["stop"]["frame"] == 24


def test_sheet_stats_and_explain_know_contained_clips(made, capsys):
    from robustvos.realvas.funnel import read_funnel

    page = write_sheet(made, read_funnel(made, 1)).read_text()
    assert "<h1>1 clip</h1>" in page and "box.o1" in page and "ends before frame 24: container lost" in page
    main(["realvas", "stats", "--out", str(made)])
    main(["realvas", "sheet", "--out", str(made)])
    main(["realvas", "explain", "box.o1", "--out", str(made)])
    said = capsys.readouterr().out
    closings = [line.partition("cli.py ")[2] for line in said.splitlines() if line.startswith("next: ")]
    assert closings == [f"realvas publish {made}", f"review {made}", f"realvas funnel --out {made}"]
    assert "surface      1" in said and "contain    box.o1: kept" in said and "picture: " in said


def test_a_second_prompt_file_takes_the_container_up_again(boxes, made, capsys):
    """A gap stays that nobody can fill, and the record says until where."""
    main(["realvas", "contain", "--prompts", str(boxes / "more.jsonl"), "--tracker", "flow", "--out", str(made)])
    said = capsys.readouterr().out
    (clip,) = open_results(made, "contain").kept
    assert clip.figures["stop"]["correction"] == 34 and 24 < clip.figures["stop"]["unknown_until"] < 34
    assert "to go on, mark the container on a frame N after 24" in said and '"role": "container"' in said


def test_flow_takes_a_box_by_the_mask_that_the_small_base_makes_of_it(boxes):
    """On drawn pictures that base is not good; what counts is that its mask is the one that flow carries."""
    from dataclasses import replace

    from robustvos.commands.realvas_options import region_source
    from robustvos.sam2.tracker import Tracker
    from robustvos.systems.loading import load_system
    from robustvos.video.frames import open_frames

    frames = open_frames(boxes / "box")
    prompt = PromptLine(2, 1, box=(40.0, 40.0, 120.0, 120.0)).as_prompt(frames.size)
    found = list(region_source("flow").masks(frames, [prompt], 3))
    said = Tracker(load_system("sam2", sam2="small").model).step(frames[2], [replace(prompt, frame=0)])
    assert len(found) == 2 and found[0].any()
    assert np.array_equal(found[0], said.masks[0].numpy())


def test_clip_of_a_container_that_leaves_the_picture_ends_there(scene, tmp_path, capsys):
    """The camera turns away from the container once the object is in it, by 14 pixels a frame."""
    import cv2

    clip = render_carried_clip("translation", 1, CarriedSpec(size=(180, 320), frames=30, depth=0.02, hand=False))
    pictures, rest = list(clip.clip.frames), clip.rest_frame
    for t in range(rest + 2, 30):
        turned = np.array([[1, 0, 14.0 * (t - rest - 1)], [0, 1, 0]])
        pictures[t] = cv2.warpAffine(pictures[rest + 1], turned, (320, 180), borderMode=cv2.BORDER_REPLICATE)
    video = scene.write_frames(tmp_path / "box", pictures)
    lines = []
    for frame, mask, role in ((0, clip.clip.amodal[0, 0], "object"), (rest, clip.carrier[rest], "container")):
        write_binary_mask(torch.from_numpy(mask), tmp_path / f"{role}.png")
        where = {"role": role, "rest_frame": rest} if role == "container" else {}
        lines.append(PromptLine(frame, 1, video=video, mask=tmp_path / f"{role}.png", **where))
    write_prompt_lines(lines, tmp_path / "prompts.jsonl")
    prompts = ["--prompts", str(tmp_path / "prompts.jsonl"), "--tracker", "flow"]
    main(["realvas", "contain", *prompts, "--out", str(tmp_path / "run")])
    (made,) = open_results(tmp_path / "run", "contain").kept
    stop = made.figures["stop"]
    assert stop["reason"] == "container left the frame" and rest + 1 < stop["frame"] == made.figures["frames"] < 30
    said = capsys.readouterr().out
    assert f"ends before frame {stop['frame']}: container left the frame" in said
