"""Overlap of two 300-frame tracks at 480x270 under all 599 shifts: ours and a loop over shifts in NumPy, in turn.

    OMP_NUM_THREADS=1 python benchmarks/bench_alignment.py

CPU time of one thread, packing of the masks included, and once more without it, since a track is packed once and compared with
many. The scores must be equal in every shift. Masks are blobs that cross the frame.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from result_file import RESULTS, write_result

from robustvos.realvas.overlap import overlap_scores, pack_masks

HEIGHT, WIDTH, FRAMES = 270, 480, 300


def blobs(radius: int, seed: int) -> np.ndarray:
    """A track: ``(T, H, W)`` bool."""
    rng = np.random.default_rng(seed)
    row, speed, phase = rng.uniform(80, 190), rng.uniform(0.8, 2.0) * rng.choice([-1, 1]), rng.uniform(0, 480)
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for t, mask in enumerate(masks):
        x = round((phase + speed * t) % (WIDTH + 4 * radius) - 2 * radius)
        cv2.ellipse(mask, (x, round(row + 8 * np.sin(t / 9))), (radius, round(1.6 * radius)), t % 40, 0, 360, 1, -1)
    return masks.astype(bool)


def loop(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """S of every shift as one would write it down."""
    scores = []
    for shift in range(-(len(second) - 1), len(first)):
        start, stop = max(0, shift), min(len(first), len(second) + shift)
        scores.append(int((first[start:stop] & second[start - shift : stop - shift]).sum()))
    return np.array(scores)


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Median CPU time."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "alignment.json")
    options = parser.parse_args()
    rows = {}
    print(f"{'area':>6}  {'loop':>9}  {'ours':>9}  {'packed':>9}  {'speed-up':>8}  {'packed':>8}")
    for radius in (16, 28, 50):
        first, second = blobs(radius, 1), blobs(radius, 2)
        packed = pack_masks(first), pack_masks(second)
        _, scores = overlap_scores(*packed)  # compiles
        if not np.array_equal(scores, loop(first, second)):
            raise SystemExit("the scores differ from the loop's")
        ours = seconds(lambda a=first, b=second: overlap_scores(pack_masks(a), pack_masks(b)), 2 * options.repeats)
        alone = seconds(lambda p=packed: overlap_scores(*p), 2 * options.repeats)
        plain = seconds(lambda a=first, b=second: loop(a, b), options.repeats)
        share = float(first.mean())
        rows[f"{share:.3f}"] = {"loop_s": plain, "ours_s": ours, "packed_s": alone, "speed_up": plain / ours}
        print(
            f"{share:>6.1%}  {1e3 * plain:>6.0f} ms  {1e3 * ours:>6.2f} ms  {1e3 * alone:>6.2f} ms  "
            f"{plain / ours:>7.0f}x  {plain / alone:>7.0f}x"
        )
    write_result(options.out, vars(options), {"alignment": rows})


if __name__ == "__main__":
    main()
