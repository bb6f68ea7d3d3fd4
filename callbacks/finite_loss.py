"""A training whose loss is not a number any more ends at once, and leaves its last good checkpoint alone."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from callbacks.checkpoints import last_checkpoint
from robustvos.errors import NotFinite


class FiniteLoss(L.Callback):
    """Stop before the step of a loss that is not finite; never save weights that are not.

    Raises:
        NotFinite: In the run, on all processes alike; it names the step and the last good checkpoint.
    """

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        """Look at the loss of every batch, of all processes."""
        finite = bool(torch.isfinite(loss.detach()).all())
        if trainer.world_size > 1:
            finite = bool(trainer.strategy.reduce_boolean_decision(finite, all=True))
        if not finite:
            raise NotFinite(
                f"the loss is {float(loss.detach().mean()):g} at step {trainer.global_step} (epoch {trainer.current_epoch}, "
                f"batch {trainer.fit_loop.batch_idx}); {_remedy(trainer)}"
            )

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse to save weights that are not finite: of gradients that were not, though the loss was."""
        for name, value in checkpoint["state_dict"].items():
            if isinstance(value, Tensor) and value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise NotFinite(f"the weight {name} is not finite after step {trainer.global_step}; {_remedy(trainer)}")


def _remedy(trainer: L.Trainer) -> str:
    last = last_checkpoint(trainer)
    good = f"the last good checkpoint is {last}" if last else "there is no checkpoint before it"
    return f"{good}; lower --recipe.optimisation.learning_rate, or set --trainer.precision 32"
