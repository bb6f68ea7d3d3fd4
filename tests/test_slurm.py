"""The template that SLURM runs: which line a task takes, what it tells Lightning, what it does when it is preempted."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from robustvos.commands.loop_config import prefer_requeued

ROOT = Path(__file__).resolve().parent.parent
JOBS = 'fit --config configs/moga.yaml --run "two words"\nreport runs --out page\n'

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture
def task(tmp_path):
    """Run a task of the template where ``srun`` runs its command here, and ``python`` prints its arguments."""
    (tmp_path / "jobs").write_text(JOBS)
    for name, body in {
        "srun": 'shift; "$@"; exit ${SRUN_EXIT:-0}',
        "scontrol": 'echo "scontrol $*"',
        "show": 'printf "<%s>" "$@"; echo',
    }.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def run(number: int, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SLURM_")},
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHON": "show",
            "SLURM_ARRAY_TASK_ID": str(number),
            "SLURM_JOB_ID": "7",
            **environment,
        }
        command = ["bash", str(ROOT / "slurm" / "jobs.sbatch"), str(tmp_path / "jobs")]
        return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)

    return run


def test_a_task_runs_its_line_with_the_processes_of_the_step(task):
    done = task(1, SLURM_NTASKS_PER_NODE="4", SLURM_JOB_NUM_NODES="2")
    assert done.returncode == 0
    assert "<cli.py><fit><--config><configs/moga.yaml><--run><two words>" in done.stdout
    assert "<--trainer.devices><4><--trainer.num_nodes><2>" in done.stdout


def test_tools_are_not_told_of_processes(task):
    assert task(2).stdout.splitlines()[-1] == "<cli.py><report><runs><--out><page>"


def test_a_missing_line_is_refused(task):
    done = task(3)
    assert done.returncode == 2
    assert "no line 3" in done.stderr


def test_a_terminated_step_is_requeued_and_a_failed_one_is_not(task):
    for code in ("143", "138"):
        assert "scontrol requeue 7" in task(1, SRUN_EXIT=code).stdout
    failed = task(1, SRUN_EXIT="2")
    assert failed.returncode == 2
    assert "scontrol" not in failed.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_writes_one_job_a_system(tmp_path):
    sbatch = tmp_path / "sbatch"
    sbatch.write_text('#!/bin/bash\necho "sbatch $*"; cat "${@: -1}"\n')
    sbatch.chmod(0o755)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    done = subprocess.run(
        ["make", "slurm-fit", "SYSTEMS=moga lora", "ARGS=--seed_everything 3", "SBATCH=-p gpu"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "sbatch --array=1-2 -p gpu slurm/jobs.sbatch runs/slurm/slurm-fit-" in done.stdout
    jobs = [
        f"fit --config configs/moga.yaml --model {name} --run {name} --seed_everything 3" for name in ("moga", "lora")
    ]
    assert "\n".join(jobs) in done.stdout


@pytest.mark.parametrize(
    ("restarts", "left", "given"), [("1", True, None), ("0", True, "x.ckpt"), ("2", False, "x.ckpt")]
)
def test_a_requeued_training_goes_on_from_what_it_saved(tmp_path, monkeypatch, restarts, left, given):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    if left:
        (tmp_path / "runs" / "mine").mkdir(parents=True)
        (tmp_path / "runs" / "mine" / "hpc_ckpt_1.ckpt").touch()
    config = SimpleNamespace(run="mine", ckpt_path="x.ckpt", trainer=SimpleNamespace(default_root_dir=None))
    prefer_requeued(config, "test")
    assert config.ckpt_path == "x.ckpt", "evaluations measure what they are told to"
    prefer_requeued(config, "fit")
    assert config.ckpt_path == given
