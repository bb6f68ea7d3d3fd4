"""``results.json``: what a run leaves, written and read here alone; what is read is checked once."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustvos.errors import DataNotFound, UserError
from robustvos.evaluation.aggregate import Estimate, aggregate
from robustvos.evaluation.amodal_scores import occlusion_lines
from robustvos.evaluation.protocol import PROTOCOLS, Averaging, Protocol
from robustvos.evaluation.records import ObjectScore
from robustvos.files.atomic import atomic_write_text
from robustvos.files.names import check_relative
from robustvos.program import program

SCHEMA = 2  # 1 said clip for video, and kept means over objects under every protocol
_READ = (1, 2)
GATE_VARIANCE = "gate_variance"
"""Finding: shares of the variance of gates, see :mod:`robustvos.evaluation.gate_variance`."""


class BadResults(UserError):
    """A ``results.json`` is not what this version reads: broken JSON, another schema, a missing or wrong field."""


@dataclass(frozen=True)
class RunRecord:
    """One tested system: the content of a ``results.json``, which this file writes and reads.

    Attributes:
        path: The file it was read from; None before it is written.
        system: Row name, e.g. ``moga``.
        base: The SAM 2 it stands on, e.g. ``nano``; empty for masks that another system wrote.
        dataset: Name of the dataset.
        protocol: Evaluation protocol; tables never mix two.
        prompt: Kind of prompt; tables never mix two.
        seed: Seed of the run.
        created: ISO time of the test.
        versions: Library name to version.
        parameters: ``total`` and ``trainable`` counts.
        checkpoint: Weights that were tested; None for none.
        metrics: Names of the metrics, the leading one first.
        objects: One record an object of a video under a condition.
        overall: Metric to estimate over everything: the headline.
        by: Tag to value to metric to estimate.
        averaging: What these means run over, see :func:`robustvos.evaluation.aggregate.mean_of`.
        command: The command that made it, if stored.
        skip_first_last: Whether first and last frames were left out; None if not stored. Tables never mix.
        facts: What else decides the figures (strength of the corruptions, objects of a video, ...), in words that follow
            each other; empty if not stored. Tables never mix.
        base_hash: Of the base's weights; empty if not stored.
        restorer_hash: Of the restorer's; empty if there is none.
        memory: Peak memory in MiB: ``host`` of the test, ``device`` too on a GPU, and ``fit_host``, ``fit_device`` of the
            training where it was here; empty if not stored.
        notes: Lines on what is missing from the figures, or stands in for it; a whole test has none.
        inputs: Of the amodal task, the Real-VAS paper's column: what a system is given besides the query; ``/``: nothing.
        run_type: Of the amodal task, the paper's column: ``Online`` (frame by frame) or ``Offline`` (the whole clip at once).
        changes: A line for each way in which clips were changed for the system, or its masks after it: resized, padded,
            subsampled; most runs have none.
        findings: What a callback has found besides scores, by name: :data:`GATE_VARIANCE`; most runs have none.
        aggregates: What :func:`robustvos.evaluation.aggregate.aggregate` made of the objects, where it was just made.
    """

    system: str
    base: str
    dataset: str
    protocol: str
    prompt: str
    seed: int
    created: str
    versions: Mapping[str, str]
    parameters: Mapping[str, int]
    checkpoint: str | None
    metrics: tuple[str, ...]
    objects: tuple[ObjectScore, ...]
    overall: Mapping[str, Estimate]
    by: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    averaging: Averaging = "objects"
    path: Path | None = None
    command: str = ""
    skip_first_last: bool | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    base_hash: str = ""
    restorer_hash: str = ""
    memory: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    inputs: str = ""
    run_type: str = ""
    changes: tuple[str, ...] = ()
    findings: Mapping[str, Any] = field(default_factory=dict)
    aggregates: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return (self.path or Path()).parent

    @classmethod
    def of(cls, objects: Sequence[ObjectScore], protocol: Protocol, **about: Any) -> RunRecord:
        """A record with its means.

        Args:
            objects: What was scored.
            protocol: As it was on the dataset.
            about: The other attributes.
        """
        means = aggregate(objects, protocol.metrics, averaging=protocol.averaging)
        about["notes"] = (*about.get("notes", ()), *occlusion_lines(objects))
        return cls(
            **about,
            protocol=protocol.name,
            skip_first_last=protocol.skip_first_last,
            metrics=protocol.metrics,
            objects=tuple(objects),
            averaging=protocol.averaging,
            aggregates=means,
            overall=_estimates(means["overall"]),
            by={
                tag: {value: _estimates(found) for value, found in values.items()}
                for tag, values in means["by"].items()
            },
        )

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        texts = ("system", "base", "base_hash", "restorer_hash", "dataset", "protocol", "prompt", "averaging")
        return {
            "schema": SCHEMA,
            **{name: getattr(self, name) for name in texts},
            "skip_first_last": self.skip_first_last,
            "facts": dict(self.facts),
            "seed": self.seed,
            "created": self.created,
            "command": self.command,
            "versions": dict(self.versions),
            "parameters": dict(self.parameters),
            "memory_mib": dict(self.memory),
            "checkpoint": self.checkpoint,
            "notes": list(self.notes),
            **({"inputs": self.inputs, "run_type": self.run_type} if self.inputs or self.run_type else {}),
            **({"changes": list(self.changes)} if self.changes else {}),
            **({"findings": dict(self.findings)} if self.findings else {}),
            "metrics": list(self.metrics),
            "objects": [record.to_json() for record in self.objects],
            "aggregates": self.aggregates or aggregate(self.objects, self.metrics, averaging=self.averaging),
        }

    def write(self, folder: Path) -> Path:
        """Write ``results.csv``, then ``results.json``, by which a run is known to be done; returns the latter."""
        atomic_write_text(folder / "results.csv", self.to_csv())
        atomic_write_text(folder / "results.json", json.dumps(self.to_json(), indent=1))
        return folder / "results.json"

    def to_csv(self) -> str:
        """One row an object."""
        tags = sorted({tag for record in self.objects for tag in record.tags})
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["system", "dataset", "video", "object", "frames", *tags, *self.metrics])
        for record in self.objects:
            scores = [record.scores.get(metric) for metric in self.metrics]
            row = [self.system, self.dataset, record.video, record.object_id, record.frames]
            row += [record.tags.get(tag, "") for tag in tags]
            writer.writerow([*row, *("" if score is None else f"{score:.6f}" for score in scores)])
        return text.getvalue()


def _estimates(group: Mapping[str, Mapping[str, Any]]) -> dict[str, Estimate]:
    """Of what :func:`aggregate` gives."""
    found: dict[str, dict[str, Any]] = {
        metric: {name: math.nan if value is None else value for name, value in estimate.items()}
        for metric, estimate in group.items()
    }
    return {metric: Estimate(**estimate) for metric, estimate in found.items()}


def find_results(paths: Sequence[Path]) -> list[Path]:
    """Every ``results.json`` at or beneath ``paths``, sorted, each once.

    Raises:
        DataNotFound: If there is none; the text says where it looked.
    """
    found: set[Path] = set()
    for path in paths:
        found.update([path] if path.is_file() else path.rglob("results.json") if path.is_dir() else [])
    if not found:
        where = ", ".join(f"{path}{'' if path.exists() else ' (does not exist)'}" for path in paths) or "no path given"
        raise DataNotFound(f"no results.json at or beneath: {where}; make one with: {program()} test")
    return sorted(found, key=str)


def load_result(path: Path) -> RunRecord:
    """Read and check one ``results.json``.

    Raises:
        BadResults: Naming the file, the field, what was expected and what was seen.
        UnsafePath: If a clip has a name that would lead elsewhere.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadResults(f"{path}: not readable as JSON ({error}); test the system again") from error
    return _Reader(path).result(data)


