"""Go on from a checkpoint exactly where the run was, wherever that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L


class ExactResumption(L.Callback):
    """Bring the progress that a checkpoint holds into one of three plain forms, from which Lightning goes on exactly.

    Lightning stores how far its loops were, down to the hook that saved, and takes some of these places wrongly: resumed
    from the last step of an epoch it miscounts epochs, which poisons every later checkpoint; resumed from within a step it
    passes over a batch. See :func:`settle`.
    """

    def __init__(self) -> None:
        self._resumed = False

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Settle the progress before Lightning takes it over."""
        if trainer.state.fn == "fit" and "loops" in checkpoint:
            settle(checkpoint["loops"]["fit_loop"], checkpoint["global_step"])
            self._resumed = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """What the stored progress of the loops does not say."""
        if not self._resumed:
            return
        self._resumed = False
        loop, fetcher = trainer.fit_loop.epoch_loop, trainer.fit_loop._data_fetcher
        assert fetcher is not None  # the loaders are there when training starts
        if loop.batch_progress.current.ready == 0:
            loop.restarting = False  # a new epoch; with max_steps, Lightning would take it for one that is going on
        elif loop._should_check_val_fx(fetcher):
            # Lightning passes through the end of the last step once more, and counts it: to validate, if that is pending.
            loop._batches_that_stepped -= 1


def settle(loops: dict[str, Any], global_step: int) -> None:
    """Rewrite the stored progress of Lightning's fit loop as one of these, in place.

    - *Between two steps* of an epoch: every batch whose step was done has ended, and the next one was not fetched.
    - *Before the validation* at the end of an epoch: all its batches have ended, no video was validated.
    - *Between two epochs*: the former has ended, with its validation; the next has not begun.

    Args:
        loops: ``checkpoint["loops"]["fit_loop"]``.
        global_step: Steps of the optimiser that the checkpoint holds.
    """
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    videos = loops["epoch_loop.val_loop.batch_progress"]
    current = epochs["current"]
    begun, ended = current["started"], current["processed"]
    validated = batches["current"]["completed"] == batches["current"]["processed"] and videos["is_last_batch"]
    all_batches = batches["is_last_batch"] and batches["current"]["processed"] == batches["current"]["ready"]
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] = global_step
    for progress in (batches["total"], batches["current"]):
        _level(progress, progress["processed"])
    if begun == ended:
        for progress in (epochs["total"], epochs["current"]):
            _level(progress, progress["processed"])
        _level(batches["current"], 0)
        batches["is_last_batch"] = False
        loops["state_dict"].pop("combined_loader", None)
        return
    batches["is_last_batch"] = all_batches
    for state in loops["state_dict"].get("combined_loader", []):
        if isinstance(state, dict) and "batches" in state:
            state["batches"] = batches["current"]["processed"]
    if all_batches and not validated:
        videos["is_last_batch"] = False
        for progress in (videos["total"], videos["current"]):
            _level(progress, 0)
        videos["total"] |= {"ready": 1, "started": 1}  # what Lightning takes for a validation that was broken off


def _level(progress: dict[str, int], count: int) -> None:
    """All of an event's counters at one number: nothing is under way."""
    progress |= dict.fromkeys(("ready", "started", "processed", "completed"), count)


def is_between_epochs(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a checkpoint of a training was saved when no epoch was under way."""
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
    return epochs["started"] == epochs["processed"]
