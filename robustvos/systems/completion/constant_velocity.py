"""The last whole mask, moving on as it last moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustvos.errors import UserError
from robustvos.systems.completion.base import Completion, Mask, WholeMemory, shifted


class ConstantVelocity(WholeMemory):
    """An occluded object goes on at the velocity of its centre over its last whole masks.

    Args:
        whole_above: See :class:`WholeMemory`.
        over: Whole masks back that velocity is taken from, at least 1; fewer where fewer were seen.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(self, whole_above: float = 0.9, over: int = 3) -> None:
        super().__init__(whole_above)
        if over < 1:
            raise UserError(f"over is {over}; velocity is taken over at least 1 frame")
        self.over = over
        self.index = -1
        self.centres: list[tuple[int, NDArray[np.float64]]] = []

    def fresh(self) -> Completion:
        """See :class:`Completion`."""
        return ConstantVelocity(self.whole_above, self.over)

    def complete(self, frame: NDArray[np.uint8], seen: Mask) -> Mask:
        """See :class:`Completion`."""
        self.index += 1
        return super().complete(frame, seen)

    def keep(self, frame: NDArray[np.uint8], seen: Mask) -> None:
        """See :class:`WholeMemory`."""
        rows, columns = np.nonzero(seen)
        self.centres = [*self.centres[-self.over :], (self.index, np.array([columns.mean(), rows.mean()]))]

    def place(self, frame: NDArray[np.uint8], seen: Mask, whole: Mask) -> Mask:
        """See :class:`WholeMemory`."""
        (first, start), (last, end) = self.centres[0], self.centres[-1]
        velocity = (end - start) / max(last - first, 1)
        return shifted(whole, velocity * (self.index - last))
