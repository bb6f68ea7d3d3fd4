"""Find, read and check the published weights of restorers, none of which are shipped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustvos.errors import CheckpointMismatch, CheckpointNotFound

WEIGHTS_VARIABLE = "ROBUSTVOS_WEIGHTS"
_LISTED = 4  # names shown of each kind of difference


def find_weights(checkpoint: str, restorer: str, remedy: str) -> Path:
    """The file that ``checkpoint`` means: a path, or a file name in ``$ROBUSTVOS_WEIGHTS`` or ``./checkpoints``.

    Args:
        checkpoint: Path or file name.
        restorer: For the message.
        remedy: What to fetch, and from where.

    Raises:
        CheckpointNotFound: Saying where it was looked for, what to fetch and where to put it.
    """
    path = Path(checkpoint).expanduser()
    places = [path]
    if path.name == checkpoint:
        if os.environ.get(WEIGHTS_VARIABLE):
            places.append(Path(os.environ[WEIGHTS_VARIABLE]).expanduser() / checkpoint)
        places.append(Path("checkpoints") / checkpoint)
    for place in places:
        if place.is_file():
            return place
    raise CheckpointNotFound(
        f"no weights for {restorer}: looked for {', '.join(map(str, places))}; {remedy}, put it into ./checkpoints/ or "
        f"${WEIGHTS_VARIABLE}, or set the restorer's checkpoint to its path"
    )


def read_weights(path: Path) -> dict[str, Any]:
    """Read a safetensors or torch file without running code from it.

    Raises:
        CheckpointMismatch: If it cannot be read, or holds anything but tensors and plain containers.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointMismatch(
            f"{path} is not a readable checkpoint ({type(error).__name__}): it is truncated, or holds objects other than "
            "tensors, which are not loaded for safety; fetch it again"
        ) from error
    if not isinstance(content, dict) or not content:
        raise CheckpointMismatch(f"{path} holds no state dict; give another file")
    return content


def load_exactly(network: nn.Module, state: Mapping[str, Any], origin: str) -> None:
    """Copy ``state`` into ``network``; every key and shape must agree and every weight be finite.

    Raises:
        CheckpointMismatch: Listing what is missing, superfluous, of another shape or not finite.
    """
    own = network.state_dict()
    shared = {name: value for name, value in state.items() if name in own and isinstance(value, Tensor)}
    problems = {
        "missing": [name for name in own if name not in shared],
        "unexpected": [str(name) for name in state if name not in shared],
        "of another shape": [
            f"{name} {tuple(value.shape)} instead of {tuple(own[name].shape)}"
            for name, value in shared.items()
            if value.shape != own[name].shape
        ],
        "not finite": [name for name, value in shared.items() if not bool(torch.isfinite(value).all())],
    }
    found = [f"{len(names)} {kind} ({_shorten(names)})" for kind, names in problems.items() if names]
    if found:
        raise CheckpointMismatch(f"{origin} does not fit: {'; '.join(found)}; give the published file")
    network.load_state_dict(shared)


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
