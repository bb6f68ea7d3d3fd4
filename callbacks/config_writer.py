"""config.yaml: every setting of a run, whole or not at all."""

from __future__ import annotations

import lightning as L
from lightning.pytorch.cli import SaveConfigCallback

from callbacks.base import run_folder
from robustvos.video.atomic import atomic_write_text


class ConfigWriter(SaveConfigCallback):
    """Lightning's own writer, but that a full disk leaves no empty file behind and its error is one that says what to do."""

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Agree on the run's folder while all processes are here."""
        self.save_to_log_dir = False
        run_folder(trainer)
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Write it; the first process alone is asked."""
        atomic_write_text(run_folder(trainer) / self.config_filename, self.parser.dump(self.config, skip_none=False))
