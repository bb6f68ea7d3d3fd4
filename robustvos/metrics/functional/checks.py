"""What every metric asks of its masks, and how their pixels are counted."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def check_masks(prediction: Tensor, *others: Tensor) -> None:
    """Ask that all are bool and equal in shape, with at least two dimensions.

    Raises:
        ValueError: If not.
    """
    for mask in (prediction, *others):
        if mask.dtype != torch.bool:
            raise ValueError(f"masks must be bool, got {mask.dtype}; threshold logits at 0 first")
    shapes = [tuple(mask.shape) for mask in (prediction, *others)]
    if len(set(shapes)) > 1:
        raise ValueError(f"masks must have equal shapes, got {' and '.join(map(str, shapes))}")
    if prediction.ndim < 2:
        raise ValueError(f"masks must end in (H, W), got {shapes[0]}")


def count_pixels(masks: Tensor) -> Tensor:
    """Number of True pixels of each mask: ``(..., H, W)`` bool to ``(...)`` int64.

    >>> count_pixels(torch.tensor([[[True, False], [True, True]], [[False, False], [False, False]]]))
    tensor([3, 0])
    """
    if masks.device.type != "cpu" or masks.numel() == 0:
        return masks.sum(dim=(-2, -1))
    # NumPy counts bytes eight times as fast as torch does on the CPU, but only one plane at a time.
    planes = masks.reshape(-1, *masks.shape[-2:]).numpy()
    counts = np.fromiter((np.count_nonzero(plane) for plane in planes), dtype=np.int64, count=len(planes))
    return torch.from_numpy(counts).reshape(masks.shape[:-2])
