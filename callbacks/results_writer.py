"""results.json and results.csv: every score of a run, its aggregates, and what made it."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import lightning as L

from callbacks.base import VideoCallback, run_folder
from robustvos.metrics.aggregate import aggregate
from robustvos.metrics.tasks import METRICS, UNITS, Scored, gather_results, object_records
from robustvos.report.frame_scores import FILE, frame_series, frames_text
from robustvos.report.summary import summary_lines, unscored_lines
from robustvos.types import Video, VideoResult
from robustvos.video.atomic import atomic_write_text

_PACKAGES = ("robustvos", "torch", "lightning", "sam2", "torchmetrics", "numpy")


class ResultsWriter(VideoCallback):
    """Gather the scores of all processes; write and print them when a test, or a validation outside of training, ends.

    Args:
        system: Name of the row in tables; None: what ran, see :func:`system_name`.
        frames: Also keep J and F of every frame that counts (``frames.json``), for plots over time.
        dataset: Name of the dataset in tables, where it is another set than the data's own name says: clips of another
            length, say, or other conditions. None: the data's name.
    """

    def __init__(self, system: str | None = None, frames: bool = True, dataset: str | None = None) -> None:
        self.system = system
        self.dataset = dataset
        self.frames = frames
        self._results: list[Scored] = []
        self._summary: list[str] = []

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget an earlier run."""
        self._results = []

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget an earlier run."""
        self._results = []

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Keep the scores of a video."""
        self._results.append((video.corruption, result))

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
            self._summary = _whereabouts(folder)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Print what was written, now that no progress bar is in the way."""
        if self._summary:
            print("\n".join(["", *self._summary]), flush=True)
        self._summary = []

    def _write(self, trainer: L.Trainer, module: Any) -> None:
        results = gather_results(self._results)
        if not trainer.is_global_zero:
            return
        folder = run_folder(trainer)
        content = self._content(trainer, module, results)
        atomic_write_text(folder / "results.json", json.dumps(content, indent=1))
        atomic_write_text(folder / "results.csv", _as_csv(content))
        if self.frames:
            atomic_write_text(folder / FILE, frames_text(frame_series(results)))
        self._summary = [*summary_lines(content), *unscored_lines(content["objects"]), *_whereabouts(folder)]

    def _content(self, trainer: L.Trainer, module: Any, results: list[Scored]) -> dict[str, Any]:
        data = trainer.datamodule
        split: Literal["val", "test"] = "test" if trainer.state.fn == "test" else "val"
        task = getattr(data, "task", "modal")
        metrics = list(METRICS[task])
        objects = object_records(results)
        return {
            "schema": 1,
            "system": self.system or system_name(module.adapter, module.restorer),
            "base": module.config.variant,
            "base_hash": module.base.hash,
            "restorer_hash": module.restorer_hash,
            "dataset": _dataset_name(data, trainer, self.dataset),
            "skip_first_last": module.rules.skip_first_last,
            "protocol": module.protocol if task == "modal" else "realvas",
            "prompt": _prompt_of(data, split),
            "facts": data.evaluation_facts(split) if hasattr(data, "evaluation_facts") else {},
            "seed": module.seed,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "command": shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]]),
            "versions": {name: _version(name) for name in _PACKAGES},
            "parameters": parameter_counts(module),
            "checkpoint": module.adapter_origin,
            "metrics": metrics,
            "objects": objects,
            "aggregates": aggregate(objects, metrics, unit=UNITS[task]),
        }


def parameter_counts(module: Any) -> dict[str, int]:
    """Parameters in all, and those that training changes."""
    return {
        "total": sum(p.numel() for p in module.parameters()),
        "trainable": sum(p.numel() for p in module.parameters() if p.requires_grad),
    }


_SHORT = {"full_finetuning": "finetune", "full_fine_tuning": "finetune", "layer_norm_tuning": "layernorm"}


def system_name(adapter: Any, restorer: Any = None) -> str:
    """A name after what ran, in the manner of ``configs/model``: restorer, then adapter, or the bare ``sam2``.

    Args:
        adapter: What is added to the base, or None. One that is switched off (``enabled`` is False) does nothing, and the
            name says so.
        restorer: What frames pass first, or None.

    >>> class URIE: ...
    >>> class MoGARelease: ...
    >>> system_name(None), system_name(None, URIE()), system_name(MoGARelease()), system_name(MoGARelease(), URIE())
    ('sam2', 'restored_urie', 'moga_release', 'restored_urie_moga_release')
    """
    parts = []
    if restorer is not None:
        parts.append(f"restored_{type(restorer).__name__.lower()}")
    if adapter is not None:
        parts.append(_adapter_name(type(adapter).__name__))
        if not getattr(adapter, "enabled", True):
            parts.append("off")
    return "_".join(parts) or "sam2"


def _adapter_name(kind: str) -> str:
    """A class's name in small letters: words apart, acronyms whole."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=[A-Z]{2})(?=[A-Z][a-z])", "_", kind).lower()
    return _SHORT.get(words, words)


def _dataset_name(data: Any, trainer: L.Trainer, said: str | None = None) -> str:
    """Validation clips are another set than test clips: no table may mix them."""
    name = str(said or getattr(data, "name", type(data).__name__.lower()))
    return name if trainer.state.fn == "test" else f"{name} (validation)"


def _prompt_of(data: Any, split: str) -> str:
    """Kind of prompt: of the split, where a dataset sets it for each, or of the dataset."""
    settings: Any = getattr(data, split, data)
    return str(getattr(settings, "prompt", None) or getattr(data, "prompt", "mask"))


def _whereabouts(folder: Path) -> list[str]:
    """What the run has left, for people."""
    names = ("results.json", "results.csv", "masks", "figures")
    return [f"{folder / name}" for name in names if (folder / name).exists()]


def _as_csv(content: dict[str, Any]) -> str:
    """One row an object."""
    tags = sorted({tag for o in content["objects"] for tag in o["tags"]})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["system", "dataset", "clip", "object", "frames", *tags, *content["metrics"]])
    for o in content["objects"]:
        scores = [o["scores"].get(m) for m in content["metrics"]]
        row = [content["system"], content["dataset"], o["clip"], o["object"], o["frames"]]
        writer.writerow(
            [*row, *(o["tags"].get(t, "") for t in tags), *("" if s is None else f"{s:.6f}" for s in scores)]
        )
    return text.getvalue()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
