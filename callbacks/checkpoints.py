"""When a training is saved: between two steps or two epochs, and before every validation that ends an epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from robustvos.files.paths import lies_in


class Checkpoints(ModelCheckpoint):
    """Lightning's checkpoints, taken where a run can go on exactly, and at the end of every epoch whatever validation does.

    Lightning saves in the middle of things: after a step but before it is logged, counted and validated. Here what is due
    after a step is saved when the next one is about to begin, or when the epoch ends; no gradients are half accumulated
    then. ``last.ckpt`` is also written before the validation at the end of an epoch, which may fail or be killed, and then
    once more, at the end of every epoch. :class:`callbacks.ExactResumption` goes on from each of these places.

    What was logged is flushed before each checkpoint, so that the curve of a killed run reaches up to it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._step_ended = False

    @property
    def state_key(self) -> str:
        """As Lightning's own, so that checkpoints of either are read by the other."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Have steps saved before any other callback takes notice of the next one."""
        super().on_train_start(trainer, pl_module)
        others = [callback for callback in trainer.callbacks if not isinstance(callback, _BeforeOthers)]
        trainer.callbacks = [_BeforeOthers(self), *others]  # Lightning puts checkpoints last

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Remember that a step may be saved."""
        self._step_ended = not trainer.fit_loop._should_accumulate()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save ``last.ckpt`` before an epoch is validated."""
        if (
            self.save_last is True
            and trainer.state.fn == "fit"
            and not (trainer.sanity_checking or trainer.fast_dev_run)
            and trainer.is_last_batch
            and trainer.global_step != trainer.max_steps  # a run that has all its steps could not go on with validation
        ):
            before = self._last_global_step_saved
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))
            self._last_global_step_saved = before  # the end of the epoch is yet to be saved

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the epoch: by Lightning's rules, and ``last.ckpt`` in any case."""
        self.save_step(trainer, pl_module)
        super().on_train_epoch_end(trainer, pl_module)
        if self._last_global_step_saved != trainer.global_step and not trainer.fast_dev_run:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def save_step(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the step that was done last, if it is time and it was not saved yet."""
        if self._step_ended:
            self._step_ended = False
            super().on_train_batch_end(trainer, pl_module, None, None, 0)

    def _should_save_on_train_epoch_end(self, trainer: L.Trainer) -> bool:
        """Without a metric to wait for, whether and when there is a validation does not matter."""
        if self.monitor is None and self._save_on_train_epoch_end is None:
            return True
        return super()._should_save_on_train_epoch_end(trainer)

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        for logger in trainer.loggers:
            logger.save()
        super()._save_checkpoint(trainer, filepath)


class _BeforeOthers(L.Callback):
    """Saves the step before, as the next one begins."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """The first to be called."""
        self.checkpoints.save_step(trainer, pl_module)


def last_checkpoint(trainer: L.Trainer) -> str:
    """What this run saved last, else what it was given; a checkpoint also tells of the last one of the run that left it.

    Other callbacks may save checkpoints too, the best ones by a figure for instance, and need not keep the last one.
    """
    for attribute in ("last_model_path", "best_model_path"):
        for callback in trainer.checkpoint_callbacks:
            saved, folder = str(getattr(callback, attribute, "") or ""), getattr(callback, "dirpath", None)
            if saved and folder and Path(saved).is_file() and lies_in(saved, str(folder)):
                return saved
    return str(trainer.ckpt_path or getattr(trainer.checkpoint_callback, "last_model_path", "") or "")
