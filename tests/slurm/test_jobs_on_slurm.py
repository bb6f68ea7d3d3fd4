"""``slurm/jobs.sbatch`` on a real SLURM: warned while it starts, preempted while it trains, finished as if nothing had been."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from robustvos.state_dicts import read_checkpoint

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import pathlib, time
from lightning.pytorch import Callback


class Hold(Callback):
    def on_before_optimizer_step(self, trainer, *_):
        if trainer.global_step == 1 and pathlib.Path("hold").exists():
            pathlib.Path("held").touch()
            while pathlib.Path("hold").exists():
                time.sleep(0.05)
"""

pytestmark = pytest.mark.slurm


@pytest.fixture
def folder(tmp_path, tiny_config):
    """Where the task runs: its job file, the project's command line, and a callback that holds it within the second step."""
    (tmp_path / "cli.py").symlink_to(ROOT / "cli.py")
    (tmp_path / "hold.py").write_text(HOLD)
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib\npathlib.Path('begun').touch()\n"
    )  # run as Python starts
    (tmp_path / "hold").touch()
    (tmp_path / "jobs").write_text(f"fit --config {tiny_config} --run mine --trainer.callbacks+=hold.Hold\n")
    (tmp_path / "runs" / "slurm").mkdir(parents=True)
    return tmp_path


def submit(slurm, folder: Path, partition: str, *command: str) -> str:
    options = ["--parsable", f"--partition={partition}", "--cpus-per-task=1", "--exclusive"]
    environment = {"PYTHON": sys.executable, "PYTHONPATH": f"{folder}:{ROOT}", "OMP_NUM_THREADS": "1"}
    return slurm("sbatch", *options, *command, cwd=folder, **environment)


def said(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in (folder / "runs" / "slurm").glob("*.log"))


@pytest.fixture
def never_stopped(tmp_path_factory, tiny_config) -> Path:
    """The last checkpoint of the same training in a process of its own, which nobody stops."""
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, str(ROOT / "cli.py"), "fit", "--config", str(tiny_config), "--run", "mine"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "runs/mine/version_0/checkpoints/last.ckpt"


def test_a_task_that_is_warned_and_preempted_ends_with_the_weights_of_one_that_was_not(slurm, folder, never_stopped):
    array = submit(slurm, folder, "low", "--array=1", str(ROOT / "slurm" / "jobs.sbatch"), "jobs")
    job = f"{array}_1"
    slurm.wait((folder / "begun").exists, "the first start")
    slurm("scancel", "--signal=USR1", job)  # as --signal=USR1@120 does, while Python imports
    slurm.wait(lambda: slurm.job(job)["Restarts"] == "1", "the requeue after USR1")
    slurm.wait((folder / "held").exists, "the second step")
    other = submit(slurm, folder, "high", "--output=/dev/null", "--wrap=sleep 1")
    slurm.wait(lambda: "stopping after this step" in said(folder), "the signal of the preemption")
    (folder / "hold").unlink()
    slurm.wait(lambda: slurm.job(job)["Restarts"] == "2", "the requeue after the preemption")
    slurm.wait(lambda: slurm.job(job)["JobState"] in ("COMPLETED", "FAILED", "CANCELLED"), "the end")
    log = said(folder)
    assert slurm.job(job)["JobState"] == "COMPLETED", log
    assert slurm.job(other)["JobState"] == "COMPLETED"
    saved = "runs/mine/version_0/checkpoints/last.ckpt"  # the second step is the last of its epoch: saved before its validation
    assert f"stopped by SIGTERM: the same command with --ckpt_path {saved} goes on" in log
    assert read_checkpoint(folder / saved)["global_step"] == 2
    (last,) = folder.glob("runs/mine/version_1/checkpoints/last.ckpt")
    expected = read_checkpoint(never_stopped)
    got = read_checkpoint(last)
    assert got["global_step"] == expected["global_step"] == 4
    for name, value in expected["state_dict"].items():
        assert torch.equal(got["state_dict"][name], value), name
    assert "Traceback" not in log
