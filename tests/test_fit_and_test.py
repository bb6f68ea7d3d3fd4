"""Training, killing, resuming, testing: through the real door, in this process where one is enough."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from robustvos.evaluation.results import load_result
from robustvos.sam2.build import build_sam2
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.config import Sam2Config
from robustvos.state_dicts import read_checkpoint

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 900  # a process that hangs; a busy machine needs minutes to start one


def losses(run: Path, tag: str = "train/loss") -> dict[int, float]:
    """``train/loss``, or another scalar, by step, from TensorBoard's events."""
    events = EventAccumulator(str(run)).Reload()
    known = tag in events.Tags()["scalars"]
    return {event.step: event.value for event in events.Scalars(tag)} if known else {}


def scores(folder: Path) -> dict[tuple, dict]:
    (path,) = folder.rglob("results.json")
    return {o.identity: o.scores for o in load_result(path).objects}


@contextmanager
def started(folder: Path, *argv: object) -> Iterator[subprocess.Popen]:
    """The door in a process of its own, which ends with the block, and so do those that it has started."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *map(str, argv)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_apart(folder: Path, *argv: object) -> str:
    """What the door printed, once it has ended well."""
    with started(folder, *argv) as process:
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out
        return out


@pytest.fixture
def last(trained: Path) -> Path:
    return trained / "checkpoints" / "last.ckpt"


# What is trained and kept


def test_checkpoint_holds_trained_tensors_and_the_hash_of_the_base(last, tiny_base):
    content = read_checkpoint(last)
    base = build_sam2(sam2_config(tiny_base))
    expected = {f"sam2.{name}" for name in layer_norms(base.image_encoder, "image_encoder.")}
    names = set(content["state_dict"])
    assert {name for name in names if name.startswith("sam2.")} == expected
    assert all(name.startswith(("adapter.", "sam2.")) for name in names)
    assert content["base"]["hash"] == state_hash(base)
    assert last.stat().st_size < 0.05 * sum(p.numel() * 4 for p in base.parameters())


def test_training_changes_adapter_and_layer_norms(last, tiny_base):
    base = build_sam2(sam2_config(tiny_base)).state_dict()
    state = read_checkpoint(last)["state_dict"]
    changed = [name for name in state if name.startswith("sam2.") and not torch.equal(state[name], base[name[5:]])]
    assert len(changed) > 0.9 * sum(name.startswith("sam2.") for name in state)
    assert any(bool(state[name].any()) for name in state if name.endswith(".B"))  # zero before training


def test_run_says_what_it_trains_and_what_comes_next(door, tiny_config, last):
    trained = sum(tensor.numel() for tensor in read_checkpoint(last)["state_dict"].values())
    answer = door("fit", "--config", tiny_config, "--trainer.max_steps", 1)
    assert f"train {trained:,} of" in answer.out
    assert (
        "test --config runs/tiny/version_0/config.yaml --ckpt_path runs/tiny/version_0/checkpoints/last.ckpt"
        in answer.out
    )
    assert answer.err == ""


def test_frozen_system_cannot_be_trained(door, tiny_config):
    assert "--model moga" in door("fit", "--config", tiny_config, "--model", "sam2").error


def test_training_of_unknown_length_is_refused_in_a_line(door, tiny_config):
    endless = ["--trainer.max_epochs", -1, "--trainer.max_steps", -1, "--trainer.max_time", "00:00:01:00"]
    assert "set --trainer.max_epochs or" in door("fit", "--config", tiny_config, *endless).error


def test_signals_are_nobodys_after_a_test(door):
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    small = ["--data.test.limit", 1, "--data.test.frames", 2, "--data.test.conditions", "[clean]"]
    assert door("test", "--model", "sam2", *small, "--trainer.accelerator", "cpu").code == 0
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_base_is_trained_further_from_its_weights(door, tiny_config, tiny_base, tmp_path):
    further = ["--model", "sam2", "--model.train_base", "true", "--trainer.max_steps", 1]
    answer = door("fit", "--config", tiny_config, *further)
    base = build_sam2(sam2_config(tiny_base))
    assert f"train {sum(p.numel() for p in base.parameters()):,} of" in answer.out
    start = base.state_dict()
    trained = read_checkpoint(tmp_path / "runs/tiny/version_0/checkpoints/last.ckpt")["state_dict"]
    assert trained.keys() == {f"sam2.{name}" for name in start}
    steps = [float((trained[f"sam2.{name}"] - value).abs().max()) for name, value in start.items()]
    assert 0 < max(steps) < 0.1  # one step of AdamW away from where it started


def test_a_base_is_not_trained_with_an_adapter_on_it(door, tiny_config):
    assert "--model finetune" in door("fit", "--config", tiny_config, "--model.train_base", "true").error


def test_mask_prompts_on_every_frame_do_not_stop_training(door, tiny_config):
    sampling = ["--recipe.sampling.point_probability", 0, "--recipe.sampling.conditioning_frames", 2]
    assert door("fit", "--config", tiny_config, "--data.train.frames", 1, *sampling).code == 0


# Testing


def test_results_load_and_say_where_they_come_from(door, tiny_config, trained, last, tmp_path):
    answer = door("test", "--config", trained / "config.yaml", "--ckpt_path", last, "--run", "tested")
    folder = tmp_path / "runs" / "tested" / "version_0"
    result = load_result(folder / "results.json")
    assert (result.system, result.base, result.dataset, result.protocol) == ("moga", "nano", "shapes", "davis")
    assert (result.prompt, result.seed, result.checkpoint) == ("mask", 0, str(last))
    told = yaml.safe_load((folder / "config.yaml").read_text())["data"]["init_args"]
    assert result.facts["side"] == str(told["size"]) and result.facts["frames"] == str(told["test"]["frames"])
    assert result.facts["severity"] == f"{told['test']['severity']:g}"
    assert len(result.base_hash) == 16 and result.restorer_hash == ""
    assert len({o.video for o in result.objects}) == 2
    assert result.overall["J&F"].mean == pytest.approx((result.overall["J"].mean + result.overall["F"].mean) / 2)
    assert result.parameters["trainable"] == sum(t.numel() for t in read_checkpoint(last)["state_dict"].values())
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [float(row["J"]) for row in rows] == pytest.approx([o.scores["J"] for o in result.objects], abs=1e-6)
    assert_summary(answer.out, result, folder.relative_to(tmp_path))


def assert_summary(text: str, result, folder: Path) -> None:
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    for condition in ("clean", "fog"):
        shown = [float(figure) for figure in rows[condition][:3]]
        assert shown == pytest.approx(
            [100 * result.by["corruption"][condition][m].mean for m in result.metrics], abs=0.06
        )
    assert rows["corrupted"][:3] == rows["fog"][:3]
    assert float(rows["all"][0]) == pytest.approx(100 * result.overall["J&F"].mean, abs=0.06)
    assert str(folder / "results.json") in text
    assert str(folder / "masks") in text


def test_checkpoint_of_another_version_is_offered(door, tiny_config, trained):
    wrong = trained.parent / "version_7" / "checkpoints" / "last.ckpt"
    error = door("test", "--config", tiny_config, "--ckpt_path", wrong).error
    assert f"did you mean {trained / 'checkpoints'}" in error and "last.ckpt?" in error


def test_logged_means_are_those_of_the_results(door, tiny_config, last, tmp_path):
    door("validate", "--config", tiny_config, "--ckpt_path", last)
    (path,) = tmp_path.rglob("results.json")
    events = EventAccumulator(str(path.parent)).Reload()
    assert load_result(path).dataset == "shapes (validation)"
    for metric, estimate in load_result(path).overall.items():
        assert events.Scalars(f"val/{metric}")[-1].value == pytest.approx(estimate.mean, abs=1e-6)


def test_untrained_adapter_is_refused(door, tiny_config):
    for subcommand in ("validate", "test", "predict"):
        error = door(subcommand, "--config", tiny_config).error
        assert "--ckpt_path" in error
        assert "--model sam2" in error


def test_frozen_model_is_measured_without_a_checkpoint(door, tiny_config, tmp_path):
    assert door("test", "--config", tiny_config, "--model", "sam2").code == 0
    (path,) = tmp_path.rglob("results.json")
    assert (load_result(path).system, load_result(path).checkpoint) == ("sam2", None)


def test_weights_trained_on_another_base_are_refused(door, tiny_config, last):
    error = door(
        "test", "--config", tiny_config, "--ckpt_path", last, "--sam2.checkpoint", "random", "--seed_everything", 1
    ).error
    assert read_checkpoint(last)["base"]["hash"] in error


def test_exported_weights_are_tested_as_the_runs_own(door, tiny_config, last, tmp_path):
    said = ["test", "--config", tiny_config, "--data.test.limit", 1]
    assert door("export", last, "--out", "moga.safetensors").code == 0
    assert door(*said, "--run", "run", "--ckpt_path", last).code == 0
    assert door(*said, "--run", "file", "--ckpt_path", "moga.safetensors").code == 0
    assert scores(tmp_path / "runs" / "run") == scores(tmp_path / "runs" / "file")


@pytest.mark.parametrize(("limit", "videos"), [("1", 1), ("1.0", 4), ("0.5", 2)])
def test_a_limit_of_one_is_one_video_and_of_one_point_zero_all(door, tiny_config, tmp_path, limit, videos):
    answer = door("test", "--config", tiny_config, "--model", "sam2", "--trainer.limit_test_batches", limit)
    assert answer.code == 0, answer.err
    (path,) = tmp_path.rglob("results.json")
    assert len({o.sequence for o in load_result(path).objects}) == videos


def test_predict_writes_masks_and_no_scores(door, tiny_config, last, tmp_path):
    answer = door("predict", "--config", tiny_config, "--ckpt_path", last)
    assert answer.code == 0
    assert "runs/tiny/version_0/masks" in answer.out
    assert len(list(tmp_path.rglob("masks/*/*.png"))) == 2 * 2 * 3  # clips, conditions, frames
    assert not list(tmp_path.rglob("results.json"))


def test_missing_data_in_a_worker_is_still_one_line(door, tiny_config, tmp_path):
    (tmp_path / "JPEGImages" / "a").mkdir(parents=True)
    assert (
        "Annotations"
        in door("test", "--config", tiny_config, "--model", "sam2", "--data", "davis", "--data.root", ".").error
    )


# Killing and resuming


@pytest.mark.parametrize("every", ["epoch", "step"])
def test_killed_run_resumes_with_the_same_loss_curve(door, tiny_config, trained, tmp_path, every):
    whole = losses(trained)
    assert sorted(whole) == [0, 1, 2, 3]
    extra = ["--checkpoint.every_n_train_steps", 1] if every == "step" else []
    checkpoint = tmp_path / "runs" / "tiny" / "version_0" / "checkpoints" / "last.ckpt"
    stop = {"epoch": 2, "step": 1}[every]
    end_at(stop, [signal.SIGKILL], tmp_path, "fit", "--config", tiny_config, *extra)
    steps = int(read_checkpoint(checkpoint)["global_step"])
    assert steps == stop
    assert door("fit", "--config", tiny_config, "--ckpt_path", checkpoint, *extra).code == 0
    resumed = losses(tmp_path / "runs" / "tiny" / "version_1")
    assert sorted(resumed) == list(range(steps, 4))
    for step, loss in resumed.items():
        assert loss == pytest.approx(whole[step], abs=1e-5)
    final = read_checkpoint(tmp_path / "runs" / "tiny" / "version_1" / "checkpoints" / "last.ckpt")["state_dict"]
    expected = read_checkpoint(trained / "checkpoints" / "last.ckpt")["state_dict"]
    torch.testing.assert_close(final, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("step", "saved"), [(0, "interrupted"), (1, "last"), (2, "interrupted")])
def test_stopped_run_goes_on_as_if_it_had_not_been_stopped(tiny_config, trained, door, tmp_path, step, saved):
    """There are two steps in an epoch: the second one is followed by a validation, and by the epoch's own checkpoint."""
    code, said = end_at(step, [signal.SIGINT], tmp_path, "fit", "--config", tiny_config)
    checkpoint = Path(f"runs/tiny/version_0/checkpoints/{saved}.ckpt")
    assert code == 130 and "stopping after this step" in said and "Traceback" not in said
    assert said.strip().splitlines()[-1] == f"stopped: the same command with --ckpt_path {checkpoint} goes on"
    assert read_checkpoint(tmp_path / checkpoint)["global_step"] == step + 1
    assert door("fit", "--config", tiny_config, "--ckpt_path", checkpoint).code == 0
    for tag in ("train/loss", "val/J&F"):
        before, after = (losses(tmp_path / f"runs/tiny/version_{number}", tag) for number in (0, 1))
        assert not before.keys() & after.keys()
        whole = losses(trained, tag)
        assert before | after == pytest.approx(whole, abs=1e-5) and len(whole) == {"train/loss": 4, "val/J&F": 2}[tag]


