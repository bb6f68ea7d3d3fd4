"""results.json and results.csv: every score of a run, its aggregates, and what made it."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import lightning as L

from callbacks.base import VideoCallback, run_folder
from robustvos.evaluation.frame_scores import FILE, frame_series, frames_text
from robustvos.evaluation.memory import memory_of_training, peak_memory
from robustvos.evaluation.protocol import run_columns
from robustvos.evaluation.results import RunRecord
from robustvos.evaluation.summary import failure_lines, summary_lines, unscored_lines
from robustvos.files.atomic import atomic_write_text
from robustvos.program import next_command, program

TRUE_MASKS = "true visible masks"  # the base of rows in which nothing was tracked
_PACKAGES = ("robustvos", "torch", "lightning", "sam2", "torchmetrics", "numpy")


class ResultsWriter(VideoCallback):
    """Gather the scores of all processes; write and print them when a test, or a validation outside of training, ends.

    Args:
        system: Name of the row in tables; None: what ran, see :func:`robustvos.systems.system.system_name`,
            and what completes its masks.
        frames: Also keep J and F of every frame that counts (``frames.json``), for plots over time.
        dataset: Name of the dataset in tables, where it is another set than the data's own name says: clips of another
            length, say, or other conditions. None: the data's name.
    """

    def __init__(self, system: str | None = None, frames: bool = True, dataset: str | None = None) -> None:
        self.system = system
        self.dataset = dataset
        self.frames = frames
        self._summary: list[str] = []

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write what was tested."""
        self._write(trainer, pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write what was validated, unless training goes on."""
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """There are no scores; say where the masks are."""
        folder = run_folder(trainer)  # all processes must ask for it together
        if trainer.is_global_zero:
            self._summary = [*_whereabouts(folder), _test_alike()]

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Print what was written, now that no progress bar is in the way."""
        if self._summary:
            print("\n".join(["", *self._summary]), flush=True)
        self._summary = []

    def _write(self, trainer: L.Trainer, module: Any) -> None:
        folder = run_folder(trainer)
        if not trainer.is_global_zero:
            return
        record = self._record(trainer, module)
        if self.frames:
            atomic_write_text(folder / FILE, frames_text(frame_series(module.results)))
        record.write(folder)  # last: by its results.json a run is known to be done
        self._summary = [
            *summary_lines(record),
            *unscored_lines(record.objects),
            *record.notes,
            *_whereabouts(folder),
            _next(folder),
        ]

    def _record(self, trainer: L.Trainer, module: Any) -> RunRecord:
        data = trainer.datamodule
        on_truth = getattr(module, "masks", "tracked") == "truth"
        split: Literal["val", "test"] = "test" if trainer.state.fn == "test" else "val"
        return RunRecord.of(
            [record for result in module.results for record in result.objects],
            module.protocol,
            system=self.system or module.system.name_with(getattr(module, "completion", None)),
            base=TRUE_MASKS if on_truth else module.config.variant,
            base_hash="" if on_truth else module.base.hash,
            restorer_hash=module.restorer_hash or "",
            dataset=_dataset_name(data, trainer, self.dataset),
            prompt=data.prompt_of(split) if hasattr(data, "prompt_of") else "mask",
            facts=data.evaluation_facts(split) if hasattr(data, "evaluation_facts") else {},
            seed=module.seed,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            command=f"{program()} {shlex.join(sys.argv[1:])}",
            versions={name: _version(name) for name in _PACKAGES},
            parameters={"total": 0, "trainable": 0} if on_truth else module.system.parameters(),
            checkpoint=module.adapter_origin,
            notes=tuple(failure_lines(module.results)),
            **run_columns(module.protocol, on_truth),
            findings=_findings(trainer),
            memory=peak_memory() | memory_of_training(module.adapter_origin),
        )


def _dataset_name(data: Any, trainer: L.Trainer, said: str | None = None) -> str:
    """Validation clips are another set than test clips: no table may mix them."""
    name = str(said or getattr(data, "name", type(data).__name__.lower()))
    return name if trainer.state.fn == "test" else f"{name} (validation)"


def _findings(trainer: L.Trainer) -> dict[str, Any]:
    """What other callbacks have found."""
    listeners = [callback for callback in trainer.callbacks if isinstance(callback, VideoCallback)]  # type: ignore[attr-defined]
    return {name: value for callback in listeners for name, value in callback.findings().items()}


def _whereabouts(folder: Path) -> list[str]:
    """What the run has left, for people."""
    names = ("results.json", "results.csv", "masks", "figures")
    return [f"{folder / name}" for name in names if (folder / name).exists()]


def _next(folder: Path) -> str:
    """What to type after a test or a validation."""
    return next_command("report", folder, "--out", folder / "report")


def _test_alike() -> str:
    """What to type after masks were predicted: the same with the truth."""
    return next_command("test", *("test" if word == "predict" else word for word in sys.argv[2:]))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
