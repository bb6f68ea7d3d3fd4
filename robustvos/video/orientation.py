"""Video frames the way up in which they are meant to be seen."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Turn:
    """How stored pixels become shown ones: rows and columns change places first, then sides do.

    Attributes:
        transposes: Whether rows become columns.
        mirrors: Whether left and right change places.
        flips: Whether top and bottom change places.
    """

    transposes: bool = False
    mirrors: bool = False
    flips: bool = False

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Turn ``(H, W, ...)``; a view.

        >>> Turn(transposes=True, mirrors=True).apply(np.array([[1, 2], [3, 4]])).tolist()  # a quarter, clockwise
        [[3, 1], [4, 2]]
        """
        turned = pixels.swapaxes(0, 1) if self.transposes else pixels
        return turned[:: -1 if self.flips else 1, :: -1 if self.mirrors else 1]


def turn_of_matrix(matrix: bytes) -> Turn | None:
    """The turn that a display matrix asks for.

    Args:
        matrix: Nine 32-bit integers as FFmpeg keeps them, ``a b u c d v x y w``: the stored pixel ``(p, q)`` is shown
            at ``(a p + c q + x, b p + d q + y)``.

    Returns:
        None if it is not made of quarter turns and mirrors: a slanted or sheared picture. Scales are passed over.

    Source: FFmpeg, ``libavutil/display.h``; ISO/IEC 14496-12, 6.2.2.

    >>> turn_of_matrix(struct.pack("=9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30))  # a phone held upright
    Turn(transposes=True, mirrors=True, flips=False)
    """
    a, b, _, c, d = struct.unpack("=9i", matrix[:36])[:5]
    if b == c == 0:
        return Turn(mirrors=a < 0, flips=d < 0)
    if a == d == 0:
        return Turn(transposes=True, mirrors=c < 0, flips=b < 0)
    return None
