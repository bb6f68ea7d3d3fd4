"""Load trained tensors: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from robustvos.errors import CheckpointMismatch
from robustvos.state_dicts import differences, listed


def load_tensors(own: Mapping[str, Tensor], state: Mapping[str, Tensor], owner: str) -> None:
    """Copy ``state`` into the tensors of ``own``, if every key and shape agrees and every value is finite.

    Raises:
        CheckpointMismatch: Saying how many keys are missing, unexpected, of another shape or not finite, and which.
    """
    if found := listed(differences(own, state)):
        raise CheckpointMismatch(
            f"the weights do not fit this {owner}: {found}; check the adapter, its rank, layer_norms and the like, and the base"
        )
    with torch.no_grad():
        for name in own:
            own[name].copy_(state[name])


def check_same(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Check that ``state`` is ``own``, value by value: the frozen model in a file is the one at hand.

    Raises:
        CheckpointMismatch: Saying how many keys are missing, unexpected, of another shape or value, and which.
    """
    found = differences(own, state)
    found["of another value"] = [
        name
        for name in own
        if name in state
        and state[name].shape == own[name].shape
        and not torch.equal(state[name].to(own[name]), own[name])
    ]
    if any(found.values()):
        raise CheckpointMismatch(
            f"the SAM 2 in this checkpoint is not the one at hand: {listed(found)}; choose the --sam2 and the weights that it "
            "stands on, or layer_norms that cover what else was trained"
        )
