"""A tree in the form of TABE-51 is tested and scored as it is; masks of it from elsewhere score what the test says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustvos.evaluation.results import load_result

COUNT, HEIGHT, WIDTH = 6, 40, 64
LEVELS = ("NO_OCCLUSION", "NO_OCCLUSION", "SLIGHT_OCCLUSION", "SEVERE_OCCLUSION", "SEVERE_OCCLUSION", "NO_OCCLUSION")


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def tabe(tmp_path) -> Path:
    """Frames, both kinds of masks and levels of occlusion; no category, no rate, amounts that are NaN where nobody knows."""
    root = tmp_path / "TABE-51"
    for number, name in enumerate(("airport_1", "dog_2")):
        for t in range(COUNT):
            whole = np.zeros((HEIGHT, WIDTH), bool)
            left = 4 + int((0.8 + 0.2 * number) * t * t)  # faster and faster, so that no baseline finds all of it
            whole[10:30, left : left + 20] = True
            seen = whole.copy()
            if t in (2, 3, 4):
                seen[:, (18 if t == 2 else 0) :] = False if t != 3 else seen[:, 0:] & (np.arange(HEIGHT) < 15)[:, None]
            save(
                np.where(whole[..., None], (200, 60, 50), (40, 60, 40)).astype(np.uint8),
                root / name / f"frames/{t:05d}.jpg",
            )
            save(whole.astype(np.uint8) * 255, root / name / f"gt_masks/{t:05d}.png")
            save(seen.astype(np.uint8) * 255, root / name / f"visible_masks/{t:05d}.png")
        entries = [{"level": level, "amount": float("nan") if t == 4 else 0.1 * t} for t, level in enumerate(LEVELS)]
        (root / name / "annos.json").write_text(json.dumps({"occlusion": entries}))
    return root


@pytest.mark.parametrize("protocol", ["realvas", "realvas_literal", "tabe"])
def test_masks_from_elsewhere_score_what_the_test_says(door, tabe, tmp_path, protocol):
    words = ("--data", "realvas", "--data.root", tabe, "--trainer.accelerator", "cpu", "--trainer.devices", 1)
    model = ("--model", "constant_velocity", "--model.masks", "truth", "--model.protocol", protocol)
    answer = door("test", *words, *model, "--results.dataset", "tabe51", "--run", "x")
    assert answer.code == 0, answer.err
    run = load_result(next(Path("runs/x").rglob("results.json")))
    assert (run.dataset, run.protocol, len(run.objects), run.inputs) == ("tabe51", protocol, 2, "GT Modal Seg.")
    shutil.copytree(run.folder / "masks", tmp_path / "elsewhere")
    answer = door("score", tmp_path / "elsewhere", tabe, "--protocol", protocol, "--out", "scored")
    assert answer.code == 0, answer.err
    scored = load_result(Path("scored/results.json"))
    assert scored.overall == run.overall
    assert scored.by == {tag: found for tag, found in run.by.items() if tag != "corruption"}
    of = {record.video: (record.frames, record.scores, record.measures) for record in run.objects}
    assert of == {record.video: (record.frames, record.scores, record.measures) for record in scored.objects}
    assert 0 < run.overall["mIoU_occ"].mean < 1 and run.overall["mIoU_ffo"].videos == 2
