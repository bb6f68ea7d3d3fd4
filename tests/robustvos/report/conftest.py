"""Synthetic runs, written the way a test run writes them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WriteRun = Callable[..., Path]


def summary(values: list[float | None]) -> dict:
    """An aggregate with a plain mean and a made-up interval of 0.05 either side."""
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "low": None, "high": None, "std": None, "clips": 0, "objects": 0}
    mean = statistics.fmean(known)
    counts = {"clips": len(known), "objects": len(known)}
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "std": 0.1, **counts}


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """``write_run(system, scores)``: ``scores`` maps (clip, tags as ``a=b``) to one score, or to one per metric.

    ``boat#2`` is object 2 of the clip, ``boat`` object 1.
    """

    def write(system: str, scores: dict, *, folder: str = "", metrics: tuple[str, ...] = ("J",), **fields) -> Path:
        objects = []
        for (clip, tag), score in scores.items():
            values = score if isinstance(score, tuple) else (score,)
            tags = dict(part.split("=") for part in tag.split(",") if part)
            of_metric = dict(zip(metrics, values, strict=True))
            name, _, number = clip.partition("#")
            objects.append({"clip": name, "object": int(number or 1), "frames": 4, "tags": tags, "scores": of_metric})

        def table(chosen: list) -> dict:
            return {metric: summary([entry["scores"][metric] for entry in chosen]) for metric in metrics}

        by: dict = {}
        for tag in {tag for entry in objects for tag in entry["tags"]}:
            for value in {entry["tags"].get(tag) for entry in objects} - {None}:
                by.setdefault(tag, {})[value] = table([e for e in objects if e["tags"].get(tag) == value])
        data = {
            "schema": 1,
            "system": system,
            "base": "nano",
            "dataset": "shapes",
            "protocol": "davis",
            "prompt": "mask",
            "seed": 0,
            "created": "2026-01-02T03:04:05",
            "versions": {"robustvos": "0.1.0", "torch": "2.9"},
            "parameters": {"total": 2_000_000, "trainable": 1_094_112},
            "checkpoint": None,
            "metrics": list(metrics),
            "objects": objects,
            "aggregates": {"overall": table(objects), "by": by},
            **fields,
        }
        path = tmp_path / "runs" / (folder or system) / "results.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_strip() -> Callable[..., None]:
    """``write_strip(results_json, clip, corruption)`` writes one finished strip beside a run's results."""

    def write(results: Path, clip: str, corruption: str) -> None:
        folder = results.parent / "figures" / "strips" / clip
        folder.mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 255, (32, 96, 3), dtype=np.uint8)
        for name in ("truth", "prediction"):
            Image.fromarray(pixels).save(folder / f"{name}.png")
        facts = {"corruption": corruption, "frames": [0, 3], "object_ids": [1]}
        (folder / "strip.json").write_text(json.dumps(facts), encoding="utf-8")

    return write
