"""Experiments as files: which systems are trained how, and tested on what; and the commands that this comes to."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from robustvos.commands.config_files import read_yaml
from robustvos.errors import UnknownName, UserError

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "experiments"
RUNS = Path("runs")
_ADAPTER = "--model.adapter."
_ROW = ("model", "system", "fit", "test", "published")
_FILE = ("title", "table", "rows", "sets", "fit", "test", "seeds", "reference", "note")
_SCALE = ("fit", "test", "sets", "like")


@dataclass(frozen=True)
class Fit:
    """One training run, shared by every row and every experiment that asks for the same.

    Attributes:
        name: Of its folder.
        folder: Where its versions are: ``runs/<run>``.
        arguments: Of ``cli.py fit``.
    """

    name: str
    folder: Path
    arguments: tuple[str, ...]

    @property
    def checkpoint(self) -> Path | None:
        """What the newest version of the run left last; None if there is nothing."""
        return _newest(self.folder, "checkpoints/last.ckpt")

    @property
    def done(self) -> bool:
        """Whether the newest version was trained to its end."""
        trained = _newest(self.folder, "trained.json")
        return trained is not None and self.checkpoint == trained.parent / "checkpoints" / "last.ckpt"

    def command(self) -> list[str]:
        """Arguments of ``cli.py``; a run that was broken off goes on where it stands."""
        interrupted = _newest(self.folder, "checkpoints/interrupted.ckpt")  # by hand, in the middle of an epoch
        there = [path for path in (self.checkpoint, interrupted) if path is not None]
        latest = max(there, key=lambda path: path.stat().st_mtime_ns, default=None)
        resume = ["--ckpt_path", str(latest)] if latest is not None and not self.done else []
        return ["fit", *self.arguments, "--run", _run_name(self.folder), *resume]


@dataclass(frozen=True)
class Evaluation:
    """One test run.

    Attributes:
        name: Of the system in results.
        dataset: Key of the set that is tested on.
        folder: Where its versions are.
        arguments: Of ``cli.py test``.
        fit: The training run that it needs; None: nothing is trained.
    """

    name: str
    dataset: str
    folder: Path
    arguments: tuple[str, ...]
    fit: Fit | None

    @property
    def results(self) -> Path | None:
        """The newest ``results.json``, if it is of the weights that the training run has ended with; else None."""
        found = _newest(self.folder, "results.json")
        if found is None or self.fit is None:
            return found
        tested = json.loads(found.read_text(encoding="utf-8")).get("checkpoint")
        return found if self.fit.done and tested == str(self.fit.checkpoint) else None

    def command(self) -> list[str]:
        """Arguments of ``cli.py``."""
        weights = [] if self.fit is None else ["--ckpt_path", str(self.fit.checkpoint or _expected(self.fit.folder))]
        name = ["--results.system", self.name]
        return ["test", *self.arguments, *weights, *name, "--run", _run_name(self.folder)]


@dataclass(frozen=True)
class Row:
    """A row of the experiment's table.

    Attributes:
        title: As the table shows it.
        published: Name of the paper's row or column beside it.
        tests: Every test behind it, of all sets and seeds.
    """

    title: str
    published: str
    tests: tuple[Evaluation, ...]


@dataclass(frozen=True)
class Plan:
    """An experiment at one scale.

    Attributes:
        name: Of its file.
        title: One line.
        table: Number of the paper's table; None: it is ours.
        sets: Keys of what is tested on.
        rows: What is compared.
        references: Titles of the rows that others are compared with.
        note: What the reader of its table must know.
    """

    name: str
    title: str
    table: int | None
    sets: tuple[str, ...]
    rows: tuple[Row, ...]
    references: tuple[str, ...]
    note: str

    @property
    def fits(self) -> tuple[Fit, ...]:
        """Every training run once."""
        return tuple(dict.fromkeys(test.fit for test in self.tests if test.fit is not None))

    @property
    def tests(self) -> tuple[Evaluation, ...]:
        """Every test once."""
        return tuple(dict.fromkeys(test for row in self.rows for test in row.tests))


def known_experiments() -> list[str]:
    """Names of the files."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def known_scales() -> list[str]:
    """Names of the scales."""
    return sorted(path.stem for path in (CONFIGS / "scales").glob("*.yaml"))


