"""How much of an object is hidden, in the words of TABE-51's ``annos.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from robustvos.errors import DataNotFound

LEVELS = ("NO_OCCLUSION", "SLIGHT_OCCLUSION", "SEVERE_OCCLUSION", "NONE")
NO_MORE_THAN = 0.005
SEVERE_FROM = 0.5


@dataclass(frozen=True)
class FrameOcclusion:
    """How hidden the object is in one frame.

    Attributes:
        level: One of :data:`LEVELS`; ``NONE`` where the object leaves the frame, so that no fraction can be given.
        amount: Hidden part of the object in [0, 1]; None if unknown.
    """

    level: str
    amount: float | None = None

    @classmethod
    def parse(cls, entry: Any, where: str) -> FrameOcclusion:
        """Read an entry ``{"level": ..., "amount": ...}``, or a bare level; ``where`` names it in messages.

        Raises:
            DataNotFound: If there is no known level.
        """
        level = entry.get("level") if isinstance(entry, Mapping) else entry
        if level not in LEVELS:
            raise DataNotFound(f"{where} has the occlusion level {level!r}; expected one of {', '.join(LEVELS)}")
        amount = entry.get("amount") if isinstance(entry, Mapping) else None
        # Frames without the object come out of TABE-51's own scripts as NaN.
        return cls(level, None if amount is None or math.isnan(amount) else float(amount))


def occlusion_of(modal: Tensor, amodal: Tensor) -> FrameOcclusion:
    """The level that follows from two bool masks of equal shape.

    >>> import torch
    >>> whole = torch.ones(2, 2, dtype=torch.bool)
    >>> occlusion_of(whole.triu(), whole)
    FrameOcclusion(level='SLIGHT_OCCLUSION', amount=0.25)

    Source: the thresholds of TABE-51; an object out of the frame is ``NONE``.
    """
    whole = int(amodal.sum())
    if whole == 0:
        return FrameOcclusion("NONE")
    amount = int((amodal & ~modal).sum()) / whole
    if amount <= NO_MORE_THAN:
        return FrameOcclusion("NO_OCCLUSION", amount)
    return FrameOcclusion("SLIGHT_OCCLUSION" if amount < SEVERE_FROM else "SEVERE_OCCLUSION", amount)
