"""The tools behind the door: track, score, report, inspect, export."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask
from robustvos.video.writer import VideoWriter

ROOT = Path(__file__).resolve().parents[1]
HEIGHT, WIDTH = 48, 64
BOX = "8,8,24,24"


def frames(count: int) -> list[torch.Tensor]:
    """A red square that moves over grey."""
    clip = torch.full((count, 3, HEIGHT, WIDTH), 90, dtype=torch.uint8)
    for t in range(count):
        clip[t, :, 8:24, 8 + t : 24 + t] = torch.tensor([220, 30, 30], dtype=torch.uint8)[:, None, None]
    return list(clip)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, fps=5) as writer:
        for frame in frames(3):
            writer.add(frame)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "frames"
    path.mkdir()
    for t, frame in enumerate(frames(3)):
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(path / f"{t:03d}.jpg")
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    ids = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    ids[8:24, 8:24], ids[30:40, 40:60] = 3, 7
    return save(tmp_path / "first.png", ids)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def track(door, tiny_base):
    """``track(video, ...)`` with the frozen tiny model into ``out``."""

    def run(*argv, out="out", model="sam2"):
        return door("track", *argv, "--model", model, "--sam2", tiny_base, "--out", out)

    return run


# track


@pytest.mark.parametrize("source", ["video", "folder"])
def test_track_writes_a_mask_per_frame_and_an_overlay(request, track, tmp_path, source):
    path = request.getfixturevalue(source)
    answer = track(path, "--box", BOX)
    assert answer.code == 0, answer.err
    source_frames = open_frames(path)
    assert sorted(p.stem for p in (tmp_path / "out" / "masks").iterdir()) == list(source_frames.frame_names)
    for png in (tmp_path / "out" / "masks").iterdir():
        ids = read_indexed_mask(png)
        assert ids.shape == (HEIGHT, WIDTH)
        assert set(np.unique(ids)) <= {0, 1}
    overlaid = open_frames(tmp_path / "out" / "overlay.mp4")
    assert (len(overlaid), overlaid.size) == (3, (HEIGHT, WIDTH))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["masks", "overlay.mp4", "scores.csv"]
    assert "out/masks" in answer.out
    assert answer.err == ""


def test_overlay_is_left_out_if_asked(track, video, tmp_path):
    answer = track(video, "--box", BOX, "--overlay", "false")
    assert answer.code == 0, answer.err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["masks", "scores.csv"]
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 3
    assert "overlay.mp4" not in answer.out


def test_mask_prompt_keeps_its_ids_and_is_the_first_result(track, video, mask, tmp_path):
    assert track(video, "--mask", mask).code == 0
    first = read_indexed_mask(tmp_path / "out" / "masks" / "00000.png")
    given = read_indexed_mask(mask)
    assert set(np.unique(first)) == {0, 3, 7}
    assert np.mean(first == given) > 0.95  # it went through the model's low resolution


def test_a_system_goes_to_a_device_as_a_whole():
    from robustvos.systems.loading import load_system

    system = load_system("moga", sam2="nano").to("meta")
    assert {p.device.type for part in (system.model, system.adapter) for p in part.parameters()} == {"meta"}


def test_track_follows_objects_in_restored_frames(track, folder, tiny_base, tmp_path):
    from robustvos.restoration import URIE
    from robustvos.sam2.build import build_sam2
    from robustvos.sam2.config import Sam2Config
    from robustvos.sam2.tracker import Tracker
    from robustvos.types import Prompt

    torch.manual_seed(0)
    weights, system = tmp_path / "urie.pt", tmp_path / "restored.yaml"
    torch.save({f"module.{k}": v for k, v in URIE(checkpoint="none").network.state_dict().items()}, weights)
    restorer = {"class_path": "URIE", "init_args": {"checkpoint": str(weights)}}
    system.write_text(yaml.safe_dump({"class_path": "PromptableVOS", "init_args": {"restorer": restorer}}))
    assert track(folder, "--box", BOX, model=system).code == 0

    urie = URIE(checkpoint=str(weights)).prepare()
    tracker = Tracker(build_sam2(Sam2Config(**yaml.safe_load(tiny_base.read_text()))), num_frames=3)
    box = Prompt(1, box=torch.tensor([float(n) for n in BOX.split(",")]))
    for t, frame in enumerate(open_frames(folder)):
        restored = urie.restore(frame)
        assert not torch.equal(restored, frame)
        expected = tracker.step(restored, [box] if t == 0 else []).masks[0].numpy()
        assert np.array_equal(read_indexed_mask(tmp_path / "out" / "masks" / f"{t:03d}.png") == 1, expected)


@pytest.mark.parametrize(
    ("prompts", "ids"),
    [
        (["--point", "16,16"], {1}),
        (["--point", "16,16", "--point", "50,40,0"], {1}),
        (["--box", BOX, "--point", "16,16"], {1}),
        (["--box", BOX, "--box", "40,30,60,40"], {1, 2}),
    ],
)
def test_every_form_of_prompt_is_followed(track, folder, tmp_path, prompts, ids):
    answer = track(folder, *prompts)
    assert answer.code == 0, answer.err
    assert f"{len(ids)} object(s)" in answer.out
    seen = {int(i) for png in (tmp_path / "out" / "masks").iterdir() for i in np.unique(read_indexed_mask(png))}
    assert seen <= ids | {0}


def test_names_with_spaces_and_accents_are_kept(track, folder, tmp_path):
    place = tmp_path / "schöne Äpfel 苹果"
    folder.rename(place)
    (place / "000.jpg").rename(place / "000 début.jpg")
    assert track(place, "--box", BOX, out="résultat final").code == 0
    names = sorted(p.name for p in (tmp_path / "résultat final" / "masks").iterdir())
    assert names == ["000 début.png", "001.png", "002.png"]


def test_one_frame_is_enough(track, tmp_path):
    with VideoWriter(tmp_path / "one.mp4", fps=5) as writer:
        writer.add(frames(1)[0])
    assert track(tmp_path / "one.mp4", "--box", BOX).code == 0
    assert [p.name for p in (tmp_path / "out" / "masks").iterdir()] == ["00000.png"]


def broken_frame(folder: Path) -> list:
    data = (folder / "001.jpg").read_bytes()
    (folder / "001.jpg").write_bytes(data[: len(data) // 2])
    return [folder, "--box", BOX]


def other_size(folder: Path) -> list:
    Image.new("RGB", (WIDTH + 2, HEIGHT)).save(folder / "002.jpg")
    return [folder, "--box", BOX]


def masked(pixels: np.ndarray):
    return lambda folder: [folder, "--mask", save(folder.parent / "given.png", pixels)]


def empty_file(folder: Path) -> list:
    (folder.parent / "empty.mp4").touch()
    return [folder.parent / "empty.mp4", "--box", BOX]


def cut_video(folder: Path) -> list:
    path = folder.parent / "cut.mp4"
    with VideoWriter(path, fps=5) as writer:
        for frame in frames(3):
            writer.add(frame)
    path.write_bytes(path.read_bytes()[:200])
    return [path, "--box", BOX]


def empty_folder(folder: Path) -> list:
    (folder.parent / "nothing").mkdir()
    return [folder.parent / "nothing", "--box", BOX]


def given(*prompts: object):
    return lambda folder: [folder, *prompts]


BAD = {
    "missing video": (lambda folder: ["nowhere.mp4", "--box", BOX], "nowhere.mp4"),
    "empty file": (empty_file, "empty.mp4"),
    "cut video": (cut_video, "cut.mp4"),
    "empty folder": (empty_folder, "nothing"),
    "single image": (lambda folder: [folder / "000.jpg", "--box", BOX], "single image"),
    "truncated frame": (broken_frame, "001"),
    "frame of another size": (other_size, "002"),
    "mask of another size": (masked(np.ones((HEIGHT, WIDTH - 2), np.uint8)), "given.png"),
    "empty mask": (masked(np.zeros((HEIGHT, WIDTH), np.uint8)), "no object"),
    "16-bit mask": (masked(np.ones((HEIGHT, WIDTH), np.uint16)), "16"),
    "colour mask": (masked(np.ones((HEIGHT, WIDTH, 3), np.uint8)), "colour"),
    "missing mask": (given("--mask", "nowhere.png"), "nowhere.png"),
    "point outside": (given("--point", f"{WIDTH + 1},3"), "object 1"),
    "box outside": (given("--box", f"1,1,{WIDTH + 9},9"), "leaves the frame"),
    "box without area": (given("--box", "9,9,9,20"), "no area"),
    "box of three": (given("--box", "1,2,3"), "x0,y0,x1,y1"),
    "point of words": (given("--point", "left,top"), "left,top"),
    "point not a number": (given("--point", "nan,3"), "object 1"),
    "unknown label": (given("--point", "3,3,5"), "third number"),
    "mask and box": (given("--mask", "first.png", "--box", BOX), "--mask"),
    "points on two boxes": (given("--box", BOX, "--box", BOX, "--point", "9,9"), "which"),
    "no prompt": (given(), "--box"),
    "unknown device": (given("--box", BOX, "--device", "abacus"), "abacus"),
    "unknown flag": (given("--boxes", BOX), "--boxes"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(track, folder, tmp_path, case):
    make, said = BAD[case]
    assert said in track(*make(folder)).error
    assert not (tmp_path / "out").exists()


def test_failure_leaves_an_existing_folder_as_it_was(track, folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note.txt").write_text("mine")
    assert track(*broken_frame(folder)).code == 2
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["note.txt"]


def test_masks_of_an_earlier_run_are_not_touched(track, folder, tmp_path):
    kept = tmp_path / "out" / "masks" / "old.png"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"old")
    assert "is of an earlier run" in track(folder, "--box", BOX).error
    assert [p.name for p in kept.parent.iterdir()] == ["old.png"]


def test_out_that_cannot_be_written_is_one_line(track, folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in track(folder, "--box", BOX, out="file/out").error


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_read_only_out_is_one_line(track, folder, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    assert "cannot write" in track(folder, "--box", BOX, out="locked/out").error


@pytest.mark.skipif(
    not Path("/sys/kernel").is_dir(), reason="needs a file system that not even the administrator writes to"
)
def test_out_on_a_read_only_file_system_is_one_line(track, folder):
    assert "cannot write" in track(folder, "--box", BOX, out="/sys/kernel/masks").error


def test_untrained_adapter_is_not_tracked_with(track, folder, tmp_path):
    error = track(folder, "--box", BOX, model="moga").error
    assert "--ckpt_path" in error
    assert "--model sam2" in error
    assert not (tmp_path / "out").exists()


# Trained weights in the tools


def test_base_for_real_video_is_the_default(door, folder):
    assert "sam2 on small: " in door("track", folder, "--box", BOX, "--out", "out").out
    answer = door("track", folder, "--box", BOX, "--model", "moga", "--out", "adapted")
    assert "moga on nano: " in answer.out  # the adapter that is shipped


def test_run_is_tracked_with_by_its_checkpoint_alone(door, trained, folder, tmp_path):
    answer = door("track", folder, "--box", BOX, "--ckpt_path", trained / "checkpoints" / "last.ckpt", "--out", "out")
    assert answer.code == 0, answer.err
    assert "moga on nano" in answer.out


def test_exported_weights_track_as_the_run_does(door, trained, folder, tiny_base, tmp_path):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert door("export", checkpoint, "--out", "moga.safetensors").code == 0
    system = tmp_path / "mine.yaml"
    adapter = {"class_path": "MoGA", "init_args": {"rank": 4}}
    system.write_text(yaml.safe_dump({"class_path": "PromptableVOS", "init_args": {"adapter": adapter}}))
    named = ["--model", system, "--sam2", tiny_base]
    for out, weights in (("run", checkpoint), ("file", "moga.safetensors")):
        assert door("track", folder, "--box", BOX, *named, "--ckpt_path", weights, "--out", out).code == 0
    for png in (tmp_path / "run" / "masks").iterdir():
        assert np.array_equal(read_indexed_mask(png), read_indexed_mask(tmp_path / "file" / "masks" / png.name))


def test_export_holds_every_trained_value(door, trained, tmp_path):
    from safetensors.torch import load_file

    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert door("export", checkpoint, "--out", "moga.safetensors").code == 0
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    torch.testing.assert_close(load_file(tmp_path / "moga.safetensors"), state, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["export", "nowhere.ckpt", "--out", "a.safetensors"], "nowhere.ckpt"),
        (["export", "nowhere.ckpt", "--out", "a.pt"], ".safetensors"),
        (["inspect", "--model", "mogga"], "moga"),
        (["inspect", "--sam2", "nanno"], "nano"),
        (["score", "nowhere", "nowhere"], "nowhere"),
        (["report", "nowhere", "--out", "page"], "nowhere"),
        (["report"], "RUNS"),
    ],
)
def test_slip_with_a_tool_is_one_line(door, tmp_path, argv, said):
    assert said in door(*argv).error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("class_path: PromptableVOS\ninit_args: {adapter: {class_path: MoGGA}}", "MoGGA"),
        ("class_path: PromptableVOS\ninit_args: {adapter: {class_path: MoGA, init_args: {rnak: 4}}}", "rnak"),
        ("class_path: PromptableVOS\ninit_args: {restorer: {class_path: Sharpen}}", "restorer"),
        ("model: {class_path: PromptableVOS}", "class_path"),
        ("model: {", "YAML"),
    ],
)
def test_slip_in_a_system_file_is_one_line(door, tmp_path, content, said):
    (tmp_path / "mine.yaml").write_text(content)
    assert said in door("inspect", "--model", "mine.yaml").error


def test_slip_in_a_base_file_suggests_the_nearest(door, tmp_path):
    (tmp_path / "mine.yaml").write_text("varaint: nano")
    assert "'variant'" in door("inspect", "--model", "sam2", "--sam2", "mine.yaml").error


# inspect, score, report


def test_inspect_counts_parameters(door, tiny_base, trained):
    from robustvos.sam2.build import build_sam2
    from robustvos.sam2.config import Sam2Config

    base = sum(p.numel() for p in build_sam2(Sam2Config("nano", "random")).parameters())
    answer = door("inspect", "--model", "sam2")
    assert answer.code == 0, answer.err
    rows = {line.split("  ")[0]: line.split() for line in answer.out.splitlines() if line}
    assert rows["total"][1:] == [f"{base:,}", "0"]
    whole = door("inspect", "--model", "finetune").out
    assert next(line for line in whole.splitlines() if line.startswith("total")).split()[1:] == [f"{base:,}"] * 2


def test_score_of_shifted_squares(door, tmp_path):
    for name, shift in (("truth", 0), ("found", 4)):
        (tmp_path / name / "a").mkdir(parents=True)
        for t in range(2):
            ids = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
            ids[8:24, 8 + shift : 24 + shift] = 1
            save(tmp_path / name / "a" / f"{t:05d}.png", ids)
    answer = door("score", "found", "truth", "--skip_first_last", "false", "--out", "scores")
    assert answer.code == 0, answer.err
    shown = {line.split()[0]: float(line.split()[1]) for line in answer.out.splitlines()[:3]}
    assert shown["J"] == pytest.approx(12 / 20, abs=1e-4)  # 12 of 20 columns are common
    assert shown["J&F"] == pytest.approx((shown["J"] + shown["F"]) / 2, abs=1e-4)
    assert (tmp_path / "scores" / "scores.csv").is_file()


def test_score_without_a_frame_that_counts_says_so(door, tmp_path):
    ids = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    ids[8:24, 8:24] = 1
    for name in ("truth", "found"):
        (tmp_path / name / "a").mkdir(parents=True)
        save(tmp_path / name / "a" / "00000.png", ids)
    assert "no frame counts" in door("score", "found", "truth", "--skip_first_last").error


def test_report_shows_a_tested_run(door, tiny_config, tmp_path):
    assert door("test", "--config", tiny_config, "--model", "sam2", "--data.test.limit", 1, "--run", "a").code == 0
    answer = door("report", "runs", "--out", "page", "--title", "a & b")
    assert answer.code == 0, answer.err
    assert "page/index.html" in answer.out
    page = (tmp_path / "page" / "index.html").read_text()
    assert "a &amp; b" in page
    assert all((tmp_path / "page" / f"tables.{kind}").is_file() for kind in ("md", "tex", "csv"))


# What starts quickly


@pytest.mark.parametrize("argv", [["--help"], ["report", "--help"]])
def test_help_needs_no_torch(argv):
    code = (
        "import sys, cli; code = cli.main(sys.argv[1:]); "
        "heavy = {'torch', 'lightning', 'cv2', 'transformers'} & set(sys.modules); sys.exit(repr(heavy) if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


@pytest.mark.parametrize("name", ["track", "score", "report", "inspect", "export"])
def test_help_of_a_tool_names_its_flags(door, name):
    answer = door(name, "--help")
    assert answer.code == 0
    assert "--out" in answer.out or name == "inspect"


def test_door_lists_what_there_is(door):
    answer = door()
    assert answer.code == 0
    assert all(name in answer.out for name in ("fit", "validate", "test", "predict", "track", "--model.adapter.rank"))
