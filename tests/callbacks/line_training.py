"""A training of a linear layer, for a fork of the process: real loops, loaders, checkpoints, logs and signals, no imports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import nn

from callbacks import Checkpoints, ExactResumption, FiniteLoss, InterruptionSaver
from lightning_modules import AtomicCheckpointIO, RunLogger
from lightning_modules.optimisation import Optimisation, adamw_with_cosine
from robustvos.commands.messages import saying_how_to_go_on
from robustvos.datasets.resumable import ResumableLoader
from robustvos.seeding import generator

BATCHES = 4


class Line(L.LightningModule):
    """Learns a plane from numbers that depend on the epoch; its steps draw numbers too."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layer = nn.Linear(3, 1)

    def configure_optimizers(self):
        steps = int(self.trainer.estimated_stepping_batches)
        self.trainer.fit_loop._combined_loader = None
        return adamw_with_cosine(self.parameters(), Optimisation(learning_rate=0.1, warmup_steps=2), steps)

    def training_step(self, batch, batch_idx):
        torch.manual_seed(self.trainer.fit_loop.total_batch_idx)
        loss = (self.layer(batch + 0.1 * torch.randn_like(batch)) - batch.sum(-1, keepdim=True)).square().mean()
        self.log("train/loss", loss.detach())
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/error", (self.layer(batch) - batch.sum(-1, keepdim=True)).abs().mean(), batch_size=2)


class Numbers(L.LightningDataModule):
    """Batches that no other epoch has."""

    def train_dataloader(self):
        data = torch.randn(2 * BATCHES, 3, generator=generator("train", self.trainer.current_epoch))
        return ResumableLoader(data, batch_size=2)

    def val_dataloader(self):
        return torch.utils.data.DataLoader(torch.randn(4, 3, generator=generator("val")), batch_size=2)


class Fate(L.Callback):
    """Sends this process a signal when a hook is called for the ``number``-th time."""

    def __init__(self, hook: str, number: int, signum: int) -> None:
        self.number, self.signum = number, signum
        setattr(self, hook, self.strike)

    def strike(self, *_: Any) -> None:
        self.number -= 1
        if self.number == 0:
            os.kill(os.getpid(), self.signum)


def train(
    folder: Path,
    more: list[L.Callback],
    every_n_train_steps: int | None = None,
    model: Line | None = None,
    **settings: Any,
) -> None:
    """A training in ``folder``, from the newest checkpoint that is there."""
    saver = InterruptionSaver()
    always = [
        saver,
        FiniteLoss(),
        ExactResumption(),
        Checkpoints(save_last=True, every_n_train_steps=every_n_train_steps),
    ]
    trainer = L.Trainer(
        **settings,
        accelerator="cpu",
        logger=RunLogger(str(folder), "run", default_hp_metric=False),
        plugins=[AtomicCheckpointIO()],
        callbacks=[*more, *always],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    saved = newest(folder / "run", "last.ckpt", "interrupted.ckpt")
    with saying_how_to_go_on(saver):
        trainer.fit(model or Line(), Numbers(), ckpt_path=saved)


def newest(run: Path, *names: str) -> Path | None:
    found = [path for name in names for path in run.glob(f"version_*/checkpoints/{name}")]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
