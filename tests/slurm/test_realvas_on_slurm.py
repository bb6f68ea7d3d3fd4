"""``make slurm-realvas`` on a real SLURM: an array a stage, one task killed and requeued; the bytes of ``realvas run``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from robustvos.files.stage import open_results

ROOT = Path(__file__).resolve().parents[2]
SIZE = (180, 240)
WAITS = """
import os, pathlib, sys, time

# The first start of discover's second shard begins an item and waits there for its killer.
if sys.argv[1:3] == ["realvas", "discover"] and "1/2" in sys.argv and os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
    from robustvos.realvas.discover import Discover

    def held(stage, item, work):
        (work.folder / "half").write_text("written when it was killed")
        pathlib.Path("held").write_text(str(os.getpid()))
        time.sleep(600)

    Discover.run = held
"""
STAGES = ("ingest", "discover", "motion", "align", "filter", "combine", "propagate", "composite")
"""Of ``make``'s; no container is here, and the camera looks at what was made."""
LATER = {"contain", "camera", "index.html", "sheet"}

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(shutil.which("make") is None, reason="needs make")]


def write_video(folder: Path, seed: int, nearer: bool) -> Path:
    """A box that crosses a still scene to the right; ``nearer``: and when it is gone, a larger one to the left, lower down."""
    rng = np.random.default_rng(seed)
    scene = cv2.resize(rng.uniform(90, 200, (12, 20, 3)).astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    scene += cv2.GaussianBlur(rng.uniform(-40, 40, (*SIZE, 3)).astype(np.float32), (0, 0), 1.0)
    cloth = (30, 40, 220) + 25 * rng.choice([-1, 1], (15, 6, 3)).repeat(6, axis=0).repeat(6, axis=1)
    folder.mkdir(parents=True)
    for t in range(120 if nearer else 70):
        picture = scene + rng.normal(0, 1, scene.shape)
        left = -18 + 4 * t
        picture[60:108, max(0, left) : max(0, left + 18)] = cloth[:48, max(0, -left) : 18][:, : max(0, 240 - left)]
        left = 240 - 5 * (t - 66)
        if nearer and t >= 66:
            picture[72:162, max(0, left) : max(0, left + 36)] = 255 - cloth[:, max(0, -left) :][:, : max(0, 240 - left)]
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{t:05d}.png", compress_level=1)
    return folder


def files(root: Path) -> dict[str, bytes]:
    visible = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(root)): path.read_bytes() for path in visible}


@pytest.fixture
def videos(tmp_path) -> list[str]:
    return [
        str(write_video(tmp_path / "videos" / name, seed, name == "two")) for seed, name in enumerate(("one", "two"))
    ]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where ``make`` is called: the project's files, as much of them as it needs, and a Python that waits to be killed."""
    folder = tmp_path / "project"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("cli.py", "Makefile", "pyproject.toml", "slurm"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "sitecustomize.py").write_text(WAITS)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder}:{ROOT} OMP_NUM_THREADS=1 exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / ".installed").touch()
    return folder


@pytest.fixture
def whole(videos, tmp_path) -> Path:
    """The run of one process."""
    root = tmp_path / "whole"
    command = [sys.executable, str(ROOT / "cli.py"), "realvas", "run", *videos, "--matte", "guided", "--out", str(root)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(open_results(root, "discover").kept) >= 3 and open_results(root, "camera").kept
    return root


def test_arrays_with_a_killed_task_leave_the_bytes_of_one_process(slurm, folder, videos, whole):
    root = folder / "run"
    given = [f"VIDEOS={' '.join(videos)}", f"OUT={root}", "SHARDS=2", f"STAGES={' '.join(STAGES)}"]
    given += ["ARGS=--matte guided", "SBATCH=--partition=low --cpus-per-task=1 --time=10"]
    said = slurm("make", "slurm-realvas", *given, cwd=folder, MAKEFLAGS="")
    jobs = dict(line.split(": job ") for line in said.splitlines() if ": job " in line)
    assert tuple(jobs) == STAGES
    held, killed = folder / "held", f"{jobs['discover']}_2"
    slurm.wait(lambda: held.exists() and held.read_text(), "the second task of discover to begin an item")
    os.kill(int(held.read_text()), signal.SIGKILL)
    slurm.wait(lambda: slurm.job(killed)["Restarts"] == "1", "the requeue of the killed task")
    for stage, job in jobs.items():
        slurm.wait(
            lambda job=job: job not in slurm("squeue", "--noheader", "--format=%F").split(), f"the end of {stage}"
        )
    log = folder / "runs" / "slurm" / f"robustvos-{killed}.log"
    assert "start 1: cli.py realvas discover" in log.read_text()
    assert "start 1" not in log.with_name(f"robustvos-{jobs['discover']}_1.log").read_text(), "the other one was done"
    expected = {name: data for name, data in files(whole).items() if name.split("/")[0] not in LATER}
    got = files(root)
    assert got.keys() == expected.keys() and len(got) > 100
    assert [name for name in got if got[name] != expected[name]] == []
