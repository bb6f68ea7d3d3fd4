"""Region similarity J: the overlap of two masks."""

from __future__ import annotations

import torch
from torch import Tensor

from robustvos.metrics.functional.checks import check_masks, count_pixels


def region_similarity(prediction: Tensor, target: Tensor, void: Tensor | None = None) -> Tensor:
    """Jaccard index J of each object in each frame.

    Args:
        prediction: ``(T, O, H, W)`` bool, or any other leading dimensions.
        target: The same shape.
        void: ``(T, 1, H, W)`` bool, or whatever broadcasts to ``target``: pixels that do not count.

    Returns:
        ``(T, O)`` float32 in [0, 1]; 1 where both masks are empty.

    Raises:
        ValueError: If the shapes differ or a mask is not bool.

    Source: Perazzi et al., CVPR 2016, section 4; void pixels as in the toolkit of DAVIS 2017.

    >>> a, b = torch.tensor([[True, True, False]]), torch.tensor([[True, False, False]])
    >>> float(region_similarity(a, b))
    0.5
    """
    check_masks(prediction, target)
    intersection, union = prediction & target, prediction | target
    if void is not None:
        intersection, union = intersection & ~void, union & ~void
    overlap, whole = count_pixels(intersection), count_pixels(union)
    return torch.where(whole == 0, 1.0, overlap / whole.clamp(min=1)).float()
