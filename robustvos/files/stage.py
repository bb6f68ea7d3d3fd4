"""Stages: one step of a pipeline, done item by item into a folder with a manifest.

A stage has a name, settings, ``items(inputs)`` and ``run(item, work)``. What an item yields may depend on the item and the
settings alone; then :func:`robustvos.files.stage_runner.run_stage` can stop, go on, share the work and change the order, and
leave the same bytes. A stage knows nothing of the others but the results it reads.

``<root>/<stage>/`` holds ``stage.json`` (name, version, settings, what was to be done), ``manifest.jsonl`` (what became of each
item) and a folder for each item that left files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from robustvos.errors import DataNotFound, UserError
from robustvos.files.manifest import Manifest, encode_line

MANIFEST, STAGE = "manifest.jsonl", "stage.json"


@dataclass(frozen=True)
class Item:
    """One piece of work.

    Attributes:
        key: Unique in its stage, and the name of its folder: no ``/``, no dot in front.
        inputs: Whatever besides the settings decides the result, as JSON values: names of records with their fingerprints,
            digests of files, seeds. If it changes, the item is done again.
        weight: Expected work, for the time left; in the stage's ``unit``.

    Raises:
        ValueError: If the key is no plain file name.
    """

    key: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.key or self.key.startswith(".") or "/" in self.key or len(self.key.encode()) > 200:
            raise ValueError(f"an item's key is the name of a folder, got {self.key!r}")


@dataclass(frozen=True)
class Record:
    """Something that a stage made and keeps.

    Attributes:
        figures: JSON values.
        key: Unique in the stage; None: the item's. An item that yields several records names each.
    """

    figures: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True)
class Rejection:
    """Something that a stage looked at and leaves out.

    Attributes:
        reason: A word or two, from the stage's own fixed list, so that they can be counted: ``moving camera``.
        figures: What was measured, and the limit it was held against; JSON values.
        key: As in :class:`Record`.
    """

    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None


Outcome = Record | Rejection


@dataclass(frozen=True)
class Work:
    """What the runner lends to ``run``.

    Attributes:
        folder: An empty folder for the item's files; it appears as ``<root>/<stage>/<key>`` when the item is done, and not at
            all if it is empty.
        advance: Says that a further share of the item is done, in [0, 1]; the shares of an item add up to at most 1.
    """

    folder: Path
    advance: Callable[[float], None] = lambda share: None


@dataclass(frozen=True)
class Result:
    """One outcome, read back.

    Attributes:
        key: Of the outcome.
        item: Key of the item that yielded it.
        reason: Why it was rejected; None if it was kept.
        figures: As its stage wrote them.
        fingerprint: Of the item: changes with its inputs and the settings.
        folder: Of the item's files; need not exist.
    """

    key: str
    item: str
    reason: str | None
    figures: Mapping[str, Any]
    fingerprint: str
    folder: Path

    @property
    def kept(self) -> bool:
        """Whether it is a record, not a rejection."""
        return self.reason is None


@dataclass(frozen=True)
class StageResults:
    """All that a stage has left so far.

    Attributes:
        stage: Name.
        folder: ``<root>/<stage>``.
        results: In the order of items' keys; outcomes of one item as it gave them.
        settings: Of the stage, as JSON values.
        missing: Items that are still to be done.
    """

    stage: str
    folder: Path
    results: tuple[Result, ...]
    settings: Mapping[str, Any]
    missing: int

    @property
    def kept(self) -> tuple[Result, ...]:
        """Records."""
        return tuple(result for result in self.results if result.kept)

    @property
    def rejected(self) -> tuple[Result, ...]:
        """Rejections."""
        return tuple(result for result in self.results if not result.kept)


class Stage(Protocol):
    """A step of a pipeline. It is sent to worker processes, so it must pickle.

    Attributes:
        name: Of its folder.
        version: Raised when its code changes what it makes.
        unit: What ``Item.weight`` counts, for the progress bar: ``frame``, ``pair``.
        settings: A dataclass; every field is part of every item's fingerprint.
    """

    name: str
    version: int
    unit: str
    settings: Any

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """What is to be done, given the results of earlier stages by name; the same for every shard."""

    def run(self, item: Item, work: Work) -> Outcome | Sequence[Outcome]:
        """Do one item. Nothing but the item and the settings may decide what is returned and written.

        ``BadVideo`` and ``BadMask`` become rejections with the reason ``unreadable``; after ``DataNotFound`` the item is still
        to be done.
        """


def fingerprint(stage: Stage, item: Item) -> str:
    """Digest of everything that decides an item's result."""
    parts = {"key": item.key, "inputs": item.inputs, **describe_stage(stage)}
    return hashlib.blake2b(encode_line(parts), digest_size=12).hexdigest()


def describe_stage(stage: Stage) -> dict[str, Any]:
    """Name, version and settings as JSON values."""
    settings = json.loads(json.dumps(dataclasses.asdict(stage.settings), default=str))
    return {"stage": stage.name, "version": stage.version, "settings": settings}


def open_results(root: str | os.PathLike[str], stage: str, *, complete: bool = True) -> StageResults:
    """Read what a stage has left in ``root``.

    Args:
        root: Folder of the run.
        stage: Name.
        complete: Refuse results with items still to be done.

    Raises:
        DataNotFound: If the stage was not run there, or its manifest is broken.
        UserError: If items are still to be done.
    """
    folder = Path(root) / stage
    try:
        said = json.loads((folder / STAGE).read_text(encoding="utf-8"))
        expected = {key: digest for key, digest in said["items"]}
    except FileNotFoundError as error:
        raise DataNotFound(f"{folder} holds no results of the stage '{stage}'; run that stage first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataNotFound(f"{folder / STAGE} is broken; run the stage '{stage}' again") from error
    lines = Manifest(folder / MANIFEST).read()
    done = {key for key, digest in expected.items() if lines.get(key, {}).get("fingerprint") == digest}
    missing = len(expected) - len(done)
    if complete and missing:
        raise UserError(
            f"the stage '{stage}' in {root} is not finished: {missing} of {len(expected)} items are to be done; run it again, "
            "and with all shards if it was split"
        )
    results = tuple(result for key in sorted(done) for result in _results_of(lines[key], folder))
    return StageResults(stage, folder, results, said.get("settings", {}), missing)


def _results_of(line: Mapping[str, Any], folder: Path) -> list[Result]:
    return [
        Result(
            outcome.get("key", line["key"]),
            line["key"],
            outcome.get("reason"),
            outcome["figures"],
            line["fingerprint"],
            folder / line["key"],
        )
        for outcome in line["outcomes"]
    ]
