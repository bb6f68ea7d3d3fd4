"""results.json and results.csv: every score of a run, its aggregates, and what made it."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lightning as L
import torch

from callbacks.base import VideoCallback, run_folder
from robustvos.metrics.aggregate import aggregate
from robustvos.types import Video, VideoResult
from robustvos.video.atomic import atomic_write_text

_PACKAGES = ("robustvos", "torch", "lightning", "sam2", "torchmetrics", "numpy")


class ResultsWriter(VideoCallback):
    """Gather the scores of all processes and write them when a test, or a validation outside of training, ends.

    Args:
        system: Name of the row in tables; None: the adapter's class, or ``sam2``.
        frames: Also keep J and F of every frame (``frames.json``), for plots over time.
    """

    def __init__(self, system: str | None = None, frames: bool = True) -> None:
        self.system = system
        self.frames = frames
        self._results: list[tuple[str, VideoResult]] = []

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

    def _write(self, trainer: L.Trainer, module: Any) -> None:
        results = _gather(self._results)
        if not trainer.is_global_zero:
            return
        folder = run_folder(trainer)
        content = self._content(trainer, module, [r for _, r in results])
        atomic_write_text(folder / "results.json", json.dumps(content, indent=1))
        atomic_write_text(folder / "results.csv", _as_csv(content))
        if self.frames:
            frames = [{"clip": r.clip, "corruption": corruption, **dict(f)} for corruption, r in results for f in r.frames]
            atomic_write_text(folder / "frames.json", json.dumps(frames))

    def _content(self, trainer: L.Trainer, module: Any, results: list[VideoResult]) -> dict[str, Any]:
        data = trainer.datamodule
        task = getattr(data, "task", "modal")
        metrics = ["J&F", "J", "F"] if task == "modal" else ["mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ"]
        objects = [dict(o) for r in results for o in r.objects]
        split = data.test if trainer.state.fn == "test" else data.val
        return {
            "schema": 1,
            "system": self.system or _system_name(module),
            "base": module.config.variant,
            "dataset": getattr(data, "name", type(data).__name__.lower()),
            "protocol": module.protocol if task == "modal" else "realvas",
            "prompt": split.prompt,
            "seed": module.seed,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "versions": {name: _version(name) for name in _PACKAGES},
            "parameters": parameter_counts(module),
            "checkpoint": module.adapter_origin,
            "metrics": metrics,
            "objects": objects,
            "aggregates": aggregate(objects, metrics, unit="objects" if task == "modal" else "clips"),
        }


def parameter_counts(module: Any) -> dict[str, int]:
    """Parameters in all, and those that training changes."""
    return {
        "total": sum(p.numel() for p in module.parameters()),
        "trainable": sum(p.numel() for p in module.parameters() if p.requires_grad),
    }


def _system_name(module: Any) -> str:
    return "sam2" if module.adapter is None else type(module.adapter).__name__.lower()


def _gather(results: list[tuple[str, VideoResult]]) -> list[tuple[str, VideoResult]]:
    """Results of all processes, each video once (samplers repeat some to even out the load), in order of name."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        parts: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, results)
        results = [result for part in parts for result in part]
    unique = {(corruption, result.clip): (corruption, result) for corruption, result in results}
    return [unique[key] for key in sorted(unique)]


def _as_csv(content: dict[str, Any]) -> str:
    """One row an object."""
    tags = sorted({tag for o in content["objects"] for tag in o["tags"]})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["system", "dataset", "clip", "object", "frames", *tags, *content["metrics"]])
    for o in content["objects"]:
        scores = [o["scores"].get(m) for m in content["metrics"]]
        row = [content["system"], content["dataset"], o["clip"], o["object"], o["frames"]]
        writer.writerow([*row, *(o["tags"].get(t, "") for t in tags), *("" if s is None else f"{s:.6f}" for s in scores)])
    return text.getvalue()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
