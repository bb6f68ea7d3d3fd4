"""``cli.py experiment NAME``: train and test every row of a table, then print it beside the paper's."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from robustvos.commands.closing import after_reporting
from robustvos.commands.resolving import CLI, identities_of
from robustvos.commands.tool import run_tool
from robustvos.errors import UserError
from robustvos.experiments.plan import RUNS, Evaluation, Fit, Plan, read_plan, scale_name
from robustvos.experiments.progress import Progress
from robustvos.files.naming import printable
from robustvos.program import next_command, program
from robustvos.termination import Stopped

if TYPE_CHECKING:
    from robustvos.experiments.rows import RowRuns
    from robustvos.report.curves import Chart

_REFUSED = 2  # exit code of an error that the user can mend
_ERROR = "error: "
_FAILED = "failed with exit code"


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(experiment, argv, positional=["names"])


def experiment(
    names: list[str],
    scale: str = "embedded",
    out: Path = Path("experiments"),
    only: str | None = None,
    dry_run: bool = False,
) -> None:
    """Train and test the rows of one or more experiments, and table them beside the papers' figures.

    Experiments are files in configs/experiments: table2 to table8 of RobustPVOS, realvas_table2 to realvas_table5 of
    Real-VAS, our own: ablations, object_specific, public_code, robust_amodal, scaling; and real_table2, 3, 4, 6,
    real_object_specific and real_long on footage of yours. What has been trained or tested already, by another experiment
    too, is used again; a run that was broken off goes on. A run of other settings, weights or data, or of another version,
    is not used: the message says what differs. A row whose weights or data are missing, or that fails, is left out, and the
    message says why. Everything is in runs/OUT/SCALE, the report in runs/OUT/SCALE/report/NAMES.

    Args:
        names: Experiments, or YAML files of their form.
        scale: What they run on: a file in configs/experiments/scales, or a path. `embedded` takes minutes on two
            cores and needs no download, `full` is the papers' setting.
        out: Folder below runs/.
        only: `fit` or `test`: run, or list, these alone, and make no table. Tests of what is not trained yet are left out.
        dry_run: Print the commands that are left to run, one a line as `make slurm-jobs` takes them. Weights and data are
            not looked for: a command that lacks them says so when it is run, and ends with exit code 2.
    """
    if only not in (None, "fit", "test"):
        raise UserError(f"--only {only}: give fit or test")
    if out.is_absolute() or ".." in out.parts:
        raise UserError(f"--out {out}: give the name of a folder below runs/")
    folder = out / scale_name(scale)
    plans = [read_plan(name, scale, folder) for name in names]
    progress = _progress(list(dict.fromkeys(job for plan in plans for job in plan.jobs)))
    jobs = _left(progress, only)
    if dry_run:
        for job in jobs:
            print(shlex.join(progress.command(job)))
        return
    messages = run_jobs(jobs, progress)
    if only is None:
        closing = _report(plans, progress, RUNS / folder, messages)
    else:
        following = ["--only", "test"] if only == "fit" else []
        where = ["--scale", scale, "--out", out]
        closing = next_command("experiment", *names, *where, *following)
    for message in dict.fromkeys(messages.values()):
        print(f"left out: {message}")
    if any(message.startswith(_FAILED) for message in messages.values()):
        raise SystemExit(1)
    print(printable(closing))


def _progress(jobs: Sequence[Fit | Evaluation]) -> Progress:
    """What of them is done; what is there but of something else is named on stderr."""
    loops = {job: "fit" if isinstance(job, Fit) else "test" for job in jobs}
    identities = identities_of([[loop, *job.arguments] for job, loop in loops.items()])
    progress = Progress(dict(zip(jobs, identities, strict=True)))
    for note in dict.fromkeys(filter(None, map(progress.stale, jobs))):
        print(note, file=sys.stderr)
    return progress


def _left(progress: Progress, only: str | None) -> list[Fit | Evaluation]:
    """What is to be run, trainings first."""
    left = [job for job in progress.identities if progress.is_left(job)]
    fits = [job for job in left if isinstance(job, Fit) and only != "test"]
    tests = [job for job in left if isinstance(job, Evaluation) and only != "fit"]
    if only == "test":
        waiting = [test for test in tests if test.fit is not None and not progress.done(test.fit)]
        tests = [test for test in tests if test not in waiting]
        for fit in dict.fromkeys(test.fit for test in waiting if test.fit is not None):
            print(f"not trained yet, its tests are left out: {fit.folder}", file=sys.stderr)
    return [*fits, *tests]


def run_jobs(jobs: Sequence[Fit | Evaluation], progress: Progress) -> dict[str, str]:
    """Run them in turn; returns, for each that was refused, has failed or depends on such a one, its folder and the reason."""
    refused: dict[str, str] = {}
    start = time.monotonic()
    for number, job in enumerate(jobs, 1):
        needs = job.fit if isinstance(job, Evaluation) else None
        if needs is not None and str(needs.folder) in refused:
            refused[str(job.folder)] = refused[str(needs.folder)]
            continue
        minutes = (time.monotonic() - start) / 60
        command = progress.command(job)
        print(f"[{number}/{len(jobs)}, {minutes:.0f} min] {shlex.join(command)}", flush=True)
        code, error = _run(command)
        if code == _REFUSED and error:
            refused[str(job.folder)] = error
        elif code:
            refused[str(job.folder)] = f"{_FAILED} {code}: {program()} {shlex.join(command)}"
    return refused


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Exit code, and the last line that begins with ``error:``; what is written to stderr is passed on as it comes.

    Raises:
        KeyboardInterrupt: After Ctrl-C, which the command has had too: when it has ended as it saw fit.
    """
    with (
        _noting_interrupts() as stopped,
        subprocess.Popen([sys.executable, str(CLI), *command], stderr=subprocess.PIPE) as process,
    ):
        assert process.stderr is not None
        tail = b""
        try:
            while chunk := os.read(process.stderr.fileno(), 4096):
                sys.stderr.buffer.write(chunk)
                sys.stderr.flush()
                tail = (tail + chunk)[-20_000:]
        except Stopped as stop:  # the command saves, and ends as well
            process.send_signal(stop.signum)
            raise
    if stopped:
        raise KeyboardInterrupt("what is trained and tested stays, and the same command goes on")
    lines = [line for line in tail.decode(errors="replace").splitlines() if line.startswith(_ERROR)]
    return process.returncode, lines[-1].removeprefix(_ERROR) if lines else ""


