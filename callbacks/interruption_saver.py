"""A training that is stopped by hand can go on where it was."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L

from callbacks.base import run_folder


class InterruptionSaver(L.Callback):
    """On Ctrl-C end the step at hand, save ``checkpoints/interrupted.ckpt`` and stop; a second one stops at once.

    So no step is done by half or twice, and a run that goes on from there has the losses of one that was never stopped. If
    the step is the last of its epoch, the epoch is ended too, with its validation and its own checkpoint.

    Only in training, and not for several processes, which are not stopped at the same step: otherwise Ctrl-C stops at once,
    and the run goes on from its last checkpoint.

    Attributes:
        saved: What to go on from; None if there is nothing.
    """

    def __init__(self) -> None:
        self.saved: Path | None = None
        self._asked = False
        self._former: Any = None  # handler of the signal
        self._owner = 0  # process that listens
        self._trainer: L.Trainer | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen to Ctrl-C."""
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            self.saved, self._asked = None, False
            self._owner, self._trainer = os.getpid(), trainer
            self._former = signal.signal(signal.SIGINT, self._on_interrupt)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Save, if a stop was asked for; the loader has given no further batch yet."""
        if self._asked and not trainer.is_last_batch:
            self.saved = run_folder(trainer) / "checkpoints" / "interrupted.ckpt"
            trainer.save_checkpoint(self.saved)

    def on_train_batch_start(self, *_: Any) -> None:
        """Stop, now that the step before is logged."""
        if self.saved is not None:
            raise KeyboardInterrupt

    def on_train_epoch_start(self, *_: Any) -> None:
        """Stop between two epochs."""
        if self._asked:
            raise KeyboardInterrupt

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen no longer."""
        self._restore()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Listen no longer; after Ctrl-C Lightning itself lets no other through until the end."""
        if not isinstance(exception, KeyboardInterrupt):
            self._restore()
        elif self.saved is None and trainer.state.fn == "fit":
            last = getattr(trainer.checkpoint_callback, "last_model_path", "")
            self.saved = Path(last) if last else None

    def _on_interrupt(self, *_: Any) -> None:
        if os.getpid() != self._owner:  # a forked worker, which ends with its parent
            return
        if self._asked or self._trainer is None or not self._trainer.training:
            raise KeyboardInterrupt
        self._asked = True
        with suppress(OSError):  # who reads may be gone
            print("\nstopping after this step (Ctrl-C once more: at once)", file=sys.stderr, flush=True)

    def _restore(self) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
            self._former = None
