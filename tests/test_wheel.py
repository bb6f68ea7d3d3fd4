"""The wheel, installed where no checkout is at hand, works from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
QUICK = ("--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.enable_progress_bar", "false")
pytestmark = [
    pytest.mark.wheel,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("pip", "setuptools")),
        reason="building the wheel without network needs pip and setuptools in this environment",
    ),
    pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="there is no checkout to build the wheel from"),
]


def called(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it without what this process knows of the checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ROBUSTVOS"))} | variables
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )


def files(root: Path, folder: str) -> set[Path]:
    """All but what Python and numba leave when they compile."""
    found = (path.relative_to(root) for path in (root / folder).rglob("*") if path.is_file())
    return {path for path in found if "__pycache__" not in path.parts}


def checked(*command: object, cwd: Path, **variables: str) -> str:
    done = called(*command, cwd=cwd, **variables)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution: what the wheel is built from, so that it is known to be whole."""
    folder = tmp_path_factory.mktemp("source")
    copy = folder / "checkout"  # a build leaves files beside its sources
    for name in ("cli.py", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        copy.mkdir(exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    for name in ("robustvos", "lightning_modules", "datamodules", "callbacks", "configs", "tests"):
        (copy / name).symlink_to(ROOT / name)
    build = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    archive = folder / checked(sys.executable, "-c", build, folder, cwd=copy).split()[-1]
    checked("tar", "xzf", archive, cwd=folder)
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command ``robustvos`` of an environment with the wheel and, from this one, what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    checked(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, source, cwd=folder)
    (wheel,) = folder.glob("robustvos-*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    checked(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    (site,) = environment.glob("lib/python*/site-packages")
    # Plain lines add folders alone: the editable install of the checkout, itself a .pth file in there, is not seen.
    (site / "dependencies.pth").write_text("\n".join({sysconfig.get_path(name) for name in ("purelib", "platlib")}))
    where = checked(python, "-c", "import robustvos, cli; print(robustvos.__file__, cli.__file__)", cwd=folder).split()
    assert all(Path(path).is_relative_to(site) for path in where), where
    return environment / "bin" / "robustvos"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_wheel_has_what_is_read_at_run_time_and_no_tests(installed):
    (site,) = installed.parents[1].glob("lib/python*/site-packages")
    package = site / "robustvos"
    for folder in ("robustvos", "lightning_modules", "datamodules", "callbacks"):
        ours, theirs = files(ROOT, folder), files(site, folder)
        assert ours - theirs == set(), "not in the wheel"
        assert not {path for path in theirs - ours if path.parts[:2] != ("robustvos", "configs")}
    names = {path.relative_to(ROOT / "configs") for path in (ROOT / "configs").rglob("*.yaml")}
    assert {path.relative_to(package / "configs") for path in (package / "configs").rglob("*.yaml")} == names
    assert not (site / "tests").exists() and not (site / "configs").exists()


def test_installed_command_is_what_messages_advise(installed, empty):
    assert checked(installed, "--help", cwd=empty).startswith("usage: robustvos COMMAND")
    assert "usage: robustvos track" in checked(installed, "track", "--help", cwd=empty)
    missing = called(installed, "report", "nowhere", "--out", "page", cwd=empty)
    assert missing.returncode == 2 and missing.stderr.splitlines()[-1].endswith("robustvos test")


def test_system_is_inspected(installed, empty):
    assert "MoGA" in checked(installed, "inspect", "--model", "moga", cwd=empty)


def test_two_steps_are_trained_and_the_advice_at_the_end_works(installed, empty):
    tiny = ("--data.size", "64", "--data.train.frames", "2", "--data.train.frames_per_batch", "2")
    two = ("--trainer.max_steps", "2", "--trainer.limit_val_batches", "0", *QUICK)
    out = checked(installed, "fit", "--config", "configs/moga.yaml", *tiny, *two, cwd=empty)
    advice = next(line for line in out.splitlines() if line.startswith("next: "))
    assert advice.startswith("next: robustvos test --config runs/moga/version_0/config.yaml")
    words = advice.removeprefix("next: robustvos ").split()
    checked(installed, *words, "--data.test.limit", "1", "--data.test.conditions", "[clean]", *QUICK, cwd=empty)
    (results,) = (empty / "runs").glob("*/version_*/results.json")
    assert json.loads(results.read_text())["command"].startswith("robustvos test --config")


def test_object_is_tracked(installed, empty):
    (empty / "video").mkdir()
    for t in range(3):
        frame = np.full((64, 64, 3), 40, np.uint8)
        frame[20:40, 10 + 4 * t : 30 + 4 * t] = (220, 60, 60)
        Image.fromarray(frame).save(empty / "video" / f"{t:05d}.png")
    checked(installed, "track", "video", "--box", "10,20,30,40", "--out", "masks", cwd=empty)
    assert len(list((empty / "masks").rglob("*.png"))) >= 3


def test_experiment_is_planned(installed, empty):
    commands = checked(installed, "experiment", "table4", "--dry_run", cwd=empty).splitlines()
    assert [line.split()[0] for line in commands] == ["fit", "fit", "test", "test", "test"]
    assert not list(empty.iterdir()), "planning leaves nothing"


def test_whole_objects_are_tested_without_download(installed, empty, tmp_path):
    few = ("--data.sample.occlusion", "1", "--data.sample.containment", "1", "--data.test.limit", "1")
    out = checked(
        installed, "test", "--data", "realvas", *few, *QUICK, cwd=empty, ROBUSTVOS_CACHE=str(tmp_path / "cache")
    )
    assert "mIoU" in out
