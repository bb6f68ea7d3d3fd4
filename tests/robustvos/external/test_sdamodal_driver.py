"""Our driver of SDAmodal, against modules of the names and signatures that its checkout has; its weights need a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustvos.external.collect import collect
from robustvos.external.export import export_clip
from robustvos.external.recipe import find_recipe
from robustvos.external.run import run_system
from robustvos.video.native import find_native_clips
from robustvos.video.native_writer import write_native_clip

MODULES = {
    "experiments/COCOA/pcnet_m/config_SDAmodal.yaml": "model: {algo: AWSDM, use_rgb: true}\ndata: {enlarge_box: 3.0}\n",
    "libs/__init__.py": "",
    "libs/models.py": """
class AWSDM:
    def __init__(self, params, dist_model):
        assert params["algo"] == "AWSDM" and not dist_model
    def load_state(self, path):
        assert open(path).read() == "weights"
    def switch_to(self, mode):
        assert mode == "eval"
""",
    "dift/src/__init__.py": "",
    "dift/src/models/__init__.py": "",
    "dift/src/models/dift_sd.py": """
import torch
class SDFeaturizer:
    def __init__(self, sd_id):
        assert sd_id == "folder/of/sd"
    def forward(self, img_tensor, prompt, t=261, up_ft_index=1, ensemble_size=8):
        assert tuple(img_tensor.shape) == (3, 768, 768) and float(img_tensor.min()) >= -1 and t == 181
        return {layer: torch.full((1, 2, 4, 4), float(layer)) for layer in range(8)}
""",
    # Paints the box that it was given, so that a test sees whose it is.
    "inference.py": """
import json, os
import numpy as np, torch
def infer_amodal_aw_sdm(model, image_fn, inmodal, category, bboxes, use_rgb=True, th=0.5, input_size=None,
                        min_input_size=16, interp="nearest", debug_info=False, args=None):
    for layer in range(4):
        assert float(torch.load(os.path.join("pth%d" % layer, image_fn[:-4] + ".pt")).mean()) == layer
    assert inmodal.shape[0] == 1 and input_size == 512
    return [np.ones((512, 512), np.uint8)]
def patch_to_fullimage(patches, bboxes, height, width, interp):
    full = np.zeros((1, height, width), np.uint8)
    x, y, w, h = bboxes[0]
    full[0, max(0, y):y + h, max(0, x):x + w] = 1
    return full
""",
}


@pytest.fixture
def checkout(tmp_path) -> Path:
    for name, text in MODULES.items():
        file = tmp_path / "checkout" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "ckpt.pth").write_text("weights")
    return tmp_path / "checkout"


def test_driver_gives_the_true_box_and_leaves_a_mask_a_frame(checkout, tmp_path):
    amodal = torch.zeros(3, 64, 96, dtype=torch.bool)
    amodal[0, 20:40, 20:40] = amodal[1, 20:40, 40:60] = True  # gone in the last frame
    modal = amodal.clone()
    modal[1] = False
    write_native_clip(tmp_path / "set" / "a", torch.zeros(3, 3, 64, 96, dtype=torch.uint8), modal, amodal)
    clips, recipe = find_native_clips(tmp_path / "set"), find_recipe("sdamodal")
    given = export_clip(clips[0], recipe, tmp_path / "given")
    told = json.loads((given / "annotations.json").read_text())
    assert [image["id"] for image in told["images"]] == [entry["image_id"] for entry in told["annotations"]] == [0, 1]
    fields = {"python": sys.executable, "ckpt": str(tmp_path / "ckpt.pth"), "sd": "folder/of/sd"}
    assert run_system(recipe, tmp_path / "given", tmp_path / "left", checkout, fields) == 1
    found = collect(recipe, tmp_path / "given", tmp_path / "left", clips, tmp_path / "run")
    assert found.inputs == "GT Modal Seg. & GT BBox"
    masks = [np.asarray(Image.open(file)) > 0 for file in sorted((tmp_path / "run/masks/a").iterdir())]
    rows, columns = np.nonzero(masks[1])
    side = int(np.sqrt(20 * 20 * 3))  # around the whole object of frame 1, of which nothing is seen
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == side
    assert abs((columns.min() + columns.max() + 1) / 2 - 50) <= 1 and abs((rows.min() + rows.max() + 1) / 2 - 30) <= 1
    assert len(masks) == 3 and not masks[2].any()
    assert not list((tmp_path / "left/a").glob("tmp*"))
    # Killed after its last mask, or before it: the same masks once more, and nothing of what was there.
    (tmp_path / "left/logs/a.done").unlink()
    for name in ("masks", "masks.part"):
        save_stranger(tmp_path / "left/a" / name / "99999.png")
    assert run_system(recipe, tmp_path / "given", tmp_path / "left", checkout, fields) == 1
    again = [np.asarray(Image.open(file)) > 0 for file in sorted((tmp_path / "left/a/masks").iterdir())]
    assert np.array_equal(again, masks)


def save_stranger(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((64, 96), np.uint8)).save(file)
