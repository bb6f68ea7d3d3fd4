"""State dicts, whoever reads them: without running code from a file, and exactly or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robustvos.errors import CheckpointMismatch

_LISTED = 4  # names shown of each kind of difference


def read_checkpoint(path: Path) -> Any:
    """Read a torch file without running code from it, onto the CPU.

    Raises:
        CheckpointMismatch: If it is truncated, or holds anything but tensors and plain containers.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointMismatch(
            f"{path} is not a readable checkpoint ({type(error).__name__}): it is truncated, or holds objects other than "
            "tensors, which are not loaded for safety; fetch it again"
        ) from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file onto the CPU.

    Raises:
        CheckpointMismatch: If it cannot be read.
    """
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:
        raise CheckpointMismatch(f"{path} is not a readable safetensors file ({error}); fetch it again") from error


def differences(own: Mapping[str, Tensor], state: Mapping[Any, Any]) -> dict[str, list[str]]:
    """What keeps ``state`` from being copied into ``own``: kind of difference to names; all lists empty if nothing does.

    >>> differences({"a": torch.zeros(2), "b": torch.zeros(1)}, {"a": torch.zeros(3), "c": torch.ones(1)})
    {'missing': ['b'], 'unexpected': ['c'], 'of another shape': ['a (3,) instead of (2,)'], 'not finite': []}
    """
    shared = {name: state[name] for name in own if isinstance(state.get(name), Tensor)}
    return {
        "missing": [name for name in own if name not in shared],
        "unexpected": [str(name) for name in state if name not in shared],
        "of another shape": [
            f"{name} {tuple(value.shape)} instead of {tuple(own[name].shape)}"
            for name, value in shared.items()
            if value.shape != own[name].shape
        ],
        "not finite": [name for name, value in shared.items() if not bool(torch.isfinite(value).all())],
    }


def listed(found: Mapping[str, list[str]]) -> str:
    """Differences in words, the first names of each kind; empty if there are none.

    >>> listed({"missing": ["a", "b"], "unexpected": []})
    '2 missing (a, b)'
    """
    return "; ".join(
        f"{len(names)} {kind} ({', '.join(names[:_LISTED])}{', ...' if len(names) > _LISTED else ''})"
        for kind, names in found.items()
        if names
    )
