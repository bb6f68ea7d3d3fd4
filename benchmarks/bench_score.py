"""``cli.py score`` as a command, start included, beside vos-benchmark; and how its time grows with objects and workers.

    OMP_NUM_THREADS=1 python benchmarks/bench_score.py

Folders of 480p PNGs of moving ellipses, predictions shifted by up to 12 pixels. CPU time of the command with its children, and
wall time where workers are compared. vos-benchmark is measured where it is installed; where not, the table says so.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from result_file import RESULTS, write_result

from robustvos.evaluation.protocol import DatasetFacts, protocol_for
from robustvos.evaluation.score_folders import score_folders
from robustvos.video.masks import masks_from_ids, write_indexed_mask

HEIGHT, WIDTH = 480, 854
CLI = Path(__file__).resolve().parents[1] / "cli.py"
PEER = (
    "import sys; from vos_benchmark.benchmark import benchmark; "
    "benchmark([sys.argv[1]], [sys.argv[2]], True, int(sys.argv[3]), verbose=False, skip_first_and_last=False)"
)
FOLDERS = {"small: 2 x 10 frames": (2, 10), "420 frames": (6, 70)}


class Spent(NamedTuple):
    """Seconds."""

    cpu: float
    wall: float


def write_folder(root: Path, sequences: int, frames: int, objects: int = 3) -> tuple[Path, Path]:
    """Truth and predictions."""
    generator = np.random.default_rng(0)
    for sequence in range(sequences):
        columns = max(3, round((objects * WIDTH / HEIGHT) ** 0.5))
        for t in range(frames):
            ids = np.zeros((HEIGHT, WIDTH), np.uint8)
            for k in range(objects):
                side = WIDTH / columns
                middle = (int((k % columns + 0.5) * side) + t % 20, int((k // columns + 0.5) * side) + t % 15)
                cv2.ellipse(ids, middle, (int(side * 0.4), int(side * 0.3)), 10.0 * k + t, 0, 360, k + 1, -1)
            moved = np.roll(ids, tuple(generator.integers(-12, 13, 2)), axis=(0, 1))
            seen = np.unique(ids)[1:].tolist()
            for name, found in (("gt", ids), ("pred", moved)):
                write_indexed_mask(masks_from_ids(found, seen), seen, root / name / f"video{sequence}" / f"{t:05d}.png")
    return root / "gt", root / "pred"


def run(*command: object) -> Spent:
    """Of a command and its children."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Spent(cpu, time.perf_counter() - start)


def measure_commands(gt: Path, pred: Path, repeats: int) -> dict[str, Spent]:
    """Medians, in turn."""
    ways: dict[str, tuple[object, ...]] = {
        f"robustvos, {n} worker(s)": (CLI, "score", pred, gt, "--workers", n) for n in (1, 2)
    }
    if find_spec("vos_benchmark"):
        ways |= {f"vos-benchmark, {n} worker(s)": ("-c", PEER, gt, pred, n) for n in (1, 2)}
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, command in ways.items():
            found = run(*command)
            if repeat:
                spent[name].append(found)
    return {name: Spent(*map(statistics.median, zip(*found, strict=True))) for name, found in spent.items()}


def measure_objects(root: Path, repeats: int) -> dict[int, float]:
    """CPU milliseconds for a frame and object, by number of objects; reading and start are left out."""
    folders = {count: write_folder(root / str(count), 1, 8, count) for count in (3, 20, 60)}
    times: dict[int, list[float]] = {count: [] for count in folders}
    protocol = protocol_for("davis", DatasetFacts(skip_first_last=True))
    for repeat in range(repeats + 1):
        for count, (gt, pred) in folders.items():
            start = time.process_time()
            score_folders(pred, gt, protocol, progress=False)
            if repeat:
                times[count].append((time.process_time() - start) * 1000 / 8 / count)
    return {count: statistics.median(spent) for count, spent in times.items()}


def main() -> None:
    """Measure, print, and keep the figures with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "score.json")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    figures: dict[str, dict[str, Spent]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        print(f"{'folder':22}{'command':28}{'CPU s':>8}{'wall s':>8}   times ours (CPU, wall)")
        for name, (sequences, frames) in FOLDERS.items():
            gt, pred = write_folder(Path(temporary, name.partition(":")[0]), sequences, frames)
            figures[name] = measure_commands(gt, pred, arguments.repeats)
            ours = figures[name]["robustvos, 1 worker(s)"]
            for way, spent in figures[name].items():
                ratios = f"{spent.cpu / ours.cpu:.2f}, {spent.wall / ours.wall:.2f}"
                print(f"{name:22}{way:28}{spent.cpu:8.2f}{spent.wall:8.2f}   {ratios}", flush=True)
        if not find_spec("vos_benchmark"):
            print("vos-benchmark: not installed, not measured")
        objects = measure_objects(Path(temporary, "objects"), arguments.repeats)
    print("\nCPU ms for a frame and object, reading included")
    for count, spent in objects.items():
        print(f"{count:4d} objects {spent:8.3f}   {spent / objects[3]:.2f} times that of 3")
    write_result(arguments.out, vars(arguments), {"seconds": figures, "ms_by_objects": objects})


if __name__ == "__main__":
    main()
