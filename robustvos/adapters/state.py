"""Load trained tensors: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from robustvos.errors import CheckpointMismatch

_LISTED = 3  # names shown of each kind of difference


def load_tensors(own: Mapping[str, Tensor], state: Mapping[str, Tensor], owner: str) -> None:
    """Copy ``state`` into the tensors of ``own``, if every key and shape agrees and every value is finite.

    Raises:
        CheckpointMismatch: Saying how many keys are missing, unexpected, of another shape or not finite, and which.
    """
    shared = [name for name in own if name in state]
    differences = _differences(own, state)
    differences["not finite"] = [name for name in shared if not bool(torch.isfinite(state[name]).all())]
    if found := _listed(differences):
        raise CheckpointMismatch(
            f"the weights do not fit this {owner}: {found}; check the adapter, its rank and layer_norms, and the base"
        )
    with torch.no_grad():
        for name in own:
            own[name].copy_(state[name])


def check_same(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Check that ``state`` is ``own``, value by value: the frozen model in a file is the one at hand.

    Raises:
        CheckpointMismatch: Saying how many keys are missing, unexpected, of another shape or value, and which.
    """
    differences = _differences(own, state)
    differences["of another value"] = [
        name
        for name in own
        if name in state
        and state[name].shape == own[name].shape
        and not torch.equal(state[name].to(own[name]), own[name])
    ]
    if found := _listed(differences):
        raise CheckpointMismatch(
            f"the SAM 2 in this checkpoint is not the one at hand: {found}; choose the --sam2 and the weights that it stands "
            "on, or layer_norms that cover what else was trained"
        )


def _differences(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, list[str]]:
    return {
        "missing": [name for name in own if name not in state],
        "unexpected": [name for name in state if name not in own],
        "of another shape": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
            for name in own
            if name in state and state[name].shape != own[name].shape
        ],
    }


def _listed(differences: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{len(names)} {kind} ({_shorten(names)})" for kind, names in differences.items() if names)


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
