"""Chains of kills and preemptions: whatever happens to a training, it ends as one that nothing happened to.

Each run is a fork of this process, so that real signals end real processes, and nobody waits for imports. The model is a
linear layer, the loops, loaders, checkpoints, logs and signals are those of every run.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from robustvos.state_dicts import read_checkpoint

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

STRIKES = 8
HOOKS = (
    *("on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_before_backward"),
    *("on_before_optimizer_step", "on_train_batch_end", "on_validation_start", "on_validation_batch_end"),
    *("on_validation_end", "on_train_epoch_end", "on_save_checkpoint"),
)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
KINDS: dict[str, dict[str, Any]] = {
    "epochs": {"max_epochs": 12},
    "rare validation": {"max_epochs": 20, "check_val_every_n_epoch": 2},
    "no validation": {"max_epochs": 12, "limit_val_batches": 0},
    "accumulated": {"max_epochs": 12, "accumulate_grad_batches": 2},
    "every step": {"max_epochs": 12, "every_n_train_steps": 1},
    "steps": {"max_epochs": -1, "max_steps": 42, "every_n_train_steps": 1},
    "whole epochs of steps": {"max_epochs": -1, "max_steps": 48},
    "validation within": {"max_epochs": 12, "val_check_interval": 2, "every_n_train_steps": 2},
}


def curve(run: Path, tag: str) -> dict[int, float]:
    """A scalar by step over all versions of a run, which must agree where they overlap."""
    found: dict[int, float] = {}
    for version in sorted(run.glob("version_*")):
        events = EventAccumulator(str(version)).Reload()
        for event in events.Scalars(tag) if tag in events.Tags()["scalars"] else ():
            assert found.setdefault(event.step, event.value) == event.value, f"{tag} at {event.step} of {version}"
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_of_eight_ends_as_the_run_that_was_never_stopped(kind, tmp_path, line, forking):
    code, said = forking.forked(tmp_path / "whole", lambda: line.train(tmp_path / "whole", [], **KINDS[kind]))
    assert code == 0, said
    hooks = [hook for hook in HOOKS if "validation" not in hook or "limit_val_batches" not in KINDS[kind]]
    choose = random.Random(kind)
    history: list[Any] = []
    while code != 0 or not history:
        hook, signum = choose.choice(hooks), choose.choice(SIGNALS)
        number = choose.randint(1, 5) if "batch_start" in hook or "before" in hook else 1
        fate = [line.Fate(hook, number, signum)] if len(history) < STRIKES else []
        code, said = forking.forked(
            tmp_path / "chain", lambda fate=fate: line.train(tmp_path / "chain", fate, **KINDS[kind])
        )
        history.append((hook, number, signum.name, code) if fate else code)
        assert "Traceback" not in said, (history, said)
        assert code in (0, -9 if signum == signal.SIGKILL else 128 + signum), (history, said)
    assert len(history) == STRIKES + 1, history
    compare(line, tmp_path / "whole" / "run", tmp_path / "chain" / "run", history)


def compare(line: Any, whole: Path, chain: Path, history: list[Any]) -> None:
    expected, got = (read_checkpoint(line.newest(run, "last.ckpt")) for run in (whole, chain))
    assert got["global_step"] == expected["global_step"], history
    assert got["loops"]["fit_loop"]["epoch_progress"] == expected["loops"]["fit_loop"]["epoch_progress"], history
    for name, value in expected["state_dict"].items():
        assert torch.equal(got["state_dict"][name], value), (name, history)
    for tag in ("train/loss", "val/error"):
        assert curve(chain, tag) == curve(whole, tag), (tag, history)
