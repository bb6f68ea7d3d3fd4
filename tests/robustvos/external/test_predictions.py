"""Diffusion-VAS's published predictions, in the form of its ``eval_outputs``, on sequences in the form of its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from robustvos.evaluation.results import load_result

COUNT, HEIGHT, WIDTH = 3, 80, 128


def whole(t: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:60, 8 + 16 * t : 56 + 16 * t] = True
    return mask


def visible(t: int) -> np.ndarray:
    return whole(t) & (np.arange(HEIGHT) < (60 if t == 0 else 40))[:, None]


def rle(mask: np.ndarray) -> dict:
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"counts": code["counts"].decode(), "size": list(code["size"])}


def small(mask: np.ndarray) -> np.ndarray:
    """As it predicts: squashed, here to a quarter."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize((WIDTH // 4, HEIGHT // 4), 0)) > 127


@pytest.fixture
def source(tmp_path) -> Path:
    """The clip as ``external convert`` writes it."""
    from robustvos.datasets.amodal.convert.run import convert

    root = tmp_path / "sailvos"
    (root / "x").mkdir(parents=True)
    for t in range(COUNT):
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(root / f"x/{t}.png")
    sample = {
        "segmentation": [rle(whole(t)) for t in range(COUNT)],
        "visible_mask": [rle(visible(t)) for t in range(COUNT)],
    }
    sample |= {"bbox": [[0, 0, 1, 1]] * COUNT, "image_ids": [7, 8, 9], "obj_id": 4, "category_id": 1}
    sample |= {"image_file_names": [f"x/{t}.bmp" for t in range(COUNT)]}
    (root / "diffusion_vas_sailvos_val.json").write_text(json.dumps([sample]))
    convert("diffusion_vas", root, tmp_path / "clips")
    return tmp_path / "clips"


def write(path: Path, content: dict) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_published_predictions_are_scored_as_its_own_metric_joins_them(door, source, tmp_path):
    hidden = {f"({7 + t}, 4)": {"diffvas_res_rle": rle(small(whole(t) & ~visible(t)))} for t in range(COUNT)}
    file = write(tmp_path / "diffusion_vas_sailvos_eval_results.json", hidden)
    words = ("--system", "diffusion_vas", "--data", source, "--outputs", file, "--dataset", "sailvos")
    answer = door("external", "import", *words, "--out", "run")
    assert answer.code == 0, answer.err
    run = load_result(Path("run/results.json"))
    assert run.overall["mIoU"].mean > 0.95 and run.overall["mIoU_occ"].mean > 0.9
    assert (run.system, run.inputs, run.run_type) == ("Diffusion VAS", "GT Modal Seg.", "Offline")
    assert run.changes == (
        "masks brought from 32x20 to 128x80, bilinear, as its own metric does (1 clip)",
        "joined with the visible masks that it was given, as its own metric does (1 clip)",
    )


def test_predictions_that_lack_frames_or_clips_or_are_of_boxes_say_so(door, source, tmp_path):
    def answer(content: dict, *more: str):
        file = write(tmp_path / "p.json", content)
        words = ("--system", "diffusion_vas", "--data", source, "--outputs", file, "--out", "run", *more)
        return door("external", "import", *words)

    code = {"diffvas_res_rle": rle(small(whole(0)))}
    assert "p.json: 2 of 3 frames of sailvos_7_4 are not there: (8, 4)" in answer({"(7, 4)": code}).error
    assert "clip sailvos_7_4: looked for its images in" in answer({"(1, 1)": code}).error
    boxes = {"(2, 'frame0001.jpg', '1')": {"diffvas_res_bbox": [0, 0, 1, 1]}}
    assert "of TAO-Amodal, whose truth is boxes and no whole masks" in answer(boxes).error
    filled = answer({"(1, 1)": code}, "--missing", "zero")
    run = load_result(Path("run/results.json"))
    assert filled.code == 0 and run.overall["mIoU"].mean == 0.0
    assert run.notes[:2] == (
        "policy for missing clips: zero",
        "1 of 1 clips have no output; empty masks stand for them: sailvos_7_4",
    )
    words = ("--system", "folder", "--data", source, "--outputs", tmp_path, "--out", "other")
    assert "--given: name the folder of the exports" in door("external", "import", *words).error
