"""What is said and noted when a loop has ended."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from callbacks.checkpoints import last_checkpoint
from robustvos.commands.messages import next_step
from robustvos.evaluation.memory import peak_memory
from robustvos.files.atomic import atomic_write_text


def say_trained(model: Any, trainer: Any) -> None:
    """Note what was trained, and print the command that tests it."""
    model.print(next_step(note_trained(trainer), not model.has_trained, trainer.callback_metrics))


def exit_if_videos_failed(model: Any) -> None:
    """End with exit code 1 where a test has finished without some of its videos, which its last lines name."""
    if any(result.failure for result in model.results):
        raise SystemExit(1)


def note_trained(trainer: Any) -> str:
    """Leave ``trained.json`` in the folder of a run that was trained to its end; returns its last checkpoint, or nothing.

    :mod:`robustvos.commands.experiment` reads it, so that what is trained is not trained again. A run that was resumed at
    its end has nothing to do and leaves no checkpoint of its own: the note goes beside the one it was given.
    """
    last = last_checkpoint(trainer)
    by_epochs = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch
    by_steps = 0 <= trainer.max_steps <= trainer.global_step
    if last and trainer.is_global_zero and trainer.state.finished and (by_epochs or by_steps):
        content = {"checkpoint": last, "command": shlex.join(sys.argv[1:]), "memory_mib": peak_memory()}
        atomic_write_text(Path(last).parent.parent / "trained.json", json.dumps(content))
    return last
