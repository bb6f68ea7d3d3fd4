"""What is made of mask logits: overlaps resolved, and the extras that SAM 2's video predictor has on by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

PREDICTOR_HOLE_AREA = 8
"""Pixels of the low-resolution mask: the predictor's default."""
_FILLED = 0.1  # logit given to a filled hole: just inside
_EXTRAS = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


@contextmanager
def predictor_extras(model: Any, enabled: bool = True) -> Iterator[None]:
    """Within this context, ``model`` decodes and remembers as SAM 2's predictor does with ``apply_postprocessing``.

    SAM 2's evaluation has it off. An unstable single mask falls back to the best of the three candidates, and masks from
    clicks are binarised before they are remembered. The model is as before afterwards. With ``enabled`` false nothing
    happens.
    """
    changes = [(model.sam_mask_decoder, name, value) for name, value in _EXTRAS.items()]
    changes.append((model, "binarize_mask_from_pts_for_mem_enc", True))
    changes = changes if enabled else []
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def fill_holes(logits: Tensor, max_area: int) -> Tensor:
    """Fill small holes of masks.

    Args:
        logits: ``(B, 1, h, w)`` float; above 0 is inside.
        max_area: Background regions (8-connected) of at most this many pixels become inside; 0 fills nothing. As in
            SAM 2, a region counts wherever it lies, also at the border of the frame.

    Returns:
        The logits, 0.1 where a hole was filled.
    """
    if max_area <= 0:
        return logits
    background = (logits[:, 0] <= 0).cpu().numpy().astype(np.uint8)
    holes = np.stack([_small_regions(region, max_area) for region in background])
    return torch.where(torch.from_numpy(holes)[:, None].to(logits.device), _FILLED, logits)


def exclusive_masks(logits: Tensor) -> Tensor:
    """Masks of which no pixel belongs to two objects: the one with the highest logit has it, of equals the first.

    The masks of ``SAM2Base._apply_non_overlapping_constraints``, which looks for the index of the maximum; the maximum
    itself costs a fraction of that on a CPU.

    Args:
        logits: ``(B, H, W)`` float of ``B`` objects; above 0 is inside.

    Returns:
        ``(B, H, W)`` bool. A pixel at which a logit is NaN belongs to none.

    >>> exclusive_masks(torch.tensor([[[3.0, -1.0, 2.0]], [[1.0, -2.0, 2.0]]])).int().tolist()
    [[[1, 0, 1]], [[0, 0, 0]]]
    """
    if len(logits) < 2:
        return logits > 0
    highest = logits.amax(0)
    highest.masked_fill_(highest <= 0, torch.inf)  # which no logit there is
    masks = logits == highest
    taken = masks[0].clone()
    for mask in masks[1:]:
        mask &= ~taken
        taken |= mask
    return masks


def _small_regions(region: np.ndarray, max_area: int) -> np.ndarray:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(region, connectivity=8)
    small = statistics[:, cv2.CC_STAT_AREA] <= max_area
    small[0] = False  # label 0 is everything outside the regions
    chosen: np.ndarray = small[labels]
    return chosen
