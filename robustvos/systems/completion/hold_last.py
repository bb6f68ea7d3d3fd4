"""The last whole mask, held where it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustvos.systems.completion.base import Mask, WholeMemory


class HoldLast(WholeMemory):
    """An occluded object stays where it was last seen whole."""

    def place(self, frame: NDArray[np.uint8], seen: Mask, whole: Mask) -> Mask:
        """See :class:`WholeMemory`."""
        return whole
