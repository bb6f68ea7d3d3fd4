"""Losses of the first steps of every config, and scores of small tests, are what they were.

The figures lie in ``figures/``, one file a run; what is run stands in ``runs.yaml``. Nothing here knows the project but by
its command line and by what a run leaves: TensorBoard's scalars and CSV files. A change that is meant is accepted by

    make golden        # pytest tests/golden --renew: writes the figures anew; the difference is then reviewed and committed

Tolerances (``tolerances`` below) leave room for other processors and thread counts, none for other clips, seeds or weights of
losses.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parents[1] / "configs"
FIGURES = HERE / "figures"
RUNS: dict[str, Any] = yaml.safe_load((HERE / "runs.yaml").read_text())
UNTRAINED = set(RUNS["untrained"])

Figures = dict[str, Any]
Run = Callable[..., Path]


def configs() -> list[str]:
    """Whole trainings; a new file is run without being named."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml") if "model" in yaml.safe_load(path.read_text()))


def models() -> list[str]:
    """What can be trained as ``moga.yaml`` says; a new file is run without being named."""
    return sorted({path.stem for path in (CONFIGS / "model").glob("*.yaml")} - UNTRAINED)


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What stands in braces in runs.yaml."""
    import cli

    drawn = _drawing()
    root = tmp_path_factory.mktemp("golden")
    found = {name: root / name for name in ("tree", "rendered", "shifted", "cache")} | {"configs": CONFIGS}
    drawn.draw_tree(found["tree"])
    drawn.draw_shifted(found["tree"], found["shifted"])
    drawn.draw_restorer(root / "restorer.pth")
    assert cli.main(["corrupt", str(found["tree"]), str(found["rendered"])]) == 0
    return found | {"truth": found["tree"] / "Annotations", "restorer": root / "restorer.pth"}


@pytest.fixture
def run(places: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("fit", "--config", ...)`` runs the command line in an empty folder and gives the folder."""
    import cli

    for name in ("ROBUSTVOS_DATA", "ROBUSTVOS_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROBUSTVOS_CACHE", str(places["cache"]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def command(*argv: str, **more: Path) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert cli.main([_filled(token, {**places, **more}) for token in argv]) == 0
        return folder

    return command


@pytest.fixture
def same(request: pytest.FixtureRequest) -> Callable[[str, Figures], None]:
    """Compare figures with those that are kept, or write them."""

    def compare(name: str, found: Figures) -> None:
        path = FIGURES / f"{name}.json"
        if request.config.getoption("--renew", default=False):
            path.write_text(json.dumps(_rounded(found), indent=1, sort_keys=True) + "\n")
        assert path.is_file(), f"no golden figures of {name}: make golden"
        assert not (faults := differences(json.loads(path.read_text()), found)), "\n".join(faults)

    return compare


@pytest.mark.parametrize("name", configs())
def test_first_steps_of_config(run, same, name):
    said = RUNS["configs"].get(name, RUNS["shapes"])
    folder = run("fit", "--config", str(CONFIGS / f"{name}.yaml"), *RUNS["loop"], *RUNS["fit"], *said)
    same(f"fit_{name}", {"fit": scalars(folder)})


@pytest.mark.parametrize("name", models())
def test_first_steps_of_model_and_what_they_make(run, same, name):
    moga = ["--config", str(CONFIGS / "moga.yaml"), "--model", name]
    folder = run("fit", *moga, *RUNS["loop"], *RUNS["fit"], *RUNS["shapes"])
    (last,) = folder.rglob("last.ckpt")
    tested = run("test", "--model", name, "--ckpt_path={last}", *RUNS["loop"], *RUNS["fitted_test"], last=last)
    same(f"model_{name}", {"fit": scalars(folder), **results(tested)})


@pytest.mark.parametrize("name", RUNS["fits"])
def test_first_steps(run, same, name):
    same(f"fit_{name}", {"fit": scalars(run("fit", *RUNS["fits"][name], *RUNS["loop"], *RUNS["fit"]))})


@pytest.mark.parametrize("name", RUNS["tests"])
def test_results(run, same, name):
    same(f"test_{name}", results(run("test", *RUNS["loop"], *RUNS["tests"][name])))


@pytest.mark.parametrize("name", RUNS["scores"])
def test_scores_of_masks(run, same, name):
    folder = run("score", *RUNS["scores"][name], "--out", "scored")
    same(f"score_{name}", {"exact": rows(folder / "scored" / "scores.csv")})


def test_corrupted_frames(places, same):
    folders = sorted(path for path in places["rendered"].iterdir() if path.is_dir())
    assert len(folders) >= 8
    same("corrupt", {"grey": {folder.name: _brightness(folder) for folder in folders}})


# What a run leaves


def scalars(folder: Path) -> Figures:
    """Every scalar of TensorBoard's files, step by step, the losses among them."""
    (path,) = {path.parent for path in folder.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(path)).Reload()
    found = {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"] if tag != "epoch"}
    assert any(tag.startswith("train/") for tag in found)
    return found


def results(folder: Path) -> Figures:
    """Rows of results.csv, and the means that TensorBoard shows."""
    (path,) = {path.parent for path in folder.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(path)).Reload()
    means = {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"] if tag.startswith("test/")}
    (table,) = folder.rglob("results.csv")
    assert means
    return {"means": means, "scores": rows(table)}


def rows(path: Path) -> Figures:
    """Cells with a decimal point are figures; the others name their row, whatever their columns are called or stand."""
    found: Figures = {}
    for row in csv.DictReader(path.read_text().splitlines()):
        name = " ".join(sorted(cell for cell in row.values() if cell and not _is_figure(cell)))
        assert name not in found
        found[name] = {column: float(cell) for column, cell in row.items() if _is_figure(cell)}
    assert found
    return found


def _is_figure(cell: str) -> bool:
    return "." in cell and cell.replace(".", "").replace("e-", "").isdigit()


def _brightness(folder: Path) -> list[float]:
    """Mean and deviation of all pixels of each frame."""
    frames = [np.array(Image.open(path)) for path in sorted((folder / "JPEGImages").rglob("*.*"))]
    return [float(f(frame)) for frame in frames for f in (np.mean, np.std)]


# Comparison


def differences(expected: Figures, found: Figures) -> list[str]:
    """Figures that are gone, or differ by more than their tolerance, and rows that are new; further figures may come."""
    old, new = (dict(_flat(figures)) for figures in (expected, found))
    faults = [f"{kind} > {row}: new" for kind in expected for row in _rows(found, kind) - _rows(expected, kind)]
    for path in old:
        absolute, relative = tolerances(path)
        if path not in new:
            faults.append(f"{path}: gone")
        elif not math.isclose(old[path], new[path], abs_tol=absolute, rel_tol=relative):
            faults.append(f"{path}: {old[path]:.6g} expected, {new[path]:.6g} found")
    return faults


def _rows(figures: Figures, kind: str) -> set[str]:
    return set(figures.get(kind, ())) if kind in ("scores", "exact") else set()


def tolerances(path: str) -> tuple[float, float]:
    """Absolute and relative, by what the figure is."""
    kind, *_, step = path.split(" > ")
    if kind == "fit":
        return (1e-6, 1e-3) if step == "0" else (1e-6, 1e-2)  # a step of AdamW makes much of small gradients' signs
    return {"means": (0.005, 0.0), "scores": (0.01, 0.0), "grey": (0.02, 0.0), "exact": (2e-6, 0.0)}[kind]


def _flat(figures: Any, path: str = "") -> list[tuple[str, float]]:
    if isinstance(figures, int | float):
        return [(path, figures)]
    items = figures.items() if isinstance(figures, Mapping) else enumerate(figures)
    return [leaf for name, value in items for leaf in _flat(value, f"{path} > {name}" if path else str(name))]


def _rounded(figures: Any) -> Any:
    """Six digits: what is kept is to be read in a difference."""
    if isinstance(figures, float):
        return float(f"{figures:.6g}")
    if isinstance(figures, Mapping):
        return {name: _rounded(value) for name, value in figures.items()}
    return [_rounded(value) for value in figures] if isinstance(figures, list) else figures


def _filled(token: str, places: Mapping[str, Path]) -> str:
    """The token with its ``{place}`` put in; braces of YAML stay."""
    for name, path in places.items():
        token = token.replace(f"{{{name}}}", str(path))
    return token


def _drawing() -> Any:
    """``drawn.py`` beside this file; tests are no package."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("golden_drawn", HERE / "drawn.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
