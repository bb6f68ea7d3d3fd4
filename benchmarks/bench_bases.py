"""The bases in the package on one object of a 480p video: CPU time of a frame, and its ratio to nano's.

Frame by frame in turn, in one process and one thread, once the memory is full; medians. ``small`` also at 256 px, and with
masks that are stretched to the frame instead of following its edges::

    python benchmarks/bench_bases.py --frames 30
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from bench_tracker import make_frame, make_prompts
from result_file import RESULTS, write_result

from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.tracker import Tracker

WARM_UP = 10
BASES = {
    "nano": Sam2Config("nano"),
    "small": Sam2Config("small"),
    "small, bilinear": Sam2Config("small", upsampling="bilinear"),
    "small, 256 px": Sam2Config("small", image_size=256),
}


def measure(frames: int) -> dict[str, float]:
    """Median CPU milliseconds of a frame, by base."""
    trackers = {name: Tracker(build_sam2(config)) for name, config in BASES.items()}
    spent: dict[str, list[float]] = {name: [] for name in BASES}
    for t in range(WARM_UP + frames):
        frame = torch.from_numpy(make_frame(t).copy()).permute(2, 0, 1)
        for name, tracker in trackers.items():
            start = time.process_time()
            tracker.step(frame, make_prompts(1) if t == 0 else ())
            spent[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(times[WARM_UP:]) for name, times in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULTS / "bases.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(given.frames)
    print(f"{'one object, 480p':20s}{'CPU ms a frame':>16s}{'nano is 1':>12s}")
    for name, milliseconds in found.items():
        print(f"{name:20s}{milliseconds:16.1f}{milliseconds / found['nano']:12.2f}")
    write_result(given.out, {"frames": given.frames}, {"milliseconds": found})


if __name__ == "__main__":
    main()
