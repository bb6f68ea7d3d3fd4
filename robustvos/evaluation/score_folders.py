"""Score a folder of masks, from wherever it comes, against a folder of ground truth."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.errors import DataNotFound
from robustvos.evaluation.protocol import Protocol
from robustvos.evaluation.results import RunRecord
from robustvos.evaluation.score_amodal import plan_amodal
from robustvos.evaluation.score_jobs import ScoringJob, plan_scoring
from robustvos.evaluation.score_sequence import Scored, score_sequence
from robustvos.evaluation.summary import unscored_lines
from robustvos.files.atomic import atomic_write_text
from robustvos.files.naming import name_some
from robustvos.files.paths import refuse_inputs_as_output, under
from robustvos.progress import progress_bar
from robustvos.workers import begin_worker

WORKER_START_S = 1.5
"""Seconds that a process takes until it scores, twice over: Python, NumPy and OpenCV are loaded anew."""


@dataclass(frozen=True)
class FolderScores:
    """What :func:`score_folders` found.

    Attributes:
        run: The record, which ``report`` tables beside tested systems.
        statistics: DAVIS's (``J&F-Mean``, ``J-Mean``, ``J-Recall``, ``J-Decay``, ``F-Mean``, ...), means over objects; none
            for amodal masks.
        notes: A line for each kind of thing that was passed over.
    """

    run: RunRecord
    statistics: Mapping[str, float]
    notes: tuple[str, ...]


def score_folders(
    pred: str | os.PathLike[str],
    gt: str | os.PathLike[str],
    protocol: Protocol,
    *,
    out: str | os.PathLike[str] | None = None,
    sequences: Sequence[str] | None = None,
    workers: int = 1,
    progress: bool = True,
    about: Mapping[str, Any] | None = None,
) -> FolderScores:
    """Score every object of every sequence.

    Every annotated frame of the truth needs a predicted mask of the same name; further predictions are passed over. An
    object counts from the frame in which the truth first shows it; under ``release`` objects are those of the first
    annotated frame that shows any. Pixels that the truth marks 255 (void) do not count; but where 255 is all that the truth
    of a sequence shows, as in DAVIS 2016, it is object 1.

    Args:
        pred: ``<pred>/<sequence>/<frame>.png``, indexed masks, or ``<pred>/<sequence>/<object>/<frame>.png``, black and
            white ones that may overlap; or the folder of a single sequence. Sequences called
            ``<sequence>@<corruption>``, as a test leaves them, are scored against ``<sequence>``.
        gt: The same for the truth; or a dataset's root, which holds ``Annotations``; or, of an amodal protocol, clips in
            Real-VAS's native form (:mod:`robustvos.video.native`).
        protocol: As it is on the truth's dataset (:func:`robustvos.evaluation.protocol.protocol_for`).
        out: Folder for ``results.json`` and ``results.csv``, and for J and F ``scores.csv`` (one line an object) and
            ``global_scores.csv`` in DAVIS's form; nothing is written if None.
        sequences: Score these alone; all of the truth if None.
        workers: Processes at most; sequences are shared out among them, if there is more to do than starting them takes.
        progress: Show a progress bar.
        about: What the record says of the run besides its scores: ``system``, ``base``, ``dataset``, ``prompt``, ``facts``,
            ``command``, ``seed``, ...; see :class:`robustvos.evaluation.results.RunRecord`.

    Raises:
        DataNotFound: If a folder, sequences or frames are missing, listed in the text; or no object or frame counts.
        BadMask: If a mask cannot be read, has another size than the truth, or holds ids that the truth does not know.
        UnsafePath: If ``out`` is or contains the truth, or contains the predictions; it may be their own folder.
        UserError: If the scores cannot be written.
    """
    if out is not None:
        own = os.path.realpath(out) == os.path.realpath(pred)
        refuse_inputs_as_output(out, [gt] if own else [pred, gt])
    plan = plan_amodal if protocol.task == "amodal" else plan_scoring
    planned = plan(Path(pred), Path(gt), sequences, protocol)
    scored = sorted(_score_all(planned.jobs, workers, progress), key=lambda pair: pair[0])
    objects = [record for _, (records, *_) in scored for record in records]
    statistics = [statistic for _, (_, found, _) in scored for statistic in found]
    if not objects:
        raise DataNotFound(f"{gt}: no annotated frame shows an object, so there is nothing to score; check the masks")
    if not statistics and protocol.task == "modal":
        advice = "; --skip_first_last false scores them too" if protocol.skip_first_last else ""
        raise DataNotFound(
            f"{gt}: no frame counts: without its first and last one, a sequence needs at least three{advice}"
        )
    details = {**_ABOUT, "created": datetime.now(timezone.utc).isoformat(timespec="seconds"), **(about or {})}
    run = RunRecord.of(objects, protocol, **details)
    notes = (*planned.notes, *_reading_notes(planned.jobs, scored), *unscored_lines(objects))
    found = FolderScores(run, _global_means(statistics) if statistics else {}, notes)
    if out is not None:
        run.write(Path(out))
        if statistics:
            _write_csv(Path(out), found)
    return found


_ABOUT = {
    "system": "masks",
    "base": "",
    "dataset": "folder",
    "prompt": "not known",
    "seed": 0,
    "versions": {},
    "parameters": {},
    "checkpoint": None,
}


def _reading_notes(jobs: Sequence[ScoringJob], scored: Sequence[tuple[int, Scored]]) -> list[str]:
    """A line for each way in which masks had to be read, with the sequences."""
    read: dict[str, list[str]] = {}
    for index, (_, _, notes) in scored:
        for note in notes:
            read.setdefault(note, []).append(jobs[index].name)
    return [f"{note} ({name_some(dict.fromkeys(names))})" for note, names in read.items()]


def _score_all(jobs: Sequence[ScoringJob], workers: int, progress: bool) -> Iterator[tuple[int, Scored]]:
    """Index and outcome of each job, in whatever order they end."""
    with progress_bar(total=sum(len(job.true) for job in jobs), unit="frame", disable=not progress) as bar:
        for index, outcome in _outcomes(jobs, workers):
            bar.update(len(jobs[index].true))
            yield index, outcome


def _outcomes(jobs: Sequence[ScoringJob], workers: int) -> Iterator[tuple[int, Scored]]:
    # Long sequences first, so that no worker is left alone with one at the end; the shortest tells what a frame takes.
    order = sorted(range(len(jobs)), key=lambda index: -len(jobs[index].true))
    if workers > 1 and len(jobs) > 1:
        shortest, start = order.pop(), time.process_time()
        yield shortest, score_sequence(jobs[shortest])
        each = (time.process_time() - start) / max(1, len(jobs[shortest].true))
        workers = paying_workers(workers, [each * len(jobs[index].true) for index in order])
    if workers <= 1 or len(jobs) == 1:
        yield from ((index, score_sequence(jobs[index])) for index in order)
        return
    # A forked worker may wait for ever for a lock that a thread of its parent held.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker) as pool:
        yield from zip(order, pool.map(score_sequence, [jobs[index] for index in order]), strict=True)


def paying_workers(wanted: int, seconds: Sequence[float]) -> int:
    """How many processes make work shorter: as many as wanted, or one where starting them takes what they would save.

    Args:
        wanted: At most so many.
        seconds: That each piece of the work takes, longest first.

    >>> paying_workers(4, [2.0] * 8), paying_workers(4, [2.0, 2.0]), paying_workers(4, [0.01] * 8)
    (4, 2, 1)
    """
    count = min(wanted, len(seconds))
    if count <= 1:
        return 1
    saved = sum(seconds) - max(sum(seconds) / count, *seconds[:1])
    return count if saved > WORKER_START_S else 1


def _global_means(statistics: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over objects."""
    means = {name: float(np.mean([statistic[name] for statistic in statistics])) for name in statistics[0]}
    return {"J&F-Mean": (means["J-Mean"] + means["F-Mean"]) / 2, **means}


def _write_csv(folder: Path, found: FolderScores) -> None:
    lines = [
        {
            "Sequence": f"{record.sequence}_{record.object_id}",
            "J-Mean": _number(record.scores["J"]),
            "F-Mean": _number(record.scores["F"]),
        }
        for record in found.run.objects
    ]
    means = {name: _number(value) for name, value in found.statistics.items()}
    for name, rows in (("scores.csv", lines), ("global_scores.csv", [means])):
        atomic_write_text(under(folder, name), _csv(rows))


def _csv(lines: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
