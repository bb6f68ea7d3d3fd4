"""A training that is stopped by a signal can go on exactly where it was."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from callbacks.base import run_folder
from callbacks.checkpoints import last_checkpoint
from robustvos.termination import SIGNALS, Stopped


class InterruptionSaver(L.Callback):
    """On Ctrl-C, SIGTERM or SIGUSR1 end the step at hand, save ``checkpoints/interrupted.ckpt`` and stop.

    So no step is done by half or twice, and a run that goes on from there has the losses of one that was never stopped. If
    the step is the last of its epoch, what was saved before the validation, or at the end of the epoch, serves instead.
    With several processes all stop at the same step, whichever of them was asked. A second Ctrl-C stops at once; so does any
    of the signals outside of training steps.

    Attributes:
        saved: What to go on from; None if there is nothing.
        was_testing: Whether a test was stopped, which can go on by itself.
        is_helper: Whether this process was started by another of the same run, which speaks for all of them.
    """

    def __init__(self) -> None:
        self.saved: Path | None = None
        self.was_testing = False
        self.is_helper = False
        self._asked: int | None = None  # the signal
        self._former: dict[int, Any] = {}  # handlers of the signals
        self._owner = 0  # process that listens
        self._trainer: L.Trainer | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen in place of Lightning, whose handlers end in exit code 0, or save in the middle of a step."""
        self.saved, self._asked = None, None
        self._listen(trainer)
        # Before all others: a step that any of them has begun is done before the run stops.
        trainer.callbacks = [self, *(callback for callback in trainer.callbacks if callback is not self)]

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen, in ``validate``; training listens already."""
        self._listen(trainer)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen."""
        self._listen(trainer)

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen."""
        self._listen(trainer)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop between two steps of the optimiser, if a stop was asked for; the step before is logged by now."""
        if batch_idx % trainer.accumulate_grad_batches or not self._agreed(trainer):
            return
        if batch_idx:  # before the first batch, the end of the epoch before has been saved
            self.saved = run_folder(trainer) / "checkpoints" / "interrupted.ckpt"
            for logger in trainer.loggers:
                logger.save()
            trainer.save_checkpoint(self.saved)
        raise self._stop()

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop after an epoch's last step, now that the checkpoint which precedes the validation is there."""
        if (
            trainer.state.fn == "fit"
            and not trainer.sanity_checking
            and trainer.is_last_batch
            and trainer.global_step != trainer.max_steps
            and self._agreed(trainer)
        ):
            raise self._stop()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop between two epochs."""
        if self._agreed(trainer):
            raise self._stop()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen no longer."""
        self._restore()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Listen no longer after a test, a validation or a prediction either."""
        self._restore()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Remember what to go on from; listen no longer, except after Ctrl-C, where Lightning lets no other through."""
        environment = getattr(trainer.strategy, "cluster_environment", None)
        self.is_helper = isinstance(environment, LightningEnvironment) and trainer.local_rank != 0
        if not isinstance(exception, KeyboardInterrupt):
            self._restore()
        self.was_testing = trainer.state.fn == "test"
        if self.saved is None and trainer.state.fn == "fit":
            last = last_checkpoint(trainer)
            self.saved = Path(last) if last else None

    def _agreed(self, trainer: L.Trainer) -> bool:
        """Whether any process was asked to stop; all processes must ask together."""
        asked = self._asked is not None
        if trainer.world_size > 1:
            asked = bool(trainer.strategy.reduce_boolean_decision(asked, all=False))
        if asked and self._asked is None:
            self._asked = signal.SIGTERM
        return asked

    def _stop(self) -> BaseException:
        return KeyboardInterrupt() if self._asked in (None, signal.SIGINT) else Stopped(self._asked)

    def _on_signal(self, signum: int, *_: Any) -> None:
        if os.getpid() != self._owner:  # a forked worker, which ends with its parent
            if signum == signal.SIGINT:
                return
            os._exit(128 + signum)
        trainer = self._trainer
        if signum != signal.SIGINT and trainer is not None and self._asked is None:  # Ctrl-C reaches all by itself
            launcher = trainer.strategy.launcher
            if isinstance(launcher, _SubprocessScriptLauncher):
                launcher.kill(signum)  # type: ignore[arg-type]
        if trainer is None or not trainer.training:
            self._asked = signum
            raise self._stop()
        if self._asked is not None:
            if signum == signal.SIGINT:
                self._asked = signum
                raise KeyboardInterrupt
            return  # clusters send some signals twice
        self._asked = signum
        if trainer.is_global_zero:
            again = " (Ctrl-C once more: at once)" if signum == signal.SIGINT else ""
            with suppress(OSError):  # who reads may be gone
                print(f"\nstopping after this step{again}", file=sys.stderr, flush=True)

    def _listen(self, trainer: L.Trainer) -> None:
        if self._former or threading.current_thread() is not threading.main_thread():
            return
        self._owner, self._trainer = os.getpid(), trainer
        self._former = {signum: signal.signal(signum, self._on_signal) for signum in (signal.SIGINT, *SIGNALS)}

    def _restore(self) -> None:
        former, self._former = self._former, {}
        for signum, handler in former.items():
            signal.signal(signum, handler)
