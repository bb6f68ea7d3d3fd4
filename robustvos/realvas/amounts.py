"""How much of a clip's object is hidden, as records have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustvos.realvas.window import CLEAN_SHARE


def hidden_shares(whole: NDArray[np.bool_], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``(T,)`` hidden part of the object, of ``(T, H, W)`` amodal and modal masks; 0 where it is out of the frame."""
    areas, left = (masks.sum((1, 2)).astype(float) for masks in (whole, seen))
    shares: NDArray[np.float64] = np.where(areas > 0, 1 - left / np.maximum(areas, 1), 0.0)
    return shares


def amounts_of(shares: NDArray[np.float64]) -> dict[str, float]:
    """``max_occlusion``; ``prevalence``, the share of frames with any occlusion; ``severity``, the mean hidden part in these.

    >>> amounts_of(np.array([0.0, 0.5, 1.0, 0.0]))
    {'max_occlusion': 1.0, 'prevalence': 0.5, 'severity': 0.75}
    """
    occluded = shares > CLEAN_SHARE
    return {
        "max_occlusion": round(float(shares.max()), 4),
        "prevalence": round(float(occluded.mean()), 4),
        "severity": round(float(shares[occluded].mean()), 4) if occluded.any() else 0.0,
    }
