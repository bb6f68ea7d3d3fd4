"""ImageNet weights for the trunk of a base that is about to be trained: timm's own, or those of a file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from robustvos.errors import CheckpointMismatch, CheckpointNotFound, UserError
from robustvos.sam2.checkpoints import read_state
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.timm_trunk import TimmTrunk

FROM_TIMM = "timm"


def load_trunk_weights(model: nn.Module, config: Sam2Config) -> None:
    """Fill the trunk of ``model`` with the weights that ``config.trunk_weights`` names; None leaves it as it is.

    A file may hold timm's names, or those of another implementation of the same network whose tensors come in the same
    order, as torchvision's does; what it has besides, a classifier say, is left out.

    Raises:
        UserError: If the base is not about to be trained from random weights, or its trunk is none of timm's.
        CheckpointNotFound: If the file is not there, or timm cannot fetch its own.
        CheckpointMismatch: If the tensors are those of another network.
    """
    if config.trunk_weights is None:
        return
    trunk = model.get_submodule("image_encoder.trunk")
    if config.checkpoint != "random" or not isinstance(trunk, TimmTrunk):
        raise UserError(
            f"trunk_weights are for training a base with a timm trunk from checkpoint random, not for '{config.variant}' with "
            f"checkpoint '{config.checkpoint}'; leave them out"
        )
    if config.trunk_weights == FROM_TIMM:
        state, origin = _fetched(trunk), "timm's own"
    else:
        path = Path(config.trunk_weights).expanduser()
        if not path.is_file():
            raise CheckpointNotFound(f"no trunk weights at '{path}'; give a file, or 'timm' to fetch timm's own")
        state, origin = read_state(path), str(path)
    trunk.body.load_state_dict(matched(trunk.body.state_dict(), state, origin))


def matched(own: dict[str, Tensor], state: dict[str, Tensor], origin: str) -> dict[str, Tensor]:
    """``state`` under the names of ``own``: by name, else in order.

    Args:
        own: Of the trunk.
        state: What was read.
        origin: Of what was read, for messages.

    Raises:
        CheckpointMismatch: If names differ, and shapes in order too.

    >>> import torch
    >>> found = matched({"stem": torch.zeros(2)}, {"features.0": torch.ones(2), "classifier": torch.ones(3)}, "a file")
    >>> {name: value.tolist() for name, value in found.items()}
    {'stem': [1.0, 1.0]}
    """
    named = own.keys() <= state.keys()
    found = {name: state[name] for name in own} if named else dict(zip(own, state.values(), strict=False))
    wrong = next((name for name in own if name not in found or found[name].shape != own[name].shape), None)
    if wrong is not None:
        seen = f"has {tuple(found[wrong].shape)}" if wrong in found else "ends"
        raise CheckpointMismatch(
            f"{origin} holds the weights of another network: where '{wrong}' of shape {tuple(own[wrong].shape)} is expected it "
            f"{seen}; give weights of this trunk"
        )
    return found


def _fetched(trunk: TimmTrunk) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = TimmTrunk(trunk.name, trunk.image_size, pretrained=True).body.state_dict()
        return state
    except Exception as error:  # of whatever kind the network or the Hub raises
        reason = " ".join(str(error).split())[:120]
        raise CheckpointNotFound(
            f"timm could not fetch its weights of '{trunk.name}' ({type(error).__name__}: {reason}); give a file with "
            "--sam2.trunk_weights"
        ) from error
