"""config.yaml: every setting of a run, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import lightning as L
import yaml
from lightning.pytorch.cli import SaveConfigCallback

from callbacks.base import run_folder
from callbacks.same_settings import compare_course, course_of
from robustvos.files.atomic import atomic_write_text


class ConfigWriter(SaveConfigCallback):
    """Lightning's own writer, but that a full disk leaves no empty file behind and its error is one that says what to do.

    Checkpoints hold the settings that decide the course of a training, so that a resumed one can be compared with them.

    Args:
        parser: Lightning's.
        config: All settings of the run.
        identity: Given these settings in plain values and the loop's name, what decides the figures of the run; kept as
            ``identity.json``. None: nothing is kept.
        arguments: Of Lightning's own writer.
    """

    def __init__(
        self,
        parser: Any,
        config: Any,
        *,
        identity: Callable[[dict[str, Any], str], dict[str, Any]] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(parser, config, **arguments)
        self._identity = identity

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Agree on the run's folder while all processes are here."""
        self.save_to_log_dir = False
        run_folder(trainer)
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Write it; the first process alone is asked."""
        if self.config.get("resume"):  # the test that goes on has left them
            return
        text = self._text()
        atomic_write_text(run_folder(trainer) / self.config_filename, text)
        if self._identity is not None and trainer.state.fn is not None:
            identity = self._identity(yaml.safe_load(text), trainer.state.fn.value)
            atomic_write_text(run_folder(trainer) / "identity.json", json.dumps(identity, indent=1))

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the settings with the weights."""
        checkpoint["course"] = course_of(yaml.safe_load(self._text()))

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Compare, where a training goes on."""
        if trainer.state.fn == "fit" and trainer.is_global_zero:
            compare_course(checkpoint, course_of(yaml.safe_load(self._text())))

    def _text(self) -> str:
        return self.parser.dump(self.config, skip_none=False)