def test_run_that_is_stopped_twice_ends_at_once(tiny_config, tmp_path):
    code, said = end_at(0, [signal.SIGINT, signal.SIGINT], tmp_path, "fit", "--config", tiny_config)
    assert code == 130 and said.strip().splitlines()[-1] == "stopped" and "Traceback" not in said
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_terminated_test_does_not_end_well(tiny_config, tmp_path):
    code, said = end_at(0, [signal.SIGTERM], tmp_path, "test", "--config", tiny_config, "--model", "sam2")
    assert (
        code == 143
        and said.strip().splitlines()[-1] == "stopped by SIGTERM: the same command with --resume goes on"
        and "Traceback" not in said
    )
    assert not list(tmp_path.rglob("results.json"))


HOLD = """
import pathlib, time
from lightning.pytorch import Callback

class Hold(Callback):
    def __init__(self, step: int):
        self.step = step

    def on_train_batch_start(self, trainer, *_):
        self.hold(trainer)

    def on_test_batch_start(self, trainer, *_):
        self.hold(trainer)

    def hold(self, trainer):
        if trainer.global_step == self.step:
            held = pathlib.Path("held")
            held.touch()
            while held.exists():
                time.sleep(0.05)
"""


def end_at(step: int, signals: list[signal.Signals], folder: Path, *argv: object) -> tuple[int, str]:
    """Send signals in the middle of the run, which a callback holds when ``step`` steps are done; exit code and output."""
    held = folder / "held"
    (folder / "hold.py").write_text(HOLD)
    with started(folder, *argv, "--trainer.callbacks+=hold.Hold", "--trainer.callbacks.step", step) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not held.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        was_held = held.exists()
        for number in signals:
            process.send_signal(number)
            time.sleep(0.3)  # two of a kind would count as one
        held.unlink(missing_ok=True)
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert was_held, out
    return process.returncode, out


