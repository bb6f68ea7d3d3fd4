"""``cli.py report`` on many videos: two systems, two conditions, 10,000 videos each.

    OMP_NUM_THREADS=1 python benchmarks/bench_report.py

The scores are drawn: videos differ in difficulty, systems and conditions in the mean. CPU time of the whole command, start
included, and how it grows with the number of videos.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from result_file import RESULTS, write_result

from robustvos.evaluation.protocol import DatasetFacts, protocol_for
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.results import RunRecord

CLI = Path(__file__).resolve().parents[1] / "cli.py"
SYSTEMS = {"sam2": 0.70, "moga": 0.74}
CONDITIONS = {"clean": 0.0, "fog": -0.1}


def draw(folder: Path, videos: int, seed: int = 0) -> Path:
    """A ``results.json`` for each system, over the same videos; returns the folder of both."""
    generator = np.random.default_rng(seed)
    difficulty = generator.normal(0, 0.15, videos)
    protocol = protocol_for("davis", DatasetFacts(skip_first_last=True))
    about = {"base": "nano", "dataset": "drawn", "prompt": "mask", "seed": 0, "created": "2026-01-01T00:00:00"}
    for system, mean in SYSTEMS.items():
        objects = []
        for condition, harm in CONDITIONS.items():
            j, f = np.clip(mean + harm - difficulty + generator.normal(0, 0.05, (2, videos)), 0, 1)
            for video in range(videos):
                scores = {"J&F": float(j[video] + f[video]) / 2, "J": float(j[video]), "F": float(f[video])}
                objects.append(ObjectScore(f"v{video:05d}", 1, 30, {"corruption": condition}, scores))
        record = RunRecord.of(
            objects,
            protocol,
            system=system,
            versions={},
            parameters={"total": 1, "trainable": 0},
            checkpoint=None,
            **about,
        )
        record.write(folder / system)
    return folder


def spent_on(folder: Path, out: Path) -> float:
    """CPU seconds of the command."""
    before = os.times()
    subprocess.run([sys.executable, CLI, "report", folder, "--out", out], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure, print, and keep the figures with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--out", type=Path, default=RESULTS / "report.json")
    arguments = parser.parse_args()
    seconds: dict[int, float] = {}
    for videos in arguments.videos:
        with tempfile.TemporaryDirectory() as temporary:
            seconds[videos] = spent_on(draw(Path(temporary, "runs"), videos), Path(temporary, "page"))
        print(
            f"{len(SYSTEMS)} systems x {len(CONDITIONS)} conditions x {videos:6d} videos: {seconds[videos]:6.2f} CPU s",
            flush=True,
        )
    write_result(arguments.out, vars(arguments), {"seconds": seconds})


if __name__ == "__main__":
    main()
