"""Score a folder of masks, from wherever it comes, against a folder of ground truth."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from robustvos.errors import DataNotFound, UserError
from robustvos.metrics.aggregate import aggregate
from robustvos.metrics.rules import ReleaseContour, rules_of
from robustvos.report.score_jobs import ScoringJob, plan_scoring
from robustvos.report.score_sequence import Scored, score_sequence
from robustvos.report.sections import CLEAN
from robustvos.report.summary import unscored_lines
from robustvos.video.atomic import atomic_write_text
from robustvos.workers import begin_worker

METRICS = ("J&F", "J", "F")


def score_folders(
    pred: str | os.PathLike[str],
    gt: str | os.PathLike[str],
    *,
    protocol: str = "davis",
    release_contour: ReleaseContour = "square",
    max_objects: int | None = None,
    skip_first_last: bool = False,
    out: str | os.PathLike[str] | None = None,
    sequences: Sequence[str] | None = None,
    workers: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """J and F of every object of every sequence.

    Every annotated frame of the truth needs a predicted mask of the same name; further predictions are passed over. An
    object counts from the frame in which the truth first shows it; under ``release`` objects are those of the first
    annotated frame that shows any. Pixels that the truth marks 255 (void) do not count.

    Args:
        pred: ``<pred>/<sequence>/<frame>.png``, indexed masks, or ``<pred>/<sequence>/<object>/<frame>.png``, black and
            white ones that may overlap; or the folder of a single sequence. Sequences called
            ``<sequence>@<corruption>``, as a test leaves them, are scored against ``<sequence>``.
        gt: The same for the truth; or a dataset's root, which holds ``Annotations``.
        protocol: ``davis`` or ``release``; see :mod:`robustvos.metrics.rules`.
        release_contour: What ``release`` takes for a contour: ``square``, as ``test`` does for YouTube-VOS and folders in
            DAVIS layout, or ``cross``, as it does for MVSeg. ``davis`` has its own.
        max_objects: At most so many of a sequence, those of the darkest colours, under ``release`` alone; None: 3, 0: all.
        skip_first_last: Leave out each sequence's first and last annotated frame, as DAVIS does.
        out: Folder for ``scores.csv`` (one line per object) and ``global_scores.csv``; nothing is written if None.
        sequences: Score these alone; all of the truth if None.
        workers: Number of processes; sequences are shared out among them.
        progress: Show a progress bar.

    Returns:
        ``{"protocol", "metrics", "objects", "aggregates", "global", "notes"}``; objects and aggregates as in ``results.json``,
        ``global`` with DAVIS's statistics (``J&F-Mean``, ``J-Mean``, ``J-Recall``, ``J-Decay``, ``F-Mean``, ...), ``notes``
        with lines on what was passed over.

    Raises:
        DataNotFound: If a folder, sequences or frames are missing, listed in the text; or no object or frame counts.
        BadMask: If a mask cannot be read, has another size than the truth, or holds ids that the truth does not know.
        UnknownName: If there is no such protocol or contour.
        UserError: If the scores cannot be written.
    """
    rules = replace(rules_of(protocol, release_contour), skip_first_last=skip_first_last)
    if max_objects is not None:
        if protocol != "release" or max_objects < 0:
            raise UserError(
                "max_objects chooses objects as the protocol release does: give a number from 0 on, and release"
            )
        rules = replace(rules, max_objects=max_objects or None)
    plan = plan_scoring(Path(pred), Path(gt), sequences, rules)
    jobs = plan.jobs
    scored = sorted(_score_all(jobs, workers, progress), key=lambda pair: pair[0])
    objects = [record for _, (records, _) in scored for record in records]
    statistics = [statistic for _, (_, found) in scored for statistic in found]
    if not objects:
        raise DataNotFound(f"{gt}: no annotated frame shows an object, so there is nothing to score; check the masks")
    if not statistics:
        raise DataNotFound(f"{gt}: no frame counts: without its first and last one, a sequence needs at least three")
    result = {
        "protocol": protocol,
        "metrics": list(METRICS),
        "objects": objects,
        "aggregates": aggregate(objects, METRICS),
        "global": _global_means(statistics),
        "notes": [*plan.notes, *unscored_lines(objects)],
    }
    if out is not None:
        _write_csv(Path(out), result)
    return result


def _score_all(jobs: Sequence[ScoringJob], workers: int, progress: bool) -> Iterator[tuple[int, Scored]]:
    """Index and outcome of each job, in whatever order they end."""
    with tqdm(total=sum(len(job.true) for job in jobs), unit="frame", disable=not progress) as bar:
        for index, outcome in _outcomes(jobs, workers):
            bar.update(len(jobs[index].true))
            yield index, outcome


def _outcomes(jobs: Sequence[ScoringJob], workers: int) -> Iterator[tuple[int, Scored]]:
    if workers <= 1 or len(jobs) == 1:
        yield from ((index, score_sequence(job)) for index, job in enumerate(jobs))
        return
    # A forked worker may wait for ever for a lock that a thread of its parent held.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=begin_worker) as pool:
        # Long sequences first, so that no worker is left alone with one at the end.
        order = sorted(range(len(jobs)), key=lambda index: -len(jobs[index].true))
        yield from zip(order, pool.map(score_sequence, [jobs[index] for index in order]), strict=True)


def _global_means(statistics: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over objects."""
    means = {name: float(np.mean([statistic[name] for statistic in statistics])) for name in statistics[0]}
    return {"J&F-Mean": (means["J-Mean"] + means["F-Mean"]) / 2, **means}


def _write_csv(folder: Path, result: dict[str, Any]) -> None:
    lines = [
        {
            "Sequence": f"{_named(record)}_{record['object']}",
            "J-Mean": _number(record["scores"]["J"]),
            "F-Mean": _number(record["scores"]["F"]),
        }
        for record in result["objects"]
    ]
    atomic_write_text(folder / "scores.csv", _csv(lines))
    atomic_write_text(
        folder / "global_scores.csv", _csv([{name: _number(value) for name, value in result["global"].items()}])
    )


def _named(record: Mapping[str, Any]) -> str:
    corruption = record["tags"].get("corruption", CLEAN)
    return record["clip"] if corruption == CLEAN else f"{record['clip']}@{corruption}"


def _csv(lines: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
