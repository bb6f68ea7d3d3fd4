"""Models of the package ``transformers``, from a folder on disk: exactly, or not at all.

``from_pretrained`` fills whatever a file lacks with random numbers and goes on. Here that is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch

from robustvos.errors import CheckpointMismatch
from robustvos.optional import require
from robustvos.perception.weights import Published, find_published
from robustvos.state_dicts import listed

EXTRA = "perception"


class PublishedModel:
    """A plugin's part that loads a published model and its processor, once.

    Attributes:
        weights: The published files.
        processor_class: A class of ``transformers`` that prepares the input.
        model_class: Another, the network.
    """

    weights: ClassVar[Published]
    processor_class: ClassVar[str]
    model_class: ClassVar[str]

    def __init__(self, *arguments: Any, checkpoint: str, device: str, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.checkpoint, self.device = checkpoint, device
        self._model: Any = None
        self._processor: Any = None

    def load(self) -> None:
        """Load the weights, once. Other methods do it if nobody has; call it to fail early.

        Raises:
            MissingExtra: If ``transformers`` is not installed.
            CheckpointNotFound: If the weights are missing.
            CheckpointMismatch: If they do not fit.
        """
        if self._model is None:
            folder = find_published(self.checkpoint, self.weights)
            self._processor = load_processor(self.processor_class, folder)
            self._model = load_model(self.model_class, folder, self.device)


def load_model(class_name: str, folder: Path, device: torch.device | str) -> Any:
    """A frozen model in eval mode and float32.

    Args:
        class_name: A class of ``transformers``.
        folder: With ``config.json`` and ``model.safetensors``; no pickled file is read and no code run from it.
        device: Where the model goes.

    Raises:
        MissingExtra: If ``transformers`` is not installed.
        CheckpointMismatch: If the files cannot be read, weights are missing, superfluous or of another shape, or one is
            not finite.
    """
    loaded = _from_pretrained(
        class_name, folder, use_safetensors=True, output_loading_info=True, trust_remote_code=False
    )
    model, report = loaded
    found = {
        "missing": sorted(report["missing_keys"]),
        "unexpected": sorted(report["unexpected_keys"]),
        "of another shape": sorted(str(entry[0]) for entry in report["mismatched_keys"]),
        "not finite": [key for key, value in model.state_dict().items() if not bool(torch.isfinite(value).all())],
    }
    if any(found.values()):
        raise CheckpointMismatch(
            f"{folder} does not fit {class_name}: {listed(found)}; fetch the published files again"
        )
    return model.float().to(device).eval().requires_grad_(False)


def load_processor(class_name: str, folder: Path) -> Any:
    """What prepares a model's input, from its ``preprocessor_config.json`` and tokenizer files.

    Raises:
        MissingExtra: If ``transformers`` is not installed.
        CheckpointMismatch: If the files cannot be read.
    """
    return _from_pretrained(class_name, folder)


def _from_pretrained(class_name: str, folder: Path, **settings: Any) -> Any:
    kind = getattr(require("transformers", EXTRA), class_name)
    try:
        with _quiet():
            return kind.from_pretrained(str(folder), local_files_only=True, **settings)
    except Exception as error:  # broken JSON, truncated tensors, another architecture: anything
        reason = " ".join(str(error).split())[:200]
        raise CheckpointMismatch(
            f"{folder} cannot be loaded as {class_name} ({type(error).__name__}: {reason}); fetch the published files again"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no list of differences: they become an error's text, or are not there."""
    logs = require("transformers.utils.logging", EXTRA)
    level, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(level)
        if bars:
            logs.enable_progress_bar()
