"""How far a loop is, for logs: a line a minute instead of every redraw of a bar."""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning as L

from robustvos.progress import MINUTE_S, is_watched


class MinuteLines(L.Callback):
    """Print where training or evaluation is, once a minute; for output that no person watches.

    Args:
        every_s: Seconds between lines.
    """

    def __init__(self, every_s: float = MINUTE_S) -> None:
        self.every_s = every_s
        self._begun = self._printed = time.monotonic()

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Count time from here."""
        self._begun = self._printed = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Epoch, batch and loss."""
        epochs = f" of {trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        loss = trainer.callback_metrics.get("train/loss")
        shown = "" if loss is None else f", loss {float(loss):.4g}"
        batches = _of(batch_idx + 1, trainer.num_training_batches)
        self._tell(trainer, f"fit: epoch {trainer.current_epoch + 1}{epochs}, batch {batches}{shown}")

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Which clip, inside of a training or alone."""
        self._tell(trainer, f"validate: clip {_of(batch_idx + 1, trainer.num_val_batches)}")

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Which clip."""
        self._tell(trainer, f"test: clip {_of(batch_idx + 1, trainer.num_test_batches)}")

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Which clip."""
        self._tell(trainer, f"predict: clip {_of(batch_idx + 1, trainer.num_predict_batches)}")

    def _tell(self, trainer: L.Trainer, text: str) -> None:
        now = time.monotonic()
        if trainer.is_global_zero and not is_watched(sys.stdout) and now - self._printed >= self.every_s:
            self._printed = now
            print(f"{text}, {(now - self._begun) / 60:.0f} min", flush=True)


def _of(done: int, total: Any) -> str:
    """``3 of 90``; of loaders that do not say how many there are, ``3``."""
    count = total[0] if isinstance(total, list) and total else total
    known = isinstance(count, int | float) and count != float("inf") and count
    return f"{done} of {int(count)}" if known else str(done)