class _Reader:
    """Checks fields of one file; every failure names the file and the field."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def result(self, data: Any) -> RunRecord:
        data = self.expect(data, dict, "the file")
        schema = data.get("schema")
        if schema not in _READ:
            self.fail("schema", f"expected {SCHEMA}, got {schema!r}; make it again with this version of robustvos")
        metrics = tuple(self.expect(m, str, "metrics[]") for m in self.get(data, "metrics", list))
        if not metrics:
            self.fail("metrics", "expected at least one metric, got none")
        aggregates = self.get(data, "aggregates", dict)
        overall = self.estimates(self.get(aggregates, "overall", dict, "aggregates."), "aggregates.overall")
        for metric in metrics:
            if metric not in overall:
                self.fail(f"aggregates.overall.{metric}", "missing, though metrics names it")
        texts = {name: self.get(data, name, str) for name in ("system", "base", "dataset", "protocol", "prompt")}
        objects = tuple(self.object(o, f"objects[{i}]") for i, o in enumerate(self.get(data, "objects", list)))
        averaging: Averaging = data.get("averaging", "objects")
        by = self.groups(aggregates.get("by", {}))
        if schema == 1:
            averaging = PROTOCOLS[texts["protocol"]].averaging if texts["protocol"] in PROTOCOLS else "objects"
            if averaging == "sequences":  # means that no table shows were kept
                means = aggregate(objects, metrics, averaging=averaging)
                overall = _estimates(means["overall"])
                by = {tag: {v: _estimates(found) for v, found in values.items()} for tag, values in means["by"].items()}
        return RunRecord(
            path=self.path,
            **texts,
            seed=self.get(data, "seed", int),
            created=self.get(data, "created", str),
            versions={k: str(v) for k, v in self.get(data, "versions", dict).items()},
            parameters=self.get(data, "parameters", dict),
            checkpoint=self.expect(data.get("checkpoint"), (str, type(None)), "checkpoint"),
            metrics=metrics,
            objects=objects,
            overall=overall,
            by=by,
            averaging=averaging,
            command=self.expect(data.get("command", ""), str, "command"),
            skip_first_last=self.expect(data.get("skip_first_last"), (bool, type(None)), "skip_first_last"),
            facts={k: str(v) for k, v in self.expect(data.get("facts", {}), dict, "facts").items()},
            base_hash=self.expect(data.get("base_hash", ""), str, "base_hash"),
            restorer_hash=self.expect(data.get("restorer_hash"), (str, type(None)), "restorer_hash") or "",
            memory=self.expect(data.get("memory_mib", {}), dict, "memory_mib"),
            notes=tuple(map(str, self.expect(data.get("notes", []), list, "notes"))),
            inputs=self.expect(data.get("inputs", ""), str, "inputs"),
            run_type=self.expect(data.get("run_type", ""), str, "run_type"),
            changes=tuple(map(str, self.expect(data.get("changes", []), list, "changes"))),
            findings=self.expect(data.get("findings", {}), dict, "findings"),
        )

    def groups(self, by: Any) -> dict[str, dict[str, dict[str, Estimate]]]:
        by = self.expect(by, dict, "aggregates.by")
        return {
            tag: {
                value: self.estimates(group, f"aggregates.by.{tag}.{value}")
                for value, group in self.expect(values, dict, f"aggregates.by.{tag}").items()
            }
            for tag, values in by.items()
        }

    def estimates(self, group: Any, field: str) -> dict[str, Estimate]:
        group = self.expect(group, dict, field)
        return {metric: self.estimate(value, f"{field}.{metric}") for metric, value in group.items()}

    def estimate(self, data: Any, field: str) -> Estimate:
        data = self.expect(data, dict, field)
        mean, low, high, std = (self.number(data, name, field) for name in ("mean", "low", "high", "std"))
        videos = self.get(data, "clips" if "clips" in data else "videos", int, f"{field}.")
        return Estimate(
            mean, low, high, std, videos, self.get(data, "objects", int, f"{field}."), data.get("classes", 0)
        )

    def number(self, data: Mapping[str, Any], name: str, field: str) -> float:
        value = data.get(name)
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"{field}.{name}", f"expected a number or null, got {value!r}")
        return float(value)

    def object(self, data: Any, field: str) -> ObjectScore:
        data = self.expect(data, dict, field)
        video = self.get(data, "clip" if "clip" in data else "video", str, f"{field}.")
        check_relative(video, f"{self.path}: {field}.video")
        object_id = self.get(data, "object", int, f"{field}.")
        tags = self.get(data, "tags", dict, f"{field}.")
        for tag, value in tags.items():
            self.expect(value, str, f"{field}.tags.{tag}")
        scores = self.get(data, "scores", dict, f"{field}.")
        for metric in scores:
            self.number(scores, metric, f"{field}.scores")
        frames = self.expect(data.get("frames", 1), int, f"{field}.frames")
        measures = self.expect(data.get("measures", {}), dict, f"{field}.measures")
        known = {name: self.number(measures, name, f"{field}.measures") for name in measures}
        return ObjectScore(video, object_id, frames, tags, scores, known)

    def get(self, data: Mapping[str, Any], name: str, kind: type, prefix: str = "") -> Any:
        if name not in data:
            self.fail(f"{prefix}{name}", f"missing, expected {_WORDS[kind]}")
        return self.expect(data[name], kind, f"{prefix}{name}")

    def expect(self, value: Any, kind: type | tuple[type, ...], field: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            words = " or ".join(_WORDS[k] for k in (kind if isinstance(kind, tuple) else (kind,)))
            self.fail(field, f"expected {words}, got {type(value).__name__}: {str(value)[:60]!r}")
        return value

    def fail(self, field: str, text: str) -> None:
        raise BadResults(f"{self.path}: {field}: {text}")


_WORDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    type(None): "null",
}