# Several processes


def test_two_processes_score_as_one_does(door, tiny_config, tmp_path):
    said = [
        "test",
        "--config",
        tiny_config,
        "--model",
        "sam2",
        "--data.test.limit",
        3,
        "--data.test.conditions",
        "[clean]",
    ]
    assert door(*said, "--run", "one").code == 0
    run_apart(tmp_path, *said, "--run", "two", "--trainer.devices", 2)
    assert scores(tmp_path / "runs" / "two") == scores(tmp_path / "runs" / "one")
    assert len(list((tmp_path / "runs" / "two").rglob("masks/*/*.png"))) == 3 * 3


def test_two_processes_train_with_plain_devices_2(tiny_config, tmp_path):
    run_apart(tmp_path, "fit", "--config", tiny_config, "--trainer.devices", 2)
    (run,) = (tmp_path / "runs" / "tiny").iterdir()
    assert len(losses(run)) == 4
    state = read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]
    assert all(bool(torch.isfinite(tensor).all()) for tensor in state.values())


# Help


def sam2_config(path: Path) -> Sam2Config:
    import yaml

    return Sam2Config(**yaml.safe_load(path.read_text()))


def layer_norms(module: torch.nn.Module, prefix: str) -> list[str]:
    """Names of the parameters of every ``LayerNorm`` (and SAM 2's ``LayerNorm2d``)."""
    kinds = ("LayerNorm", "LayerNorm2d")
    norms = [(name, m) for name, m in module.named_modules() if type(m).__name__ in kinds]
    return [f"{prefix}{name}.{p}" for name, norm in norms for p, _ in norm.named_parameters()]


def test_the_release_scores_the_prompted_frame_whatever_the_dataset_skips(door, tiny_base):
    small = ("--data.size", 64, "--data.test.limit", 2, "--data.test.frames", 4, "--data.test.conditions", "[clean]")
    scored = {}
    for protocol in ("davis", "release"):
        run = ("--run", protocol, "--model", "sam2", "--sam2", tiny_base, "--model.protocol", protocol)
        answer = door("test", *run, *small, "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")
        assert answer.code == 0, answer.err
        scored[protocol] = json.loads(Path("runs", protocol, "version_0", "results.json").read_text())
    assert [scored[protocol]["skip_first_last"] for protocol in scored] == [True, False]
    frames = {p: {(o["video"], o["object"]): o["frames"] for o in r["objects"]} for p, r in scored.items()}
    assert set(frames["davis"].values()) == {2}
    assert all(frames["release"][key] >= 1 for key in frames["davis"]) and max(frames["release"].values()) > 2
