"""Experiments as files: which systems are trained how, and tested on what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.errors import UnknownName, UserError
from robustvos.experiments.overrides import NAME, arguments, checked_overrides, leaves, merged, texts
from robustvos.experiments.reading import (
    CONFIGS,
    EXAMPLE,
    SCALES,
    at_scale,
    checked,
    file_of,
    known_experiments,
    known_scales,
    mapping,
    refuse_former_row,
)
from robustvos.files.names import check_name, check_relative
from robustvos.registry import read_yaml
from robustvos.report.published import PAPERS

RUNS = Path("runs")
_ROW = ("model", "sam2", "fit", "test", "published", "at", SCALES)
_FILE = ("title", "paper", "table", "rows", "sets", "fit", "test", "seeds", "reference", "note", "curve", SCALES)
_SCALE = ("fit", "test", "sets", "like")


@dataclass(frozen=True)
class Fit:
    """One training run, shared by every row and every experiment that asks for the same.

    Attributes:
        name: Of its folder.
        folder: Where its versions are: ``runs/<run>``.
        arguments: Of ``fit``, but for the run and a checkpoint to go on from.
    """

    name: str
    folder: Path
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """One test run.

    Attributes:
        name: Of the system in results.
        dataset: Key of the set that is tested on.
        folder: Where its versions are.
        arguments: Of ``test``, but for the run and the weights of the training.
        fit: The training run that it needs; None: nothing is trained.
    """

    name: str
    dataset: str
    folder: Path
    arguments: tuple[str, ...]
    fit: Fit | None


@dataclass(frozen=True)
class Row:
    """A row of the experiment's table.

    Attributes:
        title: As the table shows it.
        published: Name of the paper's row or column beside it.
        tests: Every test behind it, of all sets and seeds.
        at: Where it stands on the axis of the experiment's curve; None: it does not.
    """

    title: str
    published: str
    tests: tuple[Evaluation, ...]
    at: float | None = None


@dataclass(frozen=True)
class Plan:
    """An experiment at one scale.

    Attributes:
        name: Of its file.
        title: One line.
        paper: That it is of, a key of :data:`robustvos.report.published.PAPERS`.
        table: Number of the paper's table; None: it is ours.
        sets: Keys of what is tested on.
        rows: What is compared.
        references: Titles of the rows that others are compared with.
        note: What the reader of its table must know.
        curve: What the rows that say where they stand (``at``) are drawn over; empty: no curve.
    """

    name: str
    title: str
    paper: str
    table: int | None
    sets: tuple[str, ...]
    rows: tuple[Row, ...]
    references: tuple[str, ...]
    note: str
    curve: str = ""

    @property
    def fits(self) -> tuple[Fit, ...]:
        """Every training run once."""
        return tuple(dict.fromkeys(test.fit for test in self.tests if test.fit is not None))

    @property
    def tests(self) -> tuple[Evaluation, ...]:
        """Every test once."""
        return tuple(dict.fromkeys(test for row in self.rows for test in row.tests))

    @property
    def jobs(self) -> list[Fit | Evaluation]:
        """Training runs, then tests."""
        return [*self.fits, *self.tests]


def scale_name(scale: str) -> str:
    """Of the folder that holds everything of a scale."""
    return Path(scale).stem if scale.endswith((".yaml", ".yml")) else scale


def run_name(folder: Path) -> str:
    """As ``--run`` takes it."""
    return folder.relative_to(RUNS).as_posix()


def read_plan(name: str, scale: str, out: Path) -> Plan:
    """Read an experiment's file for one scale.

    Args:
        name: Of a file in ``configs/experiments``, or a path.
        scale: Of a file in ``configs/experiments/scales``, or a path. What stands under ``scales: NAME:`` in an experiment,
            or in one of its rows, replaces what stands beside ``scales``; a scale that is ``like`` another takes that one's.
        out: Folder below ``runs/`` that everything goes to.

    Raises:
        UnknownName: If there is no such experiment, scale or set, or a file has a field that is not known.
        UserError: If a file lacks something, or is of version 0.1, which had arguments as one types them.
    """
    path = file_of(name, CONFIGS, "experiment", known_experiments())
    settings = _read_scale(scale)
    scale = str(settings.get("like") or Path(scale).stem)
    whole = checked(read_yaml(str(path)), _FILE, str(path))
    content = at_scale(whole, scale, str(path), _FILE)
    for needed in ("title", "rows"):
        if not content.get(needed):
            raise UserError(f"{path} has no {needed}; see {EXAMPLE}")
    sets = tuple(texts(content.get("sets"), f"{path}: sets"))
    for dataset in sets:
        check_name(dataset, f"{path}: sets")  # results lie in folders of these names
        if dataset not in settings["sets"]:
            raise UnknownName.of(f"set of scale {scale}", dataset, list(settings["sets"]))
    if not sets:
        raise _without_sets(path, whole, scale)
    rows = mapping(content["rows"], f"{path}: rows")
    planner = _Planner(scale, settings, {**content, "sets": sets}, RUNS / out)
    titles = [str(title) for title in rows]
    return Plan(
        path.stem,
        str(content["title"]),
        _paper(content.get("paper", "robustpvos"), path),
        content.get("table"),
        sets,
        tuple(planner.row(title, row or {}) for title, row in zip(titles, rows.values(), strict=True)),
        _references(texts(content.get("reference"), f"{path}: reference"), titles),
        str(content.get("note") or ""),
        str(content.get("curve") or ""),
    )


def _paper(name: str, path: Path) -> str:
    if name not in PAPERS:
        raise UnknownName.of(f"paper in {path}:", str(name), PAPERS)
    return name


def _without_sets(path: Path, content: Mapping[str, Any], scale: str) -> UserError:
    elsewhere = [name for name in known_scales() if at_scale(content, name, str(path), _FILE).get("sets")]
    if elsewhere:
        return UserError(f"{path.stem} has no set at scale {scale}; it runs at: {', '.join(elsewhere)}")
    return UserError(f"{path} has no sets; see {EXAMPLE}")


def _references(said: Sequence[str], titles: Sequence[str]) -> tuple[str, ...]:
    """One or several rows' titles; the first row's if nothing is said."""
    references = said or titles[:1]
    for title in references:
        if title not in titles:
            raise UnknownName.of("row to compare with", title, titles)
    return tuple(references)


def _read_scale(scale: str) -> dict[str, Any]:
    path = file_of(scale, CONFIGS / SCALES, "scale", known_scales())
    settings = checked(read_yaml(str(path)), _SCALE, str(path))
    for needed in ("fit", "sets"):
        if needed not in settings:
            raise UserError(f"{path} has no {needed}; see configs/experiments/scales/embedded.yaml")
    sets = mapping(settings["sets"], f"{path}: sets")
    return {
        "like": settings.get("like"),
        "fit": checked_overrides(settings["fit"] or None, f"{path}: fit"),
        "test": checked_overrides(settings.get("test"), f"{path}: test"),
        "sets": {str(key): checked_overrides(node, f"{path}: set '{key}'") for key, node in sets.items()},
    }


class _Planner:
    def __init__(self, scale: str, settings: Mapping[str, Any], content: Mapping[str, Any], out: Path) -> None:
        self.scale, self.settings, self.out = scale, settings, out
        self.sets: tuple[str, ...] = content["sets"]
        self.common = {loop: checked_overrides(content.get(loop), loop) for loop in ("fit", "test")}
        said = content.get("seeds")
        self.seeds: list[int] = [0] if said is None else said
        if not isinstance(self.seeds, list) or not self.seeds or not all(type(seed) is int for seed in self.seeds):
            raise UserError(f"seeds: {said!r} is no list of whole numbers; write e.g. [0, 1, 2]")

    def row(self, title: str, row: Any) -> Row:
        where = f"row '{title}'"
        refuse_former_row(row, where)
        row = at_scale(checked(row, _ROW, where), self.scale, where, _ROW)
        system = merged(*({part: row[part]} for part in ("model", "sam2") if row.get(part)))
        name = system.get("model", {}).get(NAME) if isinstance(system.get("model"), Mapping) else system.get("model")
        if not name:
            raise UserError(f"{where} names no model; see {EXAMPLE}")
        trained = row.get("fit")
        own = {} if trained is True else checked_overrides(trained or None, f"{where}: fit")
        tested = checked_overrides(row.get("test"), f"{where}: test")
        tests = []
        for seed in self.seeds if trained else self.seeds[:1]:
            fit = self._fit(str(name), merged(system, self.common["fit"], own), seed) if trained else None
            settings = merged(system, self.settings["test"], self.common["test"], tested)
            tests += [self._test(str(name), settings, fit, dataset, seed) for dataset in self.sets]
        return Row(title, str(row.get("published", title)), tuple(tests), _place(row.get("at"), where))

    def _fit(self, model: str, settings: Mapping[str, Any], seed: int) -> Fit:
        seeds = {"seed_everything": seed, "model": {"seed": seed}, "data": {"seed": seed}}
        whole = merged(self.settings["fit"], settings, seeds)
        name = f"{_folder_name(model)}-{_digest(whole)}"
        return Fit(name, self.out / "fit" / name, tuple(arguments(whole)))

    def _test(self, model: str, settings: Mapping[str, Any], fit: Fit | None, dataset: str, seed: int) -> Evaluation:
        seeded = {"model": {"seed": seed}} if fit else {}
        settings = merged(self.settings["sets"][dataset], settings, seeded)
        name = _system_name(model, settings)
        whole = merged(settings, {"results": {"system": name, "dataset": dataset}})
        folder = f"{_folder_name(model)}-{_digest([whole, fit.name if fit else ''])}"
        return Evaluation(name, dataset, self.out / "test" / dataset / folder, tuple(arguments(whole)), fit)


def _place(said: Any, where: str) -> float | None:
    if said is not None and (isinstance(said, bool) or not isinstance(said, (int, float))):
        raise UserError(f"{where}: at: {said!r} is no number; it says where the row stands on the axis of the curve")
    return None if said is None else float(said)


def _system_name(model: str, settings: Mapping[str, Any]) -> str:
    """The model, by its file's name alone, and what is set of its adapter.

    >>> _system_name("moga", {"model": {"from": "moga", "adapter": {"rank": 8}}})
    'moga rank=8'
    """
    node = settings.get("model")
    adapter = node.get("adapter") if isinstance(node, Mapping) else None
    extra = [f"{name}={value}" for name, value in leaves(adapter)] if isinstance(adapter, Mapping) and adapter else []
    return " ".join([_folder_name(model), *extra])


def _folder_name(model: str) -> str:
    """Of a model, which may be a file: ``mine/moga.yaml`` is ``moga``."""
    name = Path(model).stem if model.endswith((".yaml", ".yml")) else model
    return check_relative(name, "model of a row")


def _digest(settings: Any) -> str:
    return hashlib.blake2b(json.dumps(settings, sort_keys=True, default=str).encode(), digest_size=4).hexdigest()
