"""Find, read and check the published weights of restorers, none of which are shipped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from robustvos.errors import CheckpointMismatch, CheckpointNotFound
from robustvos.state_dicts import differences, listed, read_checkpoint, read_safetensors

WEIGHTS_VARIABLE = "ROBUSTVOS_WEIGHTS"


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
    content = read_safetensors(path) if path.suffix == ".safetensors" else read_checkpoint(path)
    if not isinstance(content, dict) or not content:
        raise CheckpointMismatch(f"{path} holds no state dict; give another file")
    return content


def load_exactly(network: nn.Module, state: Mapping[str, Any], origin: str) -> None:
    """Copy ``state`` into ``network``; every key and shape must agree and every weight be finite.

    Raises:
        CheckpointMismatch: Listing what is missing, superfluous, of another shape or not finite.
    """
    if found := listed(differences(network.state_dict(), state)):
        raise CheckpointMismatch(f"{origin} does not fit: {found}; give the published file")
    network.load_state_dict(dict(state))
