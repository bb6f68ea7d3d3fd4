"""The first mask, on every frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustvos.systems.completion.base import Completion, Mask


class RepeatQuery(Completion):
    """The object stays where it was first seen."""

    def __init__(self) -> None:
        self.first: Mask | None = None

    def fresh(self) -> Completion:
        """See :class:`Completion`."""
        return RepeatQuery()

    def complete(self, frame: NDArray[np.uint8], seen: Mask) -> Mask:
        """See :class:`Completion`."""
        if self.first is None and seen.any():
            self.first = seen.copy()
        return seen if self.first is None else self.first
