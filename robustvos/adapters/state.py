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
    differences = {
        "missing": [name for name in own if name not in state],
        "unexpected": [name for name in state if name not in own],
        "of another shape": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
            for name in shared
            if state[name].shape != own[name].shape
        ],
        "not finite": [name for name in shared if not bool(torch.isfinite(state[name]).all())],
    }
    found = [f"{len(names)} {kind} ({_shorten(names)})" for kind, names in differences.items() if names]
    if found:
        raise CheckpointMismatch(
            f"the weights do not fit this {owner}: {'; '.join(found)}; "
            "check the adapter, its rank and layer_norms, and the base"
        )
    with torch.no_grad():
        for name in own:
            own[name].copy_(state[name])


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
