"""Perception plugins of a run: named in the stages' settings, made once a process.

A choice is ``NAME`` or ``NAME=CHECKPOINT``; names are those of :mod:`robustvos.perception`. What is called ``EMBEDDED`` here
needs no weights and is done by the stages themselves, which know the shot's repaired plate and noise.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustvos.errors import UserError
from robustvos.perception import plugin_class

EMBEDDED: Mapping[str, str] = {
    "detector": "plate_difference",
    "depth": "contact_order",
    "points": "lucas_kanade",
    "matte": "closed_form",
}
"""Kind to the name of what is used where nothing else is chosen."""


@lru_cache
def plugin(kind: str, choice: str) -> Any:
    """The chosen plugin, its weights loaded; None for the embedded one.

    Args:
        kind: ``detector``, ``depth``, ``points`` or ``matte``.
        choice: ``NAME`` or ``NAME=CHECKPOINT``: ``auto``, a path, or ``hf://OWNER/NAME``, which fetches.

    Raises:
        UnknownName: If there is no such plugin.
        UserError: If it takes no checkpoint, or cannot be used here.
        CheckpointNotFound: If its weights are missing; names the files, their size, licence and place.
    """
    name, _, checkpoint = choice.partition("=")
    made = plugin_class(kind, name)
    if checkpoint and "checkpoint" not in inspect.signature(made).parameters:
        raise UserError(f"--{kind} {choice}: {name} has no weights; give --{kind} {name}")
    if name == EMBEDDED[kind]:
        return None
    found = made(checkpoint=checkpoint) if checkpoint else made()
    if hasattr(found, "load"):
        found.load()
    return found


def to_tensor(picture: np.ndarray) -> Tensor:
    """``(H, W, 3)`` uint8 as ``(3, H, W)``."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)


class Pictures(Sequence[Tensor]):
    """Pictures ``(H, W, 3)`` as plugins take frames: ``(3, H, W)`` each."""

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return to_tensor(self._pictures[index])

    def __iter__(self) -> Iterator[Tensor]:
        return (to_tensor(picture) for picture in self._pictures)
