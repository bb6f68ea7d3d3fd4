"""A test that was killed and goes on leaves what one leaves that was never stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from robustvos.evaluation.journal import Journal
from robustvos.evaluation.records import FrameScore, ObjectScore, VideoResult
from robustvos.video.frames import Frames, open_frames

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 900
PRESENCE = "--trainer.callbacks+=callbacks.PresenceScores"
TEST = ("test", "--model", "moga", "--data.test.limit", "3", "--data.test.conditions", "[clean,fog]")
TEST += (
    "--data.test.frames",
    "6",
    "--strips.per_condition",
    "1",
    "--trainer.accelerator",
    "cpu",
    "--trainer.devices",
    "1",
)
ARGUMENTS = (*TEST, PRESENCE)
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")


def killed_after(videos: int, signum: int, folder: Path, *argv: str) -> tuple[int, str]:
    """Run the real door in a process of its own; send it a signal once so many videos are done."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *argv],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    patience = time.monotonic() + PATIENCE_S
    try:
        while process.poll() is None and len(done(folder)) < videos and time.monotonic() < patience:
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signum)
        out, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, out


def done(folder: Path) -> list[Path]:
    return list(folder.glob("runs/*/version_*/unfinished/*.json"))


class Shown:
    """A video, equal to one that shows the same. Given the same frames twice, x264 spends its bits otherwise: each frame was
    within 1.7 grey levels in the mean, its successor at least 2.2 away."""

    def __init__(self, frames: Frames) -> None:
        self.pictures = torch.stack([frames[t] for t in range(len(frames))]).float()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Shown) or self.pictures.shape != other.pictures.shape:
            return False
        return bool((self.pictures - other.pictures).abs().mean((1, 2, 3)).max() < 2)


