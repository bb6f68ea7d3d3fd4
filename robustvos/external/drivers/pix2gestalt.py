"""Run pix2gestalt on the frames of one exported clip. Started inside its checkout, by its own Python (3.9)."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLES, GUIDANCE, STEPS = 3, 2.0, 200
CONFIG = "configs/sd-finetune-pix2gestalt-c_concat-256.yaml"


def main() -> None:
    """Write ``OUT/masks/<frame>.png``: the majority of three samples; empty where nothing is seen of the object."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--data", "--out", "--ckpt"):
        parser.add_argument(flag, required=True, type=Path)
    parser.add_argument("--repo", type=Path, default=Path("."))
    args = parser.parse_args()
    inner = args.repo / "pix2gestalt"
    sys.path.insert(0, str(inner))
    from inference import load_model_from_config, run_inference
    from omegaconf import OmegaConf

    model = load_model_from_config(OmegaConf.load(inner / CONFIG), str(args.ckpt), "cuda")
    masks = args.out / "masks.part"
    shutil.rmtree(masks, ignore_errors=True)  # of a run that was killed
    masks.mkdir(parents=True)
    for file in sorted((args.data / "rgb").glob("*.png")):
        seen = np.asarray(Image.open(args.data / "mask" / file.name).convert("L"))
        whole = np.zeros(seen.shape, bool)
        if seen.any():
            frame = np.asarray(Image.open(file).convert("RGB"))
            pictures = run_inference(frame, seen, model, GUIDANCE, SAMPLES, STEPS)
            # On white: what is not white is the object.
            votes = [np.asarray(Image.fromarray(picture).convert("L")) <= 250 for picture in pictures]
            whole = np.sum(votes, axis=0) * 2 > SAMPLES
        Image.fromarray(whole.astype(np.uint8) * 255).save(masks / file.name)
    shutil.rmtree(args.out / "masks", ignore_errors=True)  # of a run whose end nobody has noted
    masks.rename(args.out / "masks")


if __name__ == "__main__":
    main()
