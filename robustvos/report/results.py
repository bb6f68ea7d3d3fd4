"""Read ``results.json`` files and check them once, at the door."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustvos.errors import DataNotFound, UserError

SCHEMA = 1


class BadResults(UserError):
    """A ``results.json`` is not what this version reads: broken JSON, another schema, a missing or wrong field."""


@dataclass(frozen=True)
class Estimate:
    """One aggregated score.

    Attributes:
        mean: In [0, 1]; NaN where no clip defines the metric.
        low: Lower end of the 95 % bootstrap interval over clips; NaN if unknown.
        high: Upper end.
        std: Standard deviation over clips; NaN if unknown.
        clips: Number of clips behind it.
        objects: Number of objects behind it.
    """

    mean: float
    low: float
    high: float
    std: float
    clips: int
    objects: int


@dataclass(frozen=True)
class RunResult:
    """One tested system: the checked content of a ``results.json``.

    Attributes:
        path: The file.
        system: Row name, e.g. ``moga``.
        base: The SAM 2 it stands on, e.g. ``nano``.
        dataset: Name of the dataset.
        protocol: Evaluation protocol; tables never mix two.
        prompt: Kind of prompt; tables never mix two.
        seed: Seed of the run.
        created: ISO time of the test.
        versions: Library name to version.
        parameters: ``total`` and ``trainable`` counts.
        checkpoint: Weights that were tested; None for none.
        metrics: Names of the metrics, the leading one first.
        objects: One mapping per clip and object, as stored: ``clip``, ``object``, ``frames``, ``tags``, ``scores``.
        overall: Metric to estimate over everything.
        by: Tag to value to metric to estimate.
        command: The command that made it, if stored.
        skip_first_last: Whether first and last frames were left out; None if not stored. Tables never mix.
        facts: What else decides the figures (strength of the corruptions, objects of a video, ...), in words that follow
            each other; empty if not stored. Tables never mix.
        base_hash: Of the base's weights; empty if not stored.
        restorer_hash: Of the restorer's; empty if there is none.
    """

    path: Path
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
    objects: tuple[Mapping[str, Any], ...]
    overall: Mapping[str, Estimate]
    by: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    command: str = ""
    skip_first_last: bool | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    base_hash: str = ""
    restorer_hash: str = ""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.path.parent


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
        raise DataNotFound(f"no results.json at or beneath: {where}; make one with: python cli.py test")
    return sorted(found, key=str)


def load_result(path: Path) -> RunResult:
    """Read and check one ``results.json``.

    Raises:
        BadResults: Naming the file, the field, what was expected and what was seen.
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

    def result(self, data: Any) -> RunResult:
        data = self.expect(data, dict, "the file")
        schema = data.get("schema")
        if schema != SCHEMA:
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
        return RunResult(
            path=self.path,
            **texts,
            seed=self.get(data, "seed", int),
            created=self.get(data, "created", str),
            versions={k: str(v) for k, v in self.get(data, "versions", dict).items()},
            parameters=self.get(data, "parameters", dict),
            checkpoint=self.expect(data.get("checkpoint"), (str, type(None)), "checkpoint"),
            metrics=metrics,
            objects=tuple(self.object(o, f"objects[{i}]") for i, o in enumerate(self.get(data, "objects", list))),
            overall=overall,
            by=self.groups(aggregates.get("by", {})),
            command=self.expect(data.get("command", ""), str, "command"),
            skip_first_last=self.expect(data.get("skip_first_last"), (bool, type(None)), "skip_first_last"),
            facts={k: str(v) for k, v in self.expect(data.get("facts", {}), dict, "facts").items()},
            base_hash=self.expect(data.get("base_hash", ""), str, "base_hash"),
            restorer_hash=self.expect(data.get("restorer_hash"), (str, type(None)), "restorer_hash") or "",
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
        clips, objects = (self.get(data, name, int, f"{field}.") for name in ("clips", "objects"))
        return Estimate(mean, low, high, std, clips, objects)

    def number(self, data: Mapping[str, Any], name: str, field: str) -> float:
        value = data.get(name)
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"{field}.{name}", f"expected a number or null, got {value!r}")
        return float(value)

    def object(self, data: Any, field: str) -> Mapping[str, Any]:
        data = self.expect(data, dict, field)
        self.get(data, "clip", str, f"{field}.")
        self.get(data, "object", int, f"{field}.")
        for tag, value in self.get(data, "tags", dict, f"{field}.").items():
            self.expect(value, str, f"{field}.tags.{tag}")
        scores = self.get(data, "scores", dict, f"{field}.")
        for metric in scores:
            self.number(scores, metric, f"{field}.scores")
        return data

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
