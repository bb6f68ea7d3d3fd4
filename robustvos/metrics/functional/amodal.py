"""The four IoU figures of video amodal segmentation.

All come from a few pixel counts per frame, so that a video is scored frame by frame and only counts are kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robustvos.metrics.functional.checks import check_masks, count_pixels

AMODAL_METRICS = ("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ")

OCCLUDED_ABOVE = 0.005
"""A frame counts as occluded if more than this part of the object is hidden (the occlusion levels of TABE-51)."""

# Columns of the counts.
INTERSECTION, UNION, HIDDEN_INTERSECTION, HIDDEN_UNION, AMODAL_AREA, MODAL_AREA, HIDDEN_AREA = range(7)


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
    check_masks(prediction, amodal, modal)
    if signed_difference:
        hidden_prediction, hidden = prediction ^ modal, amodal ^ modal
    else:
        modal = modal & amodal
        hidden_prediction, hidden = prediction & ~modal, amodal & ~modal
    planes = (
        prediction & amodal,
        prediction | amodal,
        hidden_prediction & hidden,
        hidden_prediction | hidden,
        amodal,
        modal,
        hidden,
    )
    return torch.stack([count_pixels(plane) for plane in planes], dim=-1)


def pooled_amodal_iou(counts: Tensor, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, float | None]:
    """The four figures of one object in one clip, pixels pooled over frames before dividing.

    Args:
        counts: ``(T, 7)`` from :func:`amodal_counts`, one row per annotated frame.
        occluded_above: A frame is occluded if the hidden part of A exceeds this; 0 takes every frame with a hidden
            pixel.

    Returns:
        ``mIoU`` over all frames, ``mIoU_fo`` over occluded frames, ``mIoU_ffo`` over frames where nothing is visible,
        ``mIoU_occ`` over the hidden pixels of occluded frames; None where no such frame exists. Frames in which A is
        empty belong to no set, whatever was predicted there.

    Source: Real-VAS, the metrics section (its three formulas).
    """
    present = counts[:, AMODAL_AREA] > 0
    occluded = present & (_hidden_part(counts) > occluded_above)
    invisible = present & (counts[:, MODAL_AREA] == 0)
    return {
        "mIoU": _pooled(counts[present], INTERSECTION, UNION),
        "mIoU_fo": _pooled(counts[occluded], INTERSECTION, UNION),
        "mIoU_ffo": _pooled(counts[invisible], INTERSECTION, UNION),
        "mIoU_occ": _pooled(counts[occluded], HIDDEN_INTERSECTION, HIDDEN_UNION),
    }


def tabe_amodal_iou(counts: Tensor, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, float | None]:
    """The four figures as TABE's own evaluation forms them: IoU per frame, then the mean over frames.

    Differs from :func:`pooled_amodal_iou` also in that every frame counts, an empty union is an IoU of 0, frames
    without the object belong to the occluded and the invisible ones, and hidden pixels are scored in every frame that
    has one.

    Args:
        counts: ``(T, 7)`` from :func:`amodal_counts`, with ``signed_difference`` for TABE's exact numbers.
        occluded_above: See :func:`pooled_amodal_iou`. TABE reads stored occlusion levels, which follow the same limit.

    Returns:
        As :func:`pooled_amodal_iou`.

    Source: the public evaluation of TABE-51.
    """
    absent = counts[:, AMODAL_AREA] == 0
    occluded = absent | (_hidden_part(counts) > occluded_above)
    invisible = counts[:, MODAL_AREA] == 0
    hidden = counts[:, HIDDEN_AREA] > 0
    return {
        "mIoU": _frame_mean(counts, INTERSECTION, UNION),
        "mIoU_fo": _frame_mean(counts[occluded], INTERSECTION, UNION),
        "mIoU_ffo": _frame_mean(counts[invisible], INTERSECTION, UNION),
        "mIoU_occ": _frame_mean(counts[hidden], HIDDEN_INTERSECTION, HIDDEN_UNION),
    }


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


def _hidden_part(counts: Tensor) -> Tensor:
    """Hidden part of A in each frame, ``(T,)`` float64; 0 where A is empty."""
    return counts[:, HIDDEN_AREA].double() / counts[:, AMODAL_AREA].clamp(min=1)


def _pooled(counts: Tensor, numerator: int, denominator: int) -> float | None:
    whole = int(counts[:, denominator].sum())
    return int(counts[:, numerator].sum()) / whole if whole else None


def _frame_mean(counts: Tensor, numerator: int, denominator: int) -> float | None:
    if not len(counts):
        return None
    return float((counts[:, numerator].double() / counts[:, denominator].clamp(min=1)).mean())
