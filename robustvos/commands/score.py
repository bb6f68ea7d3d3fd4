"""``cli.py score PRED GT``: J and F of masks from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from robustvos.commands.tool import run_tool
from robustvos.metrics.rules import ReleaseContour
from robustvos.report.score import score_folders


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(score, argv, positional=["pred", "gt"])


def score(
    pred: Path,
    gt: Path,
    protocol: str = "davis",
    release_contour: ReleaseContour = "square",
    skip_first_last: bool = False,
    out: Path | None = None,
    workers: int = 1,
) -> None:
    """J&F, J and F of predicted masks against the truth, with one line per object in OUT/scores.csv.

    Args:
        pred: PRED/SEQUENCE/FRAME.png, indexed masks; or the folder of one sequence.
        gt: The same for the truth; or a dataset's root that holds Annotations.
        protocol: davis or release.
        release_contour: what release takes for a contour; square for YouTube-VOS and folders in DAVIS layout, cross for
            MVSeg and ACDC-Video.
        skip_first_last: Leave out each sequence's first and last annotated frame, as DAVIS does.
        out: Folder for the CSV files; by default the folder of the predictions.
        workers: Processes.
    """
    folder = out or pred
    found = score_folders(
        pred,
        gt,
        protocol=protocol,
        release_contour=release_contour,
        skip_first_last=skip_first_last,
        out=folder,
        workers=workers,
        progress=sys.stderr.isatty(),
    )
    overall = found["aggregates"]["overall"]
    for metric in ("J&F", "J", "F"):
        e = overall[metric]
        mean = "undefined: no frame counts" if e["mean"] is None else f"{e['mean']:.4f}"
        interval = "" if e["low"] is None else f"  [{e['low']:.4f}, {e['high']:.4f}]"
        print(f"{metric:<4} {mean}{interval}")
    objects, clips = overall["J"]["objects"], overall["J"]["clips"]
    print(f"{objects} objects in {clips} sequences, protocol {protocol}: {folder / 'scores.csv'}")