@contextmanager
def _noting_interrupts() -> Iterator[list[bool]]:
    """Ctrl-C interrupts nothing; the list says whether it came."""
    came: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    former = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, former)


def _report(plans: Sequence[Plan], progress: Progress, folder: Path, messages: dict[str, str]) -> str:
    """Print the tables, and write a page with them and everything behind them; returns what to type next."""
    from robustvos.evaluation.results import load_result
    from robustvos.experiments.amodal_tables import amodal_experiment_tables
    from robustvos.experiments.rows import RowRuns
    from robustvos.experiments.tables import experiment_tables
    from robustvos.report.page import build_report
    from robustvos.report.published import PAPERS, published_table
    from robustvos.report.text import format_table

    tables, paths, charts = [], [], []
    for plan in plans:
        rows = []
        for row in plan.rows:
            tested = [(test.dataset, progress.results(test)) for test in row.tests]
            found = [(dataset, path) for dataset, path in tested if path is not None]
            paths += [path for _, path in found]
            runs = [(dataset, load_result(path)) for dataset, path in found]
            rows.append(RowRuns(row.title, row.published, tuple(runs)))
        if plan.curve:
            charts += _curves(plan, rows)
        if any(run.metrics[0] == "mIoU" for row in rows for _, run in row.runs):
            published = published_table(plan.table, PAPERS[plan.paper]) if plan.table is not None else ()
            made = amodal_experiment_tables(plan.title, published, rows, plan.references, plan.note)
        else:
            made = experiment_tables(plan.title, plan.table, plan.sets, rows, plan.references, plan.note)
        tables += made
        print()
        for table in made:
            print(format_table(table), end="\n\n")
    if not paths:
        raise UserError(f"nothing could be tested: {next(iter(messages.values()), 'no row has results')}")
    out = folder / "report" / "-".join(plan.name for plan in plans)
    title = ", ".join(plan.name for plan in plans)
    page = build_report(
        sorted(set(paths)), out, title=f"robustvos {title}", reference="sam2", leading=tables, curves=charts
    )
    print(f"report: {page}; open it in a browser")
    return after_reporting([load_result(path) for path in sorted(set(paths))], out)


def _curves(plan: Plan, rows: Sequence[RowRuns]) -> list[Chart]:
    """One for each set that was tested on."""
    from robustvos.experiments.scaling_curves import scaling_chart

    charts = []
    for dataset in plan.sets:
        placed = [
            (row.at, [run for name, run in made.runs if name == dataset])
            for row, made in zip(plan.rows, rows, strict=True)
            if row.at is not None
        ]
        title = f"{plan.title}, {dataset}" if len(plan.sets) > 1 else plan.title
        chart = scaling_chart(title, plan.curve, placed)
        if chart is not None:
            charts.append(chart)
    return charts
