"""Masks as COCO has them: run-length codes and polygons."""

from __future__ import annotations

from typing import Any

import numpy as np

from robustvos.errors import BadMask
from robustvos.optional import require


def coco_mask(segment: Any, size: tuple[int, int] | None, where: str) -> np.ndarray:
    """``(H, W)`` bool of a run-length code, of polygons (a list of lists), or of one polygon (a list of numbers).

    Args:
        segment: As the JSON has it; counts may be text, bytes or a list.
        size: ``(height, width)`` where the segment does not say.
        where: Names it in messages.

    Raises:
        BadMask: If it is none of these, or its size is not known.
        MissingExtra: If pycocotools is not installed.

    >>> coco_mask([1, 1, 3, 1, 3, 3, 1, 3], (4, 4), "x").sum()
    np.int64(4)
    """
    coder = require("pycocotools.mask", "coco")
    try:
        if isinstance(segment, dict):
            if isinstance(segment["counts"], list):
                segment = coder.frPyObjects(segment, *segment["size"])
            return np.asarray(coder.decode(segment)).astype(bool)
        if isinstance(segment, list) and segment and size is not None:
            polygons = segment if isinstance(segment[0], list) else [segment]
            return np.asarray(coder.decode(coder.merge(coder.frPyObjects(polygons, *size)))).astype(bool)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadMask(f"{where}: no run-length code or polygon ({error}); copy the annotations again") from error
    raise BadMask(f"{where}: expected a run-length code or polygons, got {str(segment)[:40]!r}")
