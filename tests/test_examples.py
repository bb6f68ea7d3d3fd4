"""Every script in examples/ runs on small inputs drawn here, leaves what it says, and its figures are right."""

from __future__ import annotations

import ast
import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos import corrupt, load_system
from robustvos.adapters import LoRA
from robustvos.scenes.amodal import render_amodal_clip
from robustvos.scenes.stage import StageSpec
from robustvos.seeding import numpy_rng
from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask
from robustvos.video.native_writer import write_native_clip
from robustvos.video.writer import VideoWriter

FOLDER = Path(__file__).resolve().parents[1] / "examples"
FRAMES, SIDE = 5, 128
Run = Callable[..., str]


def ids_of(t: int) -> np.ndarray:
    """Object 1 moves to the right; object 2 comes into view on frame 2."""
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[20:52, 16 + 4 * t : 48 + 4 * t] = 1
    if t >= 2:
        ids[72:112, 70:110] = 2
    return ids


def picture_of(t: int) -> np.ndarray:
    colours = np.array([[30, 60, 40], [230, 40, 40], [60, 80, 240]], np.uint8)
    return colours[ids_of(t)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video file, and the same frames with masks in DAVIS layout."""
    folder = tmp_path_factory.mktemp("inputs")
    with VideoWriter(folder / "clip.mp4", fps=10, quality=5) as movie:
        for t in range(FRAMES):
            movie.add(torch.from_numpy(picture_of(t)).permute(2, 0, 1))
    for kind in ("JPEGImages", "Annotations"):
        (folder / "mine" / kind / "boxes").mkdir(parents=True)
    for t in range(FRAMES):
        Image.fromarray(picture_of(t)).save(folder / f"mine/JPEGImages/boxes/{t:05d}.jpg", quality=95)
        Image.fromarray(ids_of(t)).save(folder / f"mine/Annotations/boxes/{t:05d}.png")
    return folder


def call(name: str, *argv: object) -> None:
    """Run an example as `python examples/NAME.py ARGV` does."""
    before = sys.argv
    sys.argv = [name, *map(str, argv)]
    try:
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    finally:
        sys.argv = before


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("track_video", ...)`` gives what the example prints."""

    def of(name: str, *argv: object) -> str:
        capsys.readouterr()
        call(name, *argv)
        return capsys.readouterr().out

    return of


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``train_adapter`` leaves."""
    out = tmp_path_factory.mktemp("trained") / "lora"
    call("train_adapter", out, "--adapter", "LoRA", "--steps", 2, "--size", 64)
    return out


def overlap(path: Path, object_id: int, t: int) -> float:
    """IoU of a written mask with the truth."""
    found, true = read_indexed_mask(path) == object_id, ids_of(t) == object_id
    return float((found & true).sum() / (found | true).sum())


def test_track_video(run, inputs, tmp_path):
    said = run("track_video", inputs / "clip.mp4", "16,20,47,51", tmp_path, "--sam2", "nano")
    masks = sorted((tmp_path / "masks").glob("*.png"))
    assert [overlap(path, 1, t) > 0.7 for t, path in enumerate(masks)] == [True] * FRAMES
    assert len(open_frames(tmp_path / "overlay.mp4")) == FRAMES
    assert str(tmp_path / "overlay.mp4") in said


def test_track_objects_that_come_later(run, inputs, tmp_path):
    clicks = ("--click", "0,32,36", "--click", "2,90,92")
    said = run("track_objects_that_come_later", inputs / "clip.mp4", tmp_path, *clicks, "--sam2", "nano")
    masks = sorted(tmp_path.glob("*.png"))
    shown = [set(np.unique(read_indexed_mask(path))) - {0} for path in masks]
    assert [2 in ids for ids in shown] == [False, False, True, True, True]
    assert overlap(masks[4], 1, 4) > 0.5 and overlap(masks[4], 2, 4) > 0.5
    assert "tracked [1, 2]" in said and str(tmp_path) in said


def test_corrupt_video(run, inputs, tmp_path):
    out = tmp_path / "foggy.mp4"
    assert str(out) in run("corrupt_video", inputs / "clip.mp4", out, "fog+rain", "--severity", 2)
    written = torch.stack(list(open_frames(out))).float()
    clean = open_frames(inputs / "clip.mp4")
    expected = torch.stack(list(corrupt(clean, "fog+rain", severity=2.0, name="clip"))).float()
    assert (written - expected).abs().mean() < 6  # what H.264 loses
    assert (written - torch.stack(list(clean)).float()).abs().mean() > 20


def test_evaluate_own_folder(run, inputs, tmp_path):
    said = run("evaluate_own_folder", inputs / "mine", tmp_path, "--model", "sam2", "--conditions", "clean", "fog")
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(o["object"], o["tags"]["corruption"]) for o in results["objects"]] == [
        (i, condition) for condition in ("clean", "fog") for i in (1, 2)
    ]
    assert results["dataset"] == "mine" and "J&F" in said and str(tmp_path / "results.json") in said


def test_track_with_onnx(run, inputs, graphs):
    exported = (graphs.folder, "--model", "moga", "--sam2", "nano")
    said = run("track_with_onnx", inputs / "clip.mp4", "16,20,47,51", *exported, "--frames", 4)
    assert float(re.search(r"overlap by ([\d.]+)", said)[1]) > 0.999 and "4 frames, 128x128" in said
    assert float(re.search(r"at most ([\d.]+)", said)[1]) < 0.02


def test_moving_picture(run, tmp_path):
    out = tmp_path / "both.webp"
    said = run("moving_picture", out, "--clip", 0, "--severity", 2, "--side", 64)
    assert re.search(r"sam2: J&F [\d.]+, moga: J&F [\d.]+", said)
    with Image.open(out) as picture:
        assert picture.n_frames == 16 and picture.width > 2 * picture.height - 1


def test_moving_picture_of_a_hidden_object(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTVOS_CACHE", str(tmp_path))
    use = ("--data", "realvas", "--condition", "clean", "--clip", 0, "--side", 64, "--systems", "sam2", "moga_amodal")
    said = run("moving_picture", tmp_path / "kept.webp", *use)
    frozen, trained = map(float, re.search(r"sam2: mIoU ([\d.]+), moga_amodal: mIoU ([\d.]+)", said).groups())
    assert trained > frozen
    with Image.open(tmp_path / "kept.webp") as picture:
        assert picture.n_frames == 56


def test_train_adapter(trained):
    system = load_system(trained)
    assert isinstance(system.adapter, LoRA) and not system.adapter.is_identity()
    assert system.sam2.image_size == 64


def test_merge_lora(run, trained, tmp_path):
    said = run("merge_lora", trained, tmp_path / "merged")
    assert load_system(tmp_path / "merged").adapter is None
    difference, largest = (float(said.split(word)[1].split()[0].rstrip(".")) for word in ("at most ", " of "))
    assert difference < 0.02 * largest


def test_score_masks(run, inputs, tmp_path):
    truth = inputs / "mine" / "Annotations"
    said = run("score_masks", truth, truth, tmp_path / "same", "--system", "perfect")
    assert "'J&F-Mean': 1.0" in said and str(tmp_path / "same") in said
    moved = tmp_path / "moved" / "boxes"
    moved.mkdir(parents=True)
    for t in range(FRAMES):
        Image.fromarray(np.roll(ids_of(t), 8, axis=1)).save(moved / f"{t:05d}.png")
    said = run("score_masks", moved.parent, truth, tmp_path / "rolled")
    assert "'J': 0.6" in said  # object 1: 24 columns of 40
    assert json.loads((tmp_path / "rolled" / "results.json").read_text())["system"] == "masks"


def test_amodal_in_fog(run, tmp_path):
    drawn = render_amodal_clip("occlusion", numpy_rng("examples", 0), StageSpec((64, 80), 16))
    frames = torch.from_numpy(drawn.frames).permute(0, 3, 1, 2)
    modal, amodal = torch.from_numpy(drawn.modal[:, 0]), torch.from_numpy(drawn.amodal[:, 0])
    write_native_clip(tmp_path / "clips" / "one", frames, modal, amodal, category="occlusion")
    said = run("amodal_in_fog", tmp_path / "out", "--root", tmp_path / "clips")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [o["tags"]["corruption"] for o in results["objects"]] == ["clean", "fog"]
    assert (results["protocol"], results["dataset"]) == ("realvas", "realvas")
    assert "clean\n" in said and "fog\n" in said


def test_python_in_the_readme_tracks(inputs, monkeypatch, capsys):
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert len(snippet.splitlines()) <= 10
    (inputs / "VIDEO.mp4").write_bytes((inputs / "clip.mp4").read_bytes())
    monkeypatch.chdir(inputs)
    exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})
    assert len(capsys.readouterr().out.splitlines()) == FRAMES


def test_every_example_is_short_documented_and_run_here():
    files = sorted(FOLDER.glob("*.py"))
    here = Path(__file__).read_text(encoding="utf-8")
    assert len(files) >= 8
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 40, file.name
        assert f"python examples/{file.name}" in (ast.get_docstring(ast.parse(text)) or ""), file.name
        assert f"def test_{file.stem}(" in here, file.name
