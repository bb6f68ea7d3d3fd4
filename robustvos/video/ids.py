"""Maps of object ids."""

from __future__ import annotations

import numpy as np


def ids_in(ids: np.ndarray) -> set[int]:
    """The different values of an ``(H, W)`` uint8 map.

    >>> ids_in(np.array([[0, 3], [3, 255]], dtype=np.uint8)) == {0, 3, 255}
    True
    """
    # Where a value begins in the flat map: a few thousand places of a mask. A sort of all pixels takes ten times as long.
    flat = np.ascontiguousarray(ids).reshape(-1)
    begins = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return set(np.flatnonzero(np.bincount(flat[begins], minlength=256)).tolist()) | set(flat[:1].tolist())
