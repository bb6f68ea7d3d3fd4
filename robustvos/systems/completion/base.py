"""What every completion is: what is seen of an object goes in, frame by frame; its whole mask comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from robustvos.errors import UserError

Mask = NDArray[np.bool_]


class Completion(ABC):
    """Guesses the whole mask of one object; :meth:`fresh` makes one for each object of a video."""

    @abstractmethod
    def fresh(self) -> Completion:
        """Another with the same settings that has seen nothing."""

    @abstractmethod
    def complete(self, frame: NDArray[np.uint8], seen: Mask) -> Mask:
        """The whole mask on the next frame.

        Args:
            frame: ``(3, H, W)`` RGB.
            seen: ``(H, W)``, what is seen of the object; empty where nothing is.

        Returns:
            ``(H, W)`` bool.
        """


class WholeMemory(Completion):
    """Keeps the last mask that looks whole: not empty, and not much smaller than the last that did.

    While less is seen, the object is taken to be occluded, and a subclass says where the kept mask is now. What is seen
    always belongs to the answer.

    Args:
        whole_above: A mask looks whole if its area is at least this share of the kept one's, in (0, 1].

    Attributes:
        whole: The kept mask; None before anything was seen.

    Raises:
        UserError: If ``whole_above`` is out of range.
    """

    def __init__(self, whole_above: float = 0.9) -> None:
        if not 0 < whole_above <= 1:
            raise UserError(
                f"whole_above is a share of the last whole mask's area, above 0 and at most 1, not {whole_above}"
            )
        self.whole_above = whole_above
        self.whole: Mask | None = None

    def fresh(self) -> Completion:
        """See :class:`Completion`."""
        return type(self)(self.whole_above)

    def complete(self, frame: NDArray[np.uint8], seen: Mask) -> Mask:
        """See :class:`Completion`."""
        area = int(seen.sum())
        if area > 0 and (self.whole is None or area >= self.whole_above * self.whole.sum()):
            self.whole = seen.copy()
            self.keep(frame, seen)
            return seen
        if self.whole is None:
            return seen
        return self.place(frame, seen, self.whole) | seen

    def keep(self, frame: NDArray[np.uint8], seen: Mask) -> None:
        """Look at a whole mask that was just kept."""

    @abstractmethod
    def place(self, frame: NDArray[np.uint8], seen: Mask, whole: Mask) -> Mask:
        """Where the kept mask is on an occluded frame, ``(H, W)`` bool."""


def shifted(mask: Mask, by: NDArray[np.float64]) -> Mask:
    """A mask moved by ``(x, y)`` pixels, rounded; what leaves the frame is lost.

    >>> shifted(np.eye(3, dtype=bool), np.array([1.0, 0.0])).astype(int).tolist()
    [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    """
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    x, y = (int(step) for step in np.rint(by))
    rows, columns = rows + y, columns + x
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    moved = np.zeros_like(mask)
    moved[rows[inside], columns[inside]] = True
    return moved
