"""Our driver of pix2gestalt, against a module of the names and signatures that its checkout has; its weights need a GPU."""

from __future__ import annotations

import sys

import numpy as np
import torch
from PIL import Image

from robustvos.external.collect import collect
from robustvos.external.export import export_clip
from robustvos.external.recipe import find_recipe
from robustvos.external.run import run_system
from robustvos.video.native import find_native_clips
from robustvos.video.native_writer import write_native_clip

# Two of three pictures show the left half, one shows everything; the rest is white.
INFERENCE = """
import numpy as np
def load_model_from_config(config, ckpt, device):
    assert config.model == "m" and open(ckpt).read() == "weights" and device == "cuda"
    return "model"
def run_inference(frame, mask, model, guidance, samples, steps):
    assert frame.shape == (256, 256, 3) and set(np.unique(mask)) == {0, 255} and model == "model"
    half = np.full((256, 256, 3), 255, np.uint8)
    half[:, :128] = 90
    return [half, np.full_like(half, 90), half]
"""


def test_driver_takes_the_majority_and_may_run_again_where_it_was_killed(tmp_path):
    inner = tmp_path / "checkout/pix2gestalt"
    (inner / "configs").mkdir(parents=True)
    (inner / "inference.py").write_text(INFERENCE)
    (inner / "configs/sd-finetune-pix2gestalt-c_concat-256.yaml").write_text("model: m\n")
    (tmp_path / "weights.ckpt").write_text("weights")
    amodal = torch.zeros(2, 64, 96, dtype=torch.bool)
    amodal[:, 20:40, 20:40] = True
    modal = amodal.clone()
    modal[1] = False
    write_native_clip(tmp_path / "set/a", torch.zeros(2, 3, 64, 96, dtype=torch.uint8), modal, amodal)
    clips, recipe = find_native_clips(tmp_path / "set"), find_recipe("pix2gestalt")
    given, left = tmp_path / "given", tmp_path / "left"
    export_clip(clips[0], recipe, given)
    fields = {"python": sys.executable, "ckpt": str(tmp_path / "weights.ckpt")}
    for name in ("masks", "masks.part"):  # killed after its last mask, and before
        (left / "a" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((256, 256), np.uint8)).save(left / "a" / name / "99999.png")
    (left / "logs").mkdir()
    (left / "logs/a.txt").touch()
    assert run_system(recipe, given, left, tmp_path / "checkout", fields) == 1
    assert collect(recipe, given, left, clips, tmp_path / "run").inputs == "GT Modal Seg."
    first, second = (np.asarray(Image.open(file)) > 0 for file in sorted((tmp_path / "run/masks/a").iterdir()))
    assert first[:, :48].all() and not first[:, 48:].any() and not second.any()