def read_plan(name: str, scale: str, out: Path) -> Plan:
    """Read an experiment's file for one scale.

    Args:
        name: Of a file in ``configs/experiments``, or a path.
        scale: Of a file in ``configs/experiments/scales``, or a path. Where an experiment says different things at different
            scales, one that is not named there takes what the scale it is ``like`` has.
        out: Folder below ``runs/`` that everything goes to.

    Raises:
        UnknownName: If there is no such experiment, scale or set, or a file has a field that is not known.
        UserError: If a file lacks something.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else CONFIGS / f"{name}.yaml"
    if not path.is_file():
        raise UnknownName.of("experiment", name, known_experiments())
    settings = _read_scale(scale)
    scale = str(settings.get("like") or Path(scale).stem)
    content = _checked(read_yaml(str(path)), _FILE, str(path))
    for needed in ("title", "rows", "sets"):
        if not content.get(needed):
            raise UserError(f"{path} has no {needed}; see {CONFIGS / 'table2.yaml'}")
    sets = tuple(_texts(_at(content["sets"], scale), f"{path}: sets"))
    for dataset in sets:
        if dataset not in settings["sets"]:
            raise UnknownName.of(f"set of scale {scale}", dataset, list(settings["sets"]))
    if not sets:
        runs_at = [name for name in known_scales() if _at(content["sets"], name)] or ["no scale"]
        raise UserError(f"{path.stem} has no set at scale {scale}; it runs at: {', '.join(runs_at)}")
    planner = _Planner(scale, settings, content, RUNS / out)
    titles = [str(title) for title in _mapping(content["rows"], f"{path}: rows")]
    rows = tuple(planner.row(title, row or {}) for title, row in zip(titles, content["rows"].values(), strict=True))
    references = _references(_texts(content.get("reference"), f"{path}: reference"), titles)
    title, note = str(content["title"]), str(content.get("note") or "")
    return Plan(path.stem, title, content.get("table"), sets, rows, references, note)


def _references(said: Sequence[str], titles: Sequence[str]) -> tuple[str, ...]:
    """One or several rows' titles; the first row's if nothing is said."""
    references = said or titles[:1]
    for title in references:
        if title not in titles:
            raise UnknownName.of("row to compare with", title, titles)
    return tuple(references)


def scale_name(scale: str) -> str:
    """Of the folder that holds everything of a scale."""
    return Path(scale).stem if scale.endswith((".yaml", ".yml")) else scale


def _read_scale(scale: str) -> Mapping[str, Any]:
    path = Path(scale) if scale.endswith((".yaml", ".yml")) else CONFIGS / "scales" / f"{scale}.yaml"
    if not path.is_file():
        raise UnknownName.of("scale", scale, known_scales())
    settings = _checked(read_yaml(str(path)), _SCALE, str(path))
    for needed in ("fit", "sets"):
        if needed not in settings:
            raise UserError(f"{path} has no {needed}; see {CONFIGS / 'scales' / 'embedded.yaml'}")
    _mapping(settings["sets"], f"{path}: sets")
    return settings


class _Planner:
    def __init__(self, scale: str, settings: Mapping[str, Any], content: Mapping[str, Any], out: Path) -> None:
        self.scale, self.settings, self.content, self.out = scale, settings, content, out
        self.sets = _texts(_at(content["sets"], scale), "sets")
        said = _at(content.get("seeds"), scale)
        self.seeds: list[int] = [0] if said is None else said
        if not isinstance(self.seeds, list) or not self.seeds or not all(type(seed) is int for seed in self.seeds):
            raise UserError(f"seeds: {said!r} is no list of whole numbers; write e.g. [0, 1, 2]")

    def row(self, title: str, row: Mapping[str, Any]) -> Row:
        row = _checked(row, _ROW, f"row '{title}'")
        if "model" not in row:
            raise UserError(f"row '{title}' names no model; see {CONFIGS / 'table2.yaml'}")
        tests = []
        trained = _at(row.get("fit"), self.scale)
        for seed in self.seeds if trained else self.seeds[:1]:
            fit = self._fit(row, seed) if trained else None
            tests += [self._test(row, fit, dataset, seed) for dataset in self.sets]
        return Row(title, str(row.get("published", title)), tuple(tests))

    def _fit(self, row: Mapping[str, Any], seed: int) -> Fit:
        said = _at(row["fit"], self.scale)
        own = "" if said is True else said
        arguments = (
            *_words(self.settings["fit"]),
            "--model",
            str(row["model"]),
            *_words(_at(row.get("system"), self.scale)),
            *_words(_at(self.content.get("fit"), self.scale)),
            *_words(own),
            "--seed_everything",
            str(seed),
            "--model.seed",
            str(seed),
            "--data.seed",
            str(seed),
        )
        name = f"{row['model']}-{_digest(arguments)}"
        return Fit(name, self.out / "fit" / name, arguments)

    def _test(self, row: Mapping[str, Any], fit: Fit | None, dataset: str, seed: int) -> Evaluation:
        arguments = (
            *_words(self.settings["sets"][dataset]),
            "--model",
            str(row["model"]),
            *_words(_at(row.get("system"), self.scale)),
            *_words(self.settings.get("test")),
            *_words(_at(self.content.get("test"), self.scale)),
            *_words(_at(row.get("test"), self.scale)),
        )
        digest = _digest((*arguments, fit.name if fit else ""))
        name = _system_name(str(row["model"]), arguments)
        seeded = (*arguments, "--model.seed", str(seed)) if fit else arguments
        return Evaluation(name, dataset, self.out / "test" / dataset / f"{row['model']}-{digest}", seeded, fit)


def _mapping(node: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(node, dict):
        seen = "a list" if isinstance(node, list) else repr(node)
        raise UserError(f"{where}: expected names with values, got {seen}; see {CONFIGS / 'table2.yaml'}")
    return node


def _texts(value: Any, where: str) -> list[str]:
    """A list of texts; one text is a list of one, nothing an empty one."""
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{where}: {value!r} is no list of names; write e.g. [shapes]")
    return texts


def _checked(node: Any, known: Sequence[str], where: str) -> Mapping[str, Any]:
    for name in _mapping(node, where):
        if name not in known:
            raise UnknownName.of(f"field of {where}", str(name), list(known))
    return node


def _at(value: Any, scale: str) -> Any:
    """What holds at this scale, where a value may differ: ``{embedded: ..., full: ...}``."""
    return value.get(scale) if isinstance(value, dict) else value


def _words(text: Any) -> Iterator[str]:
    if text is not None and not isinstance(text, str):
        raise UserError(f'{text!r} is no text with arguments as one types them, e.g. "--model.adapter.rank 8"')
    return iter(shlex.split(text or ""))


def _system_name(model: str, arguments: Sequence[str]) -> str:
    """The model, and what is said of its adapter.

    >>> _system_name("moga", ["--data", "shapes", "--model.adapter.rank", "8"])
    'moga rank=8'
    """
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith(_ADAPTER) else [word])]
    extra = [f"{flag.removeprefix(_ADAPTER)}={value}" for flag, value in pairwise(words) if flag.startswith(_ADAPTER)]
    return " ".join([model, *extra])


def _digest(arguments: Sequence[str]) -> str:
    return hashlib.blake2b("\x1f".join(arguments).encode(), digest_size=4).hexdigest()


def _run_name(folder: Path) -> str:
    return folder.relative_to(RUNS).as_posix()


def _expected(folder: Path) -> Path:
    return folder / "version_0" / "checkpoints" / "last.ckpt"


def _newest(folder: Path, file: str) -> Path | None:
    """``file`` in the version of the highest number that has it."""
    found = [path for path in folder.glob(f"version_*/{file}") if path.is_file()]
    numbers = {path: int(path.relative_to(folder).parts[0].removeprefix("version_")) for path in found}
    return max(found, key=lambda path: numbers[path], default=None)
