"""What of an experiment is done: runs on disk that are of what their commands would do now, and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robustvos.experiments.identity import CHECKPOINT, FILE, differences, digest_of
from robustvos.experiments.plan import Evaluation, Fit, run_name

_SHOWN = 4  # settings that a message names


class Progress:
    """Training and test runs of a plan.

    Args:
        identities: Of each job, what decides its figures, as :func:`robustvos.experiments.identity.identity_of` has it of
            its command, without the checkpoint.
    """

    def __init__(self, identities: Mapping[Fit | Evaluation, Mapping[str, Any]]) -> None:
        self.identities = identities

    def done(self, fit: Fit) -> bool:
        """Whether the newest run that was begun with these settings was trained to its end."""
        return self._trained(self._versions(fit))

    def checkpoint(self, fit: Fit) -> Path | None:
        """What the newest of its runs left last; None if there is nothing."""
        return _newest(self._versions(fit), "checkpoints/last.ckpt")

    def results(self, test: Evaluation) -> Path | None:
        """The newest ``results.json`` of these settings, and of the weights that its training has ended with; else None."""
        if test.fit is not None and not self.done(test.fit):
            return None
        return _newest(self._versions(test), "results.json")

    def is_left(self, job: Fit | Evaluation) -> bool:
        """Whether it is yet to be run."""
        return not self.done(job) if isinstance(job, Fit) else self.results(job) is None

    def command(self, job: Fit | Evaluation) -> list[str]:
        """Arguments of the command line; a training that was broken off goes on where it stands."""
        run = ["--run", run_name(job.folder)]
        if isinstance(job, Evaluation):
            weights = [] if job.fit is None else [f"--{CHECKPOINT}", str(self._weights(job.fit))]
            return ["test", *job.arguments, *weights, *run]
        versions = self._versions(job)
        interrupted = _newest(versions, "checkpoints/interrupted.ckpt")  # by hand, in the middle of an epoch
        there = [path for path in (self.checkpoint(job), interrupted) if path is not None]
        latest = max(there, key=lambda path: path.stat().st_mtime_ns, default=None)
        resume = [] if latest is None or self.done(job) else [f"--{CHECKPOINT}", str(latest)]
        return ["fit", *job.arguments, *run, *resume]

    def stale(self, job: Fit | Evaluation) -> str | None:
        """Why the newest run of its folder is not used, in one line; None if there is none, or it is."""
        versions = [path for path in _all_versions(job.folder) if (path / "config.yaml").is_file()]  # that were begun
        if not versions or self._versions(job):
            return None
        then = _read(versions[-1])
        if then is None:
            why = f"has no {FILE}: it was made before runs kept what they are made of"
        else:
            found = differences(self._expected(job), then)
            more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            why = f"is of other settings ({'; '.join(found[:_SHOWN])}{more})"
        return f"{versions[-1]} {why}: it is not used, and left as it is"

    def _weights(self, fit: Fit) -> Path:
        """The checkpoint to test; what the next run will leave, where there is none."""
        there = [_number(path) for path in _all_versions(fit.folder)]
        upcoming = f"version_{max(there, default=-1) + 1}"
        return self.checkpoint(fit) or fit.folder / upcoming / "checkpoints" / "last.ckpt"

    def _expected(self, job: Fit | Evaluation) -> dict[str, Any]:
        beside = {} if isinstance(job, Fit) or job.fit is None else {CHECKPOINT: digest_of(self._weights(job.fit))}
        return {**self.identities[job], **beside}

    def _versions(self, job: Fit | Evaluation) -> list[Path]:
        """Runs that were begun with the settings of now, oldest first."""
        expected = self._expected(job)
        known = [(path, _read(path)) for path in _all_versions(job.folder)]
        return [path for path, then in known if then is not None and not differences(expected, then)]

    @staticmethod
    def _trained(versions: list[Path]) -> bool:
        trained = _newest(versions, "trained.json")
        last = _newest(versions, "checkpoints/last.ckpt")
        return trained is not None and last == trained.parent / "checkpoints" / "last.ckpt"


def _all_versions(folder: Path) -> list[Path]:
    """In the order they were made."""
    found = [path for path in folder.glob("version_*") if _number(path) >= 0 and path.is_dir()]
    return sorted(found, key=_number)


def _number(version: Path) -> int:
    number = version.name.removeprefix("version_")
    return int(number) if number.isdigit() else -1


def _newest(versions: list[Path], file: str) -> Path | None:
    return next((path / file for path in reversed(versions) if (path / file).is_file()), None)


def _read(version: Path) -> dict[str, Any] | None:
    """What decides the figures of a run; None if it does not say."""
    try:
        content = json.loads((version / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