def left(run: Path) -> dict[str, object]:
    """Everything that a test leaves but the time, the memory and the command; events and settings aside."""
    files: dict[str, object] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.is_dir() or name.startswith("events.") or name in ("config.yaml", "hparams.yaml"):
            continue
        files[name] = Shown(open_frames(path)) if path.suffix == ".mp4" else path.read_bytes()
    results = json.loads(files["results.json"])  # type: ignore[arg-type]
    files["results.json"] = {k: v for k, v in results.items() if k not in ("created", "command", "memory_mib")}
    return files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a test leaves that nobody stops."""
    folder = tmp_path_factory.mktemp("whole")
    code, out = killed_after(99, signal.SIGKILL, folder, *ARGUMENTS)
    assert code == 0, out
    return left(folder / "runs" / "test" / "version_0")


def test_killed_tests_leave_what_one_leaves_that_was_not_stopped(whole, door, tmp_path):
    code, said = killed_after(2, signal.SIGKILL, tmp_path, *ARGUMENTS)
    assert code == -signal.SIGKILL, said
    first = len(done(tmp_path))
    assert 2 <= first < 6
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("masks/*/00005.png")}
    code, said = killed_after(first + 1, signal.SIGTERM, tmp_path, *ARGUMENTS, "--resume")
    assert code == 143 and said.strip().splitlines()[-1] == "stopped by SIGTERM: the same command with --resume goes on"
    assert f"going on in runs/test/version_0: {first} videos were done before and are passed over" in said
    second = len(done(tmp_path))
    assert first < second < 6
    answer = door(*ARGUMENTS, "--resume")
    assert (
        answer.code == 0 and f"{second} videos were done before and are passed over (shapes_test_0000, " in answer.out
    )
    run = tmp_path / "runs" / "test" / "version_0"
    assert left(run) == whole
    assert not list(tmp_path.glob("runs/test/version_1"))
    untouched = [path for path, time_ns in before.items() if path.stat().st_mtime_ns == time_ns]
    assert len(untouched) >= first  # what was done is not tracked again


def test_a_test_of_two_processes_goes_on_with_what_one_has_done(whole, tmp_path):
    code, said = killed_after(2, signal.SIGKILL, tmp_path, *ARGUMENTS)
    assert code == -signal.SIGKILL, said
    code, said = killed_after(99, signal.SIGKILL, tmp_path, *ARGUMENTS, "--trainer.devices=2", "--resume")
    assert code == 0 and "are passed over" in said, said
    run = tmp_path / "runs" / "test" / "version_0"
    figures = {"results.json", "results.csv", "frames.json", "presence.json"}
    found = left(run)
    assert {name: found[name] for name in figures} == {name: whole[name] for name in figures}
    assert {name for name in found if "masks" in name} == {name for name in whole if "masks" in name}


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        (("--data.test.severity", "2"), "data.test.severity 3.0, now 2.0"),
        (("--data.test.limit", "2"), "data.test.limit 3, now 2"),
        (("--seed_everything", "1"), "seed_everything 0, now 1"),
        (("--masks.enabled", "false"), "masks.enabled true, now false"),
    ],
)
def test_a_test_does_not_go_on_with_other_settings(door, unfinished, setting, named):
    error = door(*ARGUMENTS, *setting, "--resume").error
    assert f"runs/test/version_0 was begun with other settings: {named};" in error
    assert len(done(unfinished)) == 1


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    code, out = killed_after(1, signal.SIGKILL, folder, *ARGUMENTS)
    assert code == -signal.SIGKILL, out
    return folder


@pytest.fixture
def unfinished(stopped: Path, tmp_path: Path) -> Path:
    """An empty folder but for a test with one video done."""
    import shutil

    shutil.copytree(stopped / "runs", tmp_path / "runs")
    for extra in done(tmp_path)[1:]:
        extra.unlink()
    for half in ("masks/.0a.1b.tmp/00000.png", "masks/more/.2c.tmp", "figures/videos/.3d.tmp"):  # as a kill leaves it
        path = tmp_path / "runs/test/version_0" / half
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_two_processes_do_not_go_on_with_one_test(door, unfinished):
    other = Journal(Path("runs/test/version_0"))
    other.hold()
    error = door(*ARGUMENTS, "--resume").error
    assert "runs/test/version_0 is being tested by another process" in error


def test_a_requeued_task_goes_on_with_its_own_test_without_being_asked(door, unfinished, whole, monkeypatch):
    (unfinished / "runs/test/version_0/slurm_job.txt").write_text("77_1")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    answer = door(*ARGUMENTS)
    assert answer.code == 0 and "1 video was done before and is passed over (shapes_test_0000)" in answer.out
    found = left(unfinished / "runs/test/version_0")
    assert found.pop("slurm_job.txt") == b"77_1"
    assert found == whole


def test_what_has_nothing_to_go_on_with_begins_or_says_why_not(door, tiny_config):
    small = ("--config", tiny_config, "--model.adapter", "null", "--data.test.limit", 1, "--resume")
    answer = door("test", *small)
    assert answer.code == 0 and "no test of runs/tiny was left unfinished; one begins" in answer.out
    assert not list(Path("runs").rglob("unfinished"))
    assert "a training goes on with --ckpt_path FILE" in door("fit", "--config", tiny_config, "--resume").error
    logger = ("--trainer.logger", "lightning.pytorch.loggers.CSVLogger", "--trainer.logger.save_dir", "elsewhere")
    assert "--trainer.logger writes elsewhere" in door("test", *small, *logger).error


def test_a_journal_gives_back_what_it_was_given_to_the_last_bit(tmp_path):
    nan = float("nan")
    frame = FrameScore(3, 1, 0.1 + 0.2, 1 / 3, True, False)
    record = ObjectScore("boat", 1, 9, {"corruption": "fog"}, {"J": 1 / 7, "mIoU_ffo": None})
    result = VideoResult("a/boat", "fog", (record,), (frame,))
    journal = Journal(tmp_path)
    journal.begin()
    journal.add(result, {"Presence": [[nan, True]]})
    found = journal.read()["a/boat@fog"]
    assert found.result == result
    assert repr(found.states) == repr({"Presence": [[nan, True]]})
    journal.close()
    assert not journal.folder.exists()


def test_a_journal_that_cannot_be_read_is_named(tmp_path):
    journal = Journal(tmp_path)
    journal.begin()
    (journal.folder / "x.json").write_text('{"result": {}}')
    with pytest.raises(
        Exception, match=r"unfinished/x.json cannot be read .* remove it, and its video is tested again"
    ):
        journal.read()
