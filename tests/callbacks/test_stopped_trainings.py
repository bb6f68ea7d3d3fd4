"""What a training leaves and says when its loss is lost, its disk full, its checkpoint half written, its validation broken."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
import torch

from callbacks.same_settings import compare_course, course_of
from robustvos.errors import CheckpointMismatch
from robustvos.state_dicts import read_checkpoint

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
LAST = "run/version_0/checkpoints/last.ckpt"


def spoiled(line, step: int, where: str):
    """The line, whose loss or whose gradients are lost at a step."""

    class Spoiled(line.Line):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            return loss * float("nan") if where == "loss" and self.global_step == step else loss

        def on_after_backward(self):
            if where == "gradients" and self.global_step == step:
                self.layer.weight.grad[0, 0] = float("inf")

    return Spoiled()


@pytest.mark.parametrize(
    ("where", "named"), [("loss", "the loss is nan at step 6 (epoch 1, batch 2)"), ("gradients", "")]
)
def test_a_loss_that_is_not_finite_ends_the_run_and_spares_the_last_good_checkpoint(
    line, forking, tmp_path, where, named
):
    model = spoiled(line, 6, where)
    code, said = forking.forked(
        tmp_path, lambda: line.train(tmp_path, [], every_n_train_steps=1, model=model, max_epochs=3)
    )
    error = said.strip().splitlines()[-1]
    assert code == 2 and error.startswith("error: ") and "Traceback" not in said
    assert named in error and f"the last good checkpoint is {tmp_path / LAST}" in error
    saved = read_checkpoint(tmp_path / LAST)
    assert saved["global_step"] == 6
    assert all(bool(torch.isfinite(value).all()) for value in saved["state_dict"].values())


def test_a_full_disk_leaves_the_former_checkpoint(line, forking, tmp_path):
    def fill_up() -> None:
        line.train(tmp_path, [], max_epochs=1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # no file may become larger, as on a disk that is full
        line.train(tmp_path, [], max_epochs=2)

    code, said = forking.forked(tmp_path, fill_up)
    assert code == 2 and "error: cannot write" in said and "Traceback" not in said, said
    assert read_checkpoint(tmp_path / LAST)["global_step"] == line.BATCHES
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_kill_while_a_checkpoint_is_written_leaves_the_former_one_and_nothing_elsewhere(
    line, forking, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))

    def killed() -> None:
        line.train(tmp_path, [], max_epochs=1)
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)  # written, but not under its name yet
        line.train(tmp_path, [], max_epochs=2)

    code, _ = forking.forked(tmp_path, killed)
    assert code == -signal.SIGKILL
    assert read_checkpoint(tmp_path / LAST)["global_step"] == line.BATCHES
    assert not list(tmp_path.glob("run/version_1/checkpoints/*.ckpt"))
    assert not list(elsewhere.iterdir())


def test_an_epoch_is_saved_before_its_validation_and_whether_there_is_one_or_not(line, forking, tmp_path):
    class Broken(line.Line):
        def validation_step(self, batch, batch_idx):
            raise SystemExit(9)

    code, said = forking.forked(
        tmp_path, lambda: line.train(tmp_path, [], model=Broken(), max_epochs=3, check_val_every_n_epoch=2)
    )
    assert code == 9, said
    assert read_checkpoint(tmp_path / LAST)["global_step"] == 2 * line.BATCHES
    code, said = forking.forked(tmp_path, lambda: line.train(tmp_path, [], max_epochs=3, check_val_every_n_epoch=2))
    assert code == 0, said
    assert read_checkpoint(line.newest(tmp_path / "run", "last.ckpt"))["global_step"] == 3 * line.BATCHES


def test_a_stopped_training_says_how_to_go_on(line, forking, tmp_path):
    fate = line.Fate("on_before_backward", 2, signal.SIGTERM)
    code, said = forking.forked(tmp_path, lambda: line.train(tmp_path, [fate], max_epochs=1))
    saved = tmp_path / "run/version_0/checkpoints/interrupted.ckpt"
    assert code == 143
    assert said.strip().splitlines()[-1] == f"stopped by SIGTERM: the same command with --ckpt_path {saved} goes on"
    assert read_checkpoint(saved)["global_step"] == 2


def test_runs_that_start_at_once_have_folders_of_their_own(line, forking, tmp_path):
    from lightning_modules import RunLogger

    children = []
    for _ in range(8):
        child = forking.fork()
        if child == 0:
            number = 255
            try:
                number = int(RunLogger(str(tmp_path), "run").version)
            finally:
                os._exit(number)
        children.append(child)
    claimed = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(claimed) == list(range(8))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [f"version_{i}" for i in range(8)]


def checkpoint(course: dict, started: int, processed: int) -> dict:
    progress = {"started": started, "processed": processed}
    return {"course": course, "loops": {"fit_loop": {"epoch_progress": {"current": progress}}}}


def test_a_resumed_run_says_which_settings_differ_and_refuses_other_data_within_an_epoch(capsys):
    def course(batches: int, workers: int = 0) -> dict:
        data = {"class_path": "Shapes", "init_args": {"train": {"batches": batches}, "workers": workers}}
        return course_of({"data": data, "seed_everything": 0, "run": "any"})

    compare_course(checkpoint(course(3), 2, 2), course(3, workers=4))
    assert capsys.readouterr().err == ""
    compare_course(checkpoint(course(3), 2, 2), course(5))
    assert "data.train.batches 3 -> 5" in capsys.readouterr().err
    with pytest.raises(CheckpointMismatch, match=r"within an epoch of other data: data\.train\.batches 3 -> 5"):
        compare_course(checkpoint(course(3), 2, 1), course(5))


def test_a_requeued_job_goes_on_from_its_own_newest_checkpoint(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from robustvos.commands.loop_config import prefer_requeued
    from robustvos.termination import JOB_FILE

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for age, (version, job, name) in enumerate([(0, "7", "last"), (1, "7", "interrupted"), (2, "6", "last")]):
        path = Path(f"runs/mine/version_{version}/checkpoints/{name}.ckpt")
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1000 + age, 1000 + age))
        (path.parent.parent / JOB_FILE).write_text(job)

    def chosen(restarts: str) -> str | None:
        monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
        config = SimpleNamespace(run="mine", ckpt_path=None, trainer=SimpleNamespace(default_root_dir=None))
        prefer_requeued(config, "fit")
        return config.ckpt_path

    assert chosen("0") is None
    assert chosen("1") == "runs/mine/version_1/checkpoints/interrupted.ckpt"
    Path("runs/mine/hpc_ckpt_1.ckpt").touch()
    assert chosen("1") is None, "Lightning finds hpc_ckpt by itself, and this one is newer"
