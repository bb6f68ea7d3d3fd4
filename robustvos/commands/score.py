"""``cli.py score PRED GT``: J and F of masks from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from robustvos.commands.tool import run_tool
from robustvos.errors import UserError
from robustvos.metrics.aggregate import group_by_tag
from robustvos.metrics.rules import ReleaseContour
from robustvos.report.compare import averaged_over
from robustvos.report.score import METRICS, score_folders
from robustvos.report.summary import condition_block, figures_of


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(score, argv, positional=["pred", "gt"])


def score(
    pred: Path,
    gt: Path,
    sequences: list[str] | None = None,
    protocol: str = "davis",
    release_contour: ReleaseContour = "square",
    max_objects: int | None = None,
    skip_first_last: bool = False,
    out: Path | None = None,
    workers: int = 1,
) -> None:
    """J&F, J and F of predicted masks against the truth, with one line per object in OUT/scores.csv.

    Masks are indexed PNGs, PRED/SEQUENCE/FRAME.png, or black and white ones that may overlap,
    PRED/SEQUENCE/OBJECT/FRAME.png. Folders SEQUENCE@CORRUPTION, as a test leaves them, are scored against SEQUENCE.

      cli.py score runs/test/version_0/masks data/DAVIS --sequences data/DAVIS/ImageSets/2017/val.txt

    Args:
        pred: Folder of the predictions; or of one sequence.
        gt: GT/SEQUENCE/FRAME.png, indexed masks; or the folder of one sequence; or a dataset's root that holds Annotations.
        sequences: Score this one alone, or those of a text file with one name a line; may be repeated.
        protocol: davis or release.
        release_contour: what release takes for a contour; square for YouTube-VOS and folders in DAVIS layout, cross for
            MVSeg.
        max_objects: under release, at most so many of a sequence, those of the darkest colours; 0 for all. By default 3.
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
        max_objects=max_objects,
        skip_first_last=skip_first_last,
        out=folder,
        sequences=_named(sequences),
        workers=workers,
        progress=sys.stderr.isatty(),
    )
    objects = found["objects"]
    overall = figures_of(objects, METRICS, protocol)
    for metric in METRICS:
        e = overall[metric]
        mean = "undefined: no frame counts" if e["mean"] is None else f"{e['mean']:.4f}"
        interval = "" if e["low"] is None else f"  [{e['low']:.4f}, {e['high']:.4f}]"
        print(f"{metric:<4} {mean}{interval}")
    conditions = group_by_tag(objects, "corruption")
    if conditions:
        figures = {name: figures_of(group, METRICS, protocol) for name, group in conditions.items()}
        print("\n".join(["", *condition_block("in percent", figures, METRICS), ""]))
    count, clips = overall["J"]["objects"], overall["J"]["clips"]
    print(
        f"{count} objects in {clips} sequences, protocol {protocol}, means over {averaged_over(protocol)}: "
        f"{folder / 'scores.csv'}"
    )
    for note in found["notes"]:
        print(note)


def _named(sequences: Sequence[str] | None) -> list[str] | None:
    """Names as given, and those that files hold."""
    if not sequences:
        return None
    names: list[str] = []
    for given in sequences:
        file = Path(given)
        if not file.is_file():
            if file.suffix == ".txt":
                raise UserError(f"--sequences {file}: there is no such file")
            names.append(given)
            continue
        try:
            listed = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise UserError(f"--sequences {file} is not readable as text; expected one name a line") from error
        if not listed:
            raise UserError(f"--sequences {file} names no sequence; expected one name a line")
        names += listed
    return list(dict.fromkeys(names))
