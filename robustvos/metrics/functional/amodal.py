"""The four IoU figures of video amodal segmentation.

All come from a few pixel counts per frame, so that a video is scored frame by frame and only counts are kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robustvos.metrics import amodal_figures, kernels
from robustvos.metrics.amodal_figures import OCCLUDED_ABOVE
from robustvos.metrics.functional.planes import planes_of


def amodal_counts(prediction: Tensor, amodal: Tensor, modal: Tensor, *, signed_difference: bool = False) -> Tensor:
    """The pixel counts of each mask that the four figures need.

    Args:
        prediction: ``(..., H, W)`` bool, predicted amodal masks P.
        amodal: The same shape, true amodal masks A.
        modal: The same shape, true modal masks M. Pixels of M outside A are dropped first.
        signed_difference: Reproduce TABE's evaluation: its subtraction P - M is -1, not 0, where a visible pixel was
            missed, and counts that pixel as predicted hidden. M is then used as it is.

    Returns:
        ``(..., 7)`` int64: P and A, P or A, hidden P and hidden A, hidden P or hidden A, A, M, hidden A; hidden means
        "without M".

    Raises:
        ValueError: If the shapes differ or a mask is not bool.
    """
    kernels.check_masks(prediction, amodal, modal)
    planes = zip(planes_of(prediction), planes_of(amodal), planes_of(modal), strict=True)
    counts = [kernels.amodal_counts(p, a, m, signed_difference) for p, a, m in planes]
    return torch.tensor(counts, dtype=torch.int64, device=prediction.device).reshape(*prediction.shape[:-2], 7)


def pooled_amodal_iou(counts: Tensor, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, float | None]:
    """:func:`robustvos.metrics.amodal_figures.pooled_amodal_iou` of ``(T, 7)`` int64 counts."""
    return amodal_figures.pooled_amodal_iou(counts.cpu().numpy(), occluded_above=occluded_above)


def tabe_amodal_iou(counts: Tensor, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, float | None]:
    """:func:`robustvos.metrics.amodal_figures.tabe_amodal_iou` of ``(T, 7)`` int64 counts."""
    return amodal_figures.tabe_amodal_iou(counts.cpu().numpy(), occluded_above=occluded_above)


def amodal_iou(
    prediction: Tensor, amodal: Tensor, modal: Tensor, *, occluded_above: float = OCCLUDED_ABOVE
) -> dict[str, float | None]:
    """The four pooled figures of one object from its ``(T, H, W)`` bool masks.

    >>> amodal = torch.ones(2, 1, 4, dtype=torch.bool)
    >>> modal = torch.tensor([[[True] * 4], [[True, True, False, False]]])
    >>> amodal_iou(modal, amodal, modal)
    {'mIoU': 0.75, 'mIoU_fo': 0.5, 'mIoU_ffo': None, 'mIoU_occ': 0.0}
    """
    return pooled_amodal_iou(amodal_counts(prediction, amodal, modal), occluded_above=occluded_above)
