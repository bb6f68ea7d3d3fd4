"""An overlay of masks on a frame: ours, and the same painted over full frames with erosions by OpenCV or by max-pooling.

    OMP_NUM_THREADS=1 python benchmarks/bench_overlay.py

CPU time of one thread, in turn. Objects are ellipses; the pictures of all three must be equal.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from result_file import RESULTS, write_result
from torch import Tensor

from robustvos.drawing.colours import object_colour
from robustvos.drawing.draw import overlay

Rim = Callable[[Tensor, int], Tensor]
FRAMES = {"480p, 3 objects": (480, 854, 3), "4K, 8 objects": (2160, 3840, 8)}


def make(height: int, width: int, objects: int) -> tuple[Tensor, Tensor]:
    """A frame of noise and disjoint ellipses, which fill about a third of it."""
    generator = np.random.default_rng(0)
    frame = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    ids = np.zeros((height, width), np.uint8)
    for object_id in range(1, objects + 1):
        middle = (int(generator.uniform(0.1, 0.9) * width), int(generator.uniform(0.1, 0.9) * height))
        radii = (int(generator.uniform(0.05, 0.2) * width), int(generator.uniform(0.05, 0.25) * height))
        cv2.ellipse(ids, middle, radii, generator.uniform(0, 180), 0, 360, object_id, -1)
    masks = torch.stack([torch.from_numpy(ids == i) for i in range(1, objects + 1)])
    return torch.from_numpy(frame).permute(2, 0, 1), masks


def pooled_rim(mask: Tensor, thickness: int) -> Tensor:
    outside = (~mask).float()[None, None]
    return mask & (F.max_pool2d(outside, 2 * thickness + 1, stride=1, padding=thickness)[0, 0] > 0)


def eroded_rim(mask: Tensor, thickness: int) -> Tensor:
    levels = mask.numpy().view(np.uint8)
    return mask & ~torch.from_numpy(cv2.erode(levels, np.ones((2 * thickness + 1,) * 2, np.uint8)).view(bool))


def plain_overlay(rim: Rim, frame: Tensor, masks: Tensor, object_ids: Sequence[int]) -> Tensor:
    """Half opaque paint and an opaque outline, in floating point over the full frame."""
    canvas = frame.float()
    colours = [torch.tensor(object_colour(i), dtype=torch.float32)[:, None, None] for i in object_ids]
    for mask, colour in zip(masks, colours, strict=True):
        canvas = torch.where(mask, canvas * 0.5 + colour * 0.5, canvas)
    for mask, colour in zip(masks, colours, strict=True):
        canvas = torch.where(rim(mask, max(1, round(min(frame.shape[-2:]) / 160))), colour, canvas)
    return canvas.round().to(torch.uint8)


def measure(frame: Tensor, masks: Tensor, repeats: int) -> dict[str, float]:
    """Median milliseconds of each way."""
    ids = range(1, len(masks) + 1)
    ways: dict[str, Callable[[], Tensor]] = {
        "robustvos": partial(overlay, frame, masks, ids),
        "full frame, cv2.erode": partial(plain_overlay, eroded_rim, frame, masks, ids),
    }
    if frame[0].numel() < 2**20:  # on larger frames it takes minutes
        ways["full frame, max-pooling"] = partial(plain_overlay, pooled_rim, frame, masks, ids)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        pictures = []
        for name, way in ways.items():
            start = time.process_time()
            pictures.append(way())
            if repeat:  # the first round warms up
                times[name].append((time.process_time() - start) * 1000)
        if not all(torch.equal(picture, pictures[0]) for picture in pictures):
            raise SystemExit("the pictures differ")
    return {name: statistics.median(spent) for name, spent in times.items()}


def main() -> None:
    """Measure, print, and keep the figures with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "overlay.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    figures = {name: measure(*make(*sizes), arguments.repeats) for name, sizes in FRAMES.items()}
    print(f"{'CPU ms':20}{'way':28}{'':>9}   times ours")
    for name, times in figures.items():
        for way, spent in times.items():
            print(f"{name:20}{way:28}{spent:9.1f}   {spent / times['robustvos']:.1f}")
    write_result(arguments.out, vars(arguments), {"ms": figures})


if __name__ == "__main__":
    main()
