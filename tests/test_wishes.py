"""What SAM 2's users asked for most: each command of docs/wishes.md does what its thread wanted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustvos.video.masks import read_indexed_mask
from robustvos.video.track_scores import read_scores

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/wishes.md"
FRAMES, HEIGHT, WIDTH = 6, 48, 64
BOX, SECOND = "8,8,24,24", "38,22,56,40"


@pytest.fixture
def folder(tmp_path):
    """Frames and masks in DAVIS layout: one square moves, another is there from the beginning."""
    for t in range(FRAMES):
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        ids[8:24, 8 + t : 24 + t], ids[22:40, 38:56] = 1, 2
        colours = np.array([[70, 80, 70], [220, 40, 40], [40, 60, 220]], np.uint8)
        for kind, pixels, suffix in (("JPEGImages", colours[ids], "jpg"), ("Annotations", ids, "png")):
            path = tmp_path / "mine" / kind / "v" / f"{t:05d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path / "mine"


@pytest.fixture
def track(door, tiny_base, folder):
    def run(*argv, out="out"):
        common = ("--model", "sam2", "--sam2", tiny_base, "--overlay", "false", "--out", out)
        answer = door("track", folder / "JPEGImages/v", *argv, *common)
        assert answer.code == 0, answer.err
        return read_scores(Path(out) / "scores.csv")

    return run


def test_objects_mid_video_sam2_224_185_509(track, tmp_path):
    """An object that joins on frame 3 is found from there on, and changes nothing of what came before it."""
    alone = track("--box", BOX, out="alone")
    lines = [{"frame": 0, "object": 1, "box": [8, 8, 24, 24]}, {"frame": 3, "object": 2, "box": [38, 22, 56, 40]}]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, lines)))
    both = track("--prompts", "p.jsonl", out="both")
    assert sorted((r.frame, r.object_id) for r in both if r.object_id == 2) == [(t, 2) for t in range(3, FRAMES)]
    before = {(r.frame, r.object_id): r.area for r in alone if r.frame < 3}
    assert before == {(r.frame, r.object_id): r.area for r in both if r.frame < 3}


def test_long_videos_sam2_264_288_sam3_408(folder):
    """The tracker holds as much after 40 frames as after 20: SAM 2's own state grows with each."""
    import gc

    import torch

    from robustvos import load_system
    from robustvos.types import Prompt

    def held():
        gc.collect()
        kinds = (torch.Tensor, torch.nn.Parameter)  # by type(): isinstance asks weak references, which may be dead
        tensors = (x for x in gc.get_objects() if type(x) in kinds)
        return sum(x.numel() * x.element_size() for x in tensors)

    frame = torch.from_numpy(np.array(Image.open(folder / "JPEGImages/v/00000.jpg"))).permute(2, 0, 1)
    tracker = load_system("sam2", sam2="nano").tracker()
    tracker.step(frame, [Prompt(1, box=torch.tensor([8.0, 8.0, 23.0, 23.0]))])
    sizes = []
    for _ in range(2):
        for _ in range(20):
            tracker.step(frame)
        sizes.append(held())
    assert sizes[0] == sizes[1]


def test_own_data_sam2_305_169(door, tiny_config, folder, tmp_path):
    """A folder of one's own trains; the line that training ends with tests it, and the next one tables it."""
    clean = [word for part in ("val", "test") for word in (f"--data.{part}.conditions", "[clean]")]
    fit = door(
        "fit",
        "--config",
        tiny_config,
        "--data",
        "davis",
        "--data.root",
        folder,
        "--data.train.frames_per_batch",
        4,
        *clean,
    )
    assert fit.code == 0, fit.err
    for leads_to in ("results.json", "report: "):
        words = fit.out.strip().splitlines()[-1].removeprefix("next: ").replace("python cli.py ", "").split()
        fit = door(*words)
        assert fit.code == 0 and leads_to in fit.out, fit.err
    assert list(tmp_path.rglob("index.html"))


@pytest.mark.parametrize("kind", ["ytvos", "coco_rle"])
def test_mask_formats_sam2_250(track, kind):
    """The same areas in the form of YouTube-VOS and of COCO as in scores.csv; indexed PNGs need no flag."""
    if kind == "coco_rle":
        codec = pytest.importorskip("pycocotools.mask", reason="needs the extra 'coco'")
    areas = [row.area for row in track("--box", BOX, "--format", kind)]
    if kind == "coco_rle":
        content = json.loads(Path("out/masks.json").read_text())
        decoded = {a["image_id"]: int(codec.decode(a["segmentation"]).sum()) for a in content["annotations"]}
        assert [decoded.get(t, 0) for t in range(FRAMES)] == areas
    else:
        masks = sorted(Path("out/Annotations").rglob("*.png"))
        assert [int((read_indexed_mask(path) == 1).sum()) for path in masks] == areas


def test_a_score_that_says_lost_sam2_239(door, tmp_path):
    """A square that leaves the picture, on the default base: presence falls below one half."""
    frames = tmp_path / "leaves"
    frames.mkdir()
    for t in range(8):
        pixels = np.full((128, 128, 3), (70, 90, 70), np.uint8)
        pixels[40:80, max(0, 60 + 18 * t) : 100 + 18 * t] = (230, 60, 40)
        Image.fromarray(pixels).save(frames / f"{t}.png")
    said = ("--box", "60,40,100,80", "--overlay", "false", "--out", "out")
    assert door("track", frames, *said).code == 0
    presence = [row.presence for row in read_scores(Path("out/scores.csv"))]
    assert min(presence[:3]) > 0.5 > max(presence[5:])


def test_streams_sam2_90():
    """Frames that come one by one, from a generator that never ends: each is answered before the next is asked for."""
    import torch

    from robustvos import load_system
    from robustvos import track as follow
    from robustvos.types import Prompt

    asked = []

    def camera():
        while True:
            asked.append(len(asked))
            yield torch.full((3, 64, 64), 80, dtype=torch.uint8)

    answers = follow(camera(), [Prompt(1, box=torch.tensor([8.0, 8.0, 30.0, 30.0]))], load_system("sam2", sam2="nano"))
    for t in range(4):
        assert next(answers).index == t and asked[-1] == t


def test_every_wish_of_the_page_has_its_test_and_its_command():
    text = PAGE.read_text(encoding="utf-8")
    tests = re.findall(r"`(test_\w+)`", text)
    assert tests and all(name in globals() for name in tests)
    assert {name for name in globals() if re.search(r"_sam[23]_\d", name)} == set(tests)
    assert text.count("```bash") == len(tests)
