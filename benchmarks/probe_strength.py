"""Whether weather is as strong on real frames, beside a smooth picture, as that of the libraries that the public renderer uses.

The published figures are of one smooth picture. What they come to on real frames is asked of albumentations and imgaug (see
peers.txt): their change on real frames over their change on the smooth picture. Ours should have the same ratio.

    .venv-peers/bin/python benchmarks/probe_strength.py --root davis
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from bench_corruptions import find_peers
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from robustvos.corruptions import corrupt_clip
from tests.robustvos.corruptions.test_corruption_strength import smooth_image

WEATHER = ("fog", "rain", "snow")


def change(corrupted: np.ndarray, frame: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(corrupted.astype(float) - frame).mean())


def ours(name: str, frame: np.ndarray, draw: int) -> float:
    """The change that clip ``draw`` suffers in two of its frames."""
    clip = torch.from_numpy(frame).permute(2, 0, 1).expand(2, 3, *frame.shape[:2])
    corrupted = corrupt_clip(clip, name, clip_name=f"clip {draw}", preset="release", indices=[3, 15], length=24)
    return statistics.fmean(change(one.permute(1, 2, 0).numpy(), frame) for one in corrupted)


def main() -> None:
    """Print both ratios with their standard errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with JPEGImages/480p/VIDEO/*.jpg")
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    cv2.setNumThreads(1)
    random.seed(0)
    np.random.seed(0)  # which imgaug and albumentations draw from
    peers = find_peers()
    absent = [name for name in WEATHER if name not in peers]
    if absent:
        sys.exit(f"no peer for {', '.join(absent)}: `make bench-peers` makes an environment that has them")
    clips = sorted(folder for folder in (options.root / "JPEGImages/480p").iterdir() if folder.is_dir())[:4]
    real = [np.array(Image.open(min(clip.glob("*.jpg"))).convert("RGB")) for clip in clips]
    smooth = np.ascontiguousarray(smooth_image(360, 640).permute(1, 2, 0).numpy())
    print(
        f"{'':6s} {'peer: smooth':>14s} {'real':>14s} {'ratio':>14s} {'ours: smooth':>14s} {'real':>14s} {'ratio':>14s}"
    )
    for name in WEATHER:
        columns: list[list[float]] = [[], [], [], []]
        for draw in range(options.draws):
            for place, frame in enumerate((smooth, real[draw % len(real)])):
                columns[place].append(change(peers[name](frame), frame))
                columns[2 + place].append(ours(name, frame, draw))
        means = [statistics.fmean(column) for column in columns]
        errors = [statistics.stdev(column) / options.draws**0.5 for column in columns]
        cells = []
        for first in (0, 2):
            ratio = means[first + 1] / means[first]
            error = ratio * np.hypot(errors[first] / means[first], errors[first + 1] / means[first + 1])
            both = zip((*means[first : first + 2], ratio), (*errors[first : first + 2], error), strict=True)
            cells += [f"{value:.2f} +- {deviation:.2f}" for value, deviation in both]
        print(f"{name:6s} " + " ".join(f"{cell:>14s}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
