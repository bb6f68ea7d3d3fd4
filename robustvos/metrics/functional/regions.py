"""Region similarity J: the overlap of two masks."""

from __future__ import annotations

import torch
from torch import Tensor

from robustvos.metrics import kernels
from robustvos.metrics.functional.planes import planes_of


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
    kernels.check_masks(prediction, target)
    predictions, targets = (planes_of(mask, void) for mask in (prediction, target))
    scores = [kernels.region_similarity(p, t) for p, t in zip(predictions, targets, strict=True)]
    return torch.tensor(scores, dtype=torch.float32, device=prediction.device).reshape(prediction.shape[:-2])
