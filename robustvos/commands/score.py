"""``cli.py score PRED GT``: J and F, or the amodal figures, of masks from anywhere."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from robustvos.commands.tool import run_tool
from robustvos.errors import UserError
from robustvos.evaluation.protocol import DatasetFacts, ReleaseContour, protocol_for
from robustvos.evaluation.results import RunRecord, load_result
from robustvos.evaluation.score_amodal import is_native
from robustvos.evaluation.score_folders import FolderScores, score_folders
from robustvos.evaluation.summary import condition_block
from robustvos.files.paths import lies_in, refuse_dataset_folders
from robustvos.files.text_lists import read_names
from robustvos.program import next_command, program
from robustvos.report.compare import averaged_over


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(score, argv, positional=["pred", "gt"])


def score(
    pred: Path,
    gt: Path,
    sequences: list[str] | None = None,
    data: str | None = None,
    protocol: str | None = None,
    release_contour: ReleaseContour | None = None,
    max_objects: int | None = None,
    skip_first_last: bool | None = None,
    system: str | None = None,
    out: Path | None = None,
    workers: int = 1,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """J&F, J and F of predicted masks against the truth, or the amodal figures; OUT/results.json goes into reports.

    Masks are indexed PNGs, PRED/SEQUENCE/FRAME.png, or black and white ones that may overlap,
    PRED/SEQUENCE/OBJECT/FRAME.png. Folders SEQUENCE@CORRUPTION, as a test leaves them, are scored against SEQUENCE. Against
    clips in Real-VAS's form (GT/CLIP/{visible_masks,gt_masks}) whole masks are scored.

      cli.py score runs/test/version_0/masks data/DAVIS --sequences data/DAVIS/ImageSets/2017/val.txt

    Args:
        pred: Folder of the predictions; or of one sequence.
        gt: GT/SEQUENCE/FRAME.png, indexed masks; or the folder of one sequence; or a dataset's root that holds Annotations.
        sequences: Score this one alone, or those of a text file with one name a line; may be repeated.
        data: The dataset whose rules hold, a name in configs/data; by default that of the results.json beside the masks,
            else DAVIS's.
        protocol: davis or release; of whole objects realvas, realvas_literal or tabe. By default that of the results.json
            beside the masks, else davis or realvas.
        release_contour: what release takes for a contour; square for YouTube-VOS and folders in DAVIS layout, cross for
            MVSeg. By default the dataset's, else square.
        max_objects: under release, at most so many of a sequence, those of the darkest colours; 0 for all. By default 3.
        skip_first_last: Leave out each sequence's first and last annotated frame. By default as the dataset has it; of bare
            folders both are left out, as DAVIS's own toolkit does.
        system: Name of the row in reports; by default that of the results.json beside the masks, else the folder's name.
        out: Folder for the results; by default the folder of the predictions, unless that is the truth's.
        workers: Processes at most; fewer where starting them would take longer than they save.
        settings: Of the dataset, one by one.
    """
    if out is not None:
        refuse_dataset_folders(out)
    beside = _results_beside(pred)
    facts, why = _facts(gt, data, beside, skip_first_last, release_contour, settings)
    chosen = protocol_for(protocol or (beside.protocol if beside and data is None else None), facts)
    if max_objects is not None:
        if chosen.name != "release" or max_objects < 0:
            raise UserError(
                "max_objects chooses objects as the protocol release does: give a number from 0 on, and release"
            )
        chosen = replace(chosen, prompting=replace(chosen.prompting, max_objects=max_objects or None))
    among_truth = lies_in(pred, gt) or lies_in(gt, pred)
    folder = out or (None if among_truth else pred)
    found = score_folders(
        pred,
        gt,
        chosen,
        out=folder,
        sequences=_named(sequences),
        workers=workers,
        about=_about(pred, gt, data, system, beside),
    )
    print("\n".join(_lines(found)))
    if chosen.task == "modal" and why:
        print(why)
    for note in dict.fromkeys([*found.notes, *found.run.notes]):
        print(note)
    if folder is None:
        print("nothing is written among the truth's files; give --out FOLDER for results.json and scores.csv")
    else:
        print(f"scores: {folder / 'results.json'}")
        page = "report" if out is None else out / "report"  # not among the predictions
        print(next_command("report", folder, "--out", page))


def _lines(found: FolderScores) -> list[str]:
    """The figures, then what they are of."""
    run, lines = found.run, []
    for metric in run.metrics:
        e = run.overall[metric]
        mean = f"{e.mean:.4f}" if e.known else "undefined: no frame counts"
        interval = f"  [{e.low:.4f}, {e.high:.4f}]" if e.low == e.low else ""
        lines.append(f"{metric:<{4 if len(run.metrics) == 3 else 8}} {mean}{interval}")
    for tag in ("corruption", "category"):
        if run.by.get(tag):
            lines += ["", *condition_block("in percent", run.by[tag], run.metrics), ""]
    main = run.overall[run.metrics[0]]
    over = averaged_over(run.protocol)
    lines.append(f"{main.objects} objects in {main.videos} sequences, protocol {run.protocol}, means over {over}")
    return lines


def _results_beside(pred: Path) -> RunRecord | None:
    """Of the test that wrote the masks, if it did."""
    file = pred.parent / "results.json"
    return load_result(file) if pred.name == "masks" and file.is_file() else None


def _facts(
    gt: Path,
    data: str | None,
    beside: RunRecord | None,
    skip: bool | None,
    contour: ReleaseContour | None,
    settings: Mapping[str, Any] | None,
) -> tuple[DatasetFacts, str]:
    """What the truth's dataset fixes, and a line on where the rule for first and last frames comes from."""
    if data is not None:
        from robustvos.commands.inspect_data import load_data  # imports Lightning

        facts, source = load_data(data, settings, missing=True).facts, f"--data {data}"
    elif is_native(gt):
        return DatasetFacts(task="amodal", overlapping=True), ""
    elif beside is not None and beside.skip_first_last is not None:
        facts, source = (
            DatasetFacts(skip_first_last=beside.skip_first_last, contour="square"),
            "the test's results.json",
        )
    else:
        facts = DatasetFacts(skip_first_last=True, contour="square")
        source = "DAVIS's own rule; --skip_first_last false counts them"
    if skip is not None:
        facts, source = replace(facts, skip_first_last=skip), "--skip_first_last"
    facts = replace(facts, contour=contour or facts.contour)
    words = "do not count" if facts.skip_first_last else "count"
    return facts, f"first and last annotated frames {words} ({source})"


def _about(pred: Path, gt: Path, data: str | None, system: str | None, beside: RunRecord | None) -> dict[str, Any]:
    command = f"{program()} {shlex.join(sys.argv[1:])}"
    if beside is None:
        return {"system": system or pred.absolute().name, "dataset": data or gt.absolute().name, "command": command}
    kept = ["base", "base_hash", "restorer_hash", "prompt", "facts", "seed", "versions", "parameters", "checkpoint"]
    kept += ["inputs", "run_type", "changes"]
    about = {name: getattr(beside, name) for name in kept}
    return {**about, "system": system or beside.system, "dataset": data or beside.dataset, "command": command}


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
        names += read_names(file, "sequence")
    return list(dict.fromkeys(names))
