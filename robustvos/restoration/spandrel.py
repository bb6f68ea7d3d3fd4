"""Any restoration network that the package ``spandrel`` knows, from a state-dict file."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from robustvos.errors import CheckpointMismatch
from robustvos.optional import require
from robustvos.restoration.base import Restorer
from robustvos.restoration.weights import find_weights, read_weights
from robustvos.state_dicts import listed

_REMEDY = (
    "fetch the weights of a network that restores at the same size, e.g. one that https://github.com/chaiNNer-org/spandrel "
    "lists"
)


class Spandrel(Restorer):
    """NAFNet, SCUNet, SwinIR, ...: ``spandrel`` recognises the network by its weights. Needs the extra ``restoration``.

    Args:
        checkpoint: Path, or name of a file in ``$ROBUSTVOS_WEIGHTS`` or ``./checkpoints``.

    Raises:
        MissingExtra: If ``spandrel`` is not installed.
        CheckpointNotFound: If there is no file; it is read at once, because it says which network this is.
        CheckpointMismatch: If it cannot be read, its network is unknown, or does not turn an RGB image into one of the
            same size; or a weight is not finite.
    """

    def __init__(self, checkpoint: str = "restorer.pth") -> None:
        super().__init__()
        spandrel = require("spandrel", "restoration")
        path = find_weights(checkpoint, "Spandrel", _REMEDY)
        with suppress(ImportError):  # Restormer, MPRNet and others, whose licences are not for all uses
            import spandrel_extra_arches

            spandrel_extra_arches.install(ignore_duplicates=True)
        state = spandrel.canonicalize_state_dict(read_weights(path))
        try:
            model: Any = spandrel.ModelLoader().load_from_state_dict(state)
        except Exception as error:  # of the network that was recognised: anything
            raise CheckpointMismatch(
                f"{path}: spandrel {spandrel.__version__} knows no such network ({type(error).__name__}); give another file, "
                "or, for Restormer, MPRNet and a few others, `pip install spandrel-extra-arches`"
            ) from error
        restores = isinstance(model, spandrel.ImageModelDescriptor) and model.scale == 1
        if not restores or (model.input_channels, model.output_channels) != (3, 3):
            raise CheckpointMismatch(
                f"{path} holds {model.architecture.name} ({model.purpose}, {model.input_channels} to {model.output_channels} "
                f"channels, scale {model.scale}), but frames need RGB to RGB at scale 1; give another file"
            )
        broken = [key for key, value in model.model.state_dict().items() if not bool(torch.isfinite(value).all())]
        if broken:
            raise CheckpointMismatch(f"{path} does not fit: {listed({'not finite': broken})}; fetch it again")
        self.checkpoint = checkpoint
        self.network = model.model
        self._run = model  # pads to the sides that the network needs, and crops back

    def enhance(self, images: Tensor) -> Tensor:
        """Run the network."""
        restored: Tensor = self._run(images)
        return restored
