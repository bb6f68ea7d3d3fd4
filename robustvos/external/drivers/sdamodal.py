"""Run SDAmodal on the frames of one exported clip. Started inside its checkout, by its own Python; its test writes no masks."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CONFIG = "experiments/COCOA/pcnet_m/config_SDAmodal.yaml"
STEP, SIZE, ENSEMBLE, LAYERS = 181, (768, 768), 8, (0, 1, 2, 3)


def main() -> None:
    """Write ``OUT/masks/<frame>.png``: what it predicts, before it is joined with anything; empty where there is no object."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--data", "--out", "--ckpt"):
        parser.add_argument(flag, required=True, type=Path)
    parser.add_argument("--sd", required=True, help="Stable Diffusion 2.1: a folder, or a name on the Hub")
    parser.add_argument("--repo", type=Path, default=Path("."))
    args = parser.parse_args()
    repo, data, out, ckpt = (path.resolve() for path in (args.repo, args.data, args.out, args.ckpt))
    sys.path[:0] = [str(repo), str(repo / "dift")]
    import yaml
    from libs import models
    from src.models.dift_sd import SDFeaturizer

    config = yaml.safe_load((repo / CONFIG).read_text())
    model = models.__dict__[config["model"]["algo"]](config["model"], dist_model=False)
    model.load_state(str(ckpt))
    model.switch_to("eval")
    features = SDFeaturizer(args.sd)
    content = json.loads((data / "annotations.json").read_text())
    regions = {entry["image_id"]: entry["regions"][0] for entry in content["annotations"]}
    files = {image["id"]: image["file_name"] for image in content["images"]}
    masks = out / "masks.part"
    shutil.rmtree(masks, ignore_errors=True)  # of a run that was killed
    masks.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        os.chdir(folder)  # its inference reads features from pth0, pth1, ... where it stands
        for number, file in enumerate(sorted((data / "images").glob("*.jpg"))):
            picture = Image.open(file).convert("RGB")
            whole = np.zeros((picture.height, picture.width), np.uint8)
            if number in regions and files.get(number) == file.name:
                leave_features(features, picture, file.name)
                whole = predict(model, config, regions[number], file.name, whole.shape)
            Image.fromarray((whole > 0).astype(np.uint8) * 255).save(masks / f"{number:05d}.png")
        os.chdir(out)
    shutil.rmtree(out / "masks", ignore_errors=True)  # of a run whose end nobody has noted
    masks.rename(out / "masks")


def leave_features(featurizer: Any, picture: Image.Image, name: str) -> None:
    """Features of Stable Diffusion, a file a layer, as its own extractor makes them."""
    import torch

    pixels = torch.from_numpy(np.asarray(picture.resize(SIZE)).copy()).permute(2, 0, 1)
    found = featurizer.forward((pixels / 255.0 - 0.5) * 2, prompt="", t=STEP, up_ft_index=1, ensemble_size=ENSEMBLE)
    for layer in LAYERS:
        Path(f"pth{layer}").mkdir(exist_ok=True)
        torch.save(found[layer].squeeze(0).cpu(), Path(f"pth{layer}") / f"{name[:-4]}.pt")


def predict(model: Any, config: dict[str, Any], region: dict[str, Any], name: str, size: tuple[int, int]) -> np.ndarray:
    """The whole mask of the object of one region, whose box is that of its outline: the true box of the whole object."""
    import inference
    import pycocotools.mask as coder

    modal = coder.decode(region["visible_mask"])[None]
    xs, ys = region["segmentation"][0::2], region["segmentation"][1::2]
    box = enlarged(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys), config["data"]["enlarge_box"])
    boxes = np.array([box])
    patches = inference.infer_amodal_aw_sdm(
        model, name, modal, [1], boxes, use_rgb=config["model"]["use_rgb"], th=0.2, input_size=512, interp="nearest"
    )
    return np.asarray(inference.patch_to_fullimage(patches, boxes, *size, interp="linear")[0])


def enlarged(x: float, y: float, width: float, height: float, factor: float) -> list[int]:
    """The square around a box that it looks at, as its test has it."""
    side = max(float(np.sqrt(width * height * factor)), width * 1.1, height * 1.1)
    return [int(x + width / 2 - side / 2), int(y + height / 2 - side / 2), int(side), int(side)]


if __name__ == "__main__":
    main()
