"""The four amodal IoU figures of one object, from the pixel counts of its frames, in NumPy alone."""

from __future__ import annotations

import numpy as np

AMODAL_METRICS = ("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ")

OCCLUDED_ABOVE = 0.005
"""A frame counts as occluded if more than this part of the object is hidden (the occlusion levels of TABE-51)."""

_SEVERE_FROM = 0.5

# Columns of the counts.
INTERSECTION, UNION, HIDDEN_INTERSECTION, HIDDEN_UNION, AMODAL_AREA, MODAL_AREA, HIDDEN_AREA = range(7)


def pooled_amodal_iou(counts: np.ndarray, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, float | None]:
    """The four figures of one object in one video, pixels pooled over frames before dividing.

    Args:
        counts: ``(T, 7)`` of :func:`amodal_counts`, one row an annotated frame.
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


def tabe_amodal_iou(counts: np.ndarray, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, float | None]:
    """The four figures as TABE's own evaluation forms them: IoU per frame, then the mean over frames.

    Differs from :func:`pooled_amodal_iou` also in that every frame counts, an empty union is an IoU of 0, frames
    without the object belong to the occluded and the invisible ones, and hidden pixels are scored in every frame that
    has one.

    Args:
        counts: ``(T, 7)`` of :func:`amodal_counts`, with ``signed_difference`` for TABE's exact numbers.
        occluded_above: See :func:`pooled_amodal_iou`. TABE reads stored occlusion levels, which follow the same limit.

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


def occlusion_tags(counts: np.ndarray, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, str]:
    """What results are grouped by: how much of an object is hidden, and for how long nothing of it is seen.

    Args:
        counts: ``(T, 7)`` of :func:`amodal_counts`, one row an annotated frame.
        occluded_above: See :func:`pooled_amodal_iou`.

    Returns:
        ``occlusion``: ``none``, ``slight`` or ``severe``, by the mean hidden part over occluded frames (Real-VAS's
        severity), where the levels of TABE-51 part: at one half. ``frames_hidden``: annotated frames of the object in
        which nothing of it is seen: ``0``, ``1-10``, ``11-20`` or ``over 20``.

    >>> occlusion_tags(np.array([[9, 9, 0, 0, 9, 9, 0], [0, 9, 0, 9, 9, 0, 9]]))
    {'occlusion': 'severe', 'frames_hidden': '1-10'}
    """
    found = occlusion_measures(counts, occluded_above=occluded_above)
    severity = "none" if not found["severity"] else "slight" if found["severity"] < _SEVERE_FROM else "severe"
    hidden = int(found["frames_hidden"])
    spell = "0" if not hidden else "1-10" if hidden <= 10 else "11-20" if hidden <= 20 else "over 20"
    return {"occlusion": severity, "frames_hidden": spell}


def occlusion_measures(counts: np.ndarray, *, occluded_above: float = OCCLUDED_ABOVE) -> dict[str, float]:
    """How much of an object is hidden, and for how long: the numbers behind :func:`occlusion_tags`.

    Args:
        counts: ``(T, 7)`` of :func:`amodal_counts`, one row an annotated frame.
        occluded_above: See :func:`pooled_amodal_iou`.

    Returns:
        ``severity``: mean hidden part over occluded frames, 0 if there is none; ``frames_hidden``: frames in which nothing is
        seen; ``first_hidden``: hidden part in the first frame.

    >>> occlusion_measures(np.array([[9, 9, 0, 0, 9, 9, 0], [0, 9, 0, 9, 9, 0, 9]]))
    {'severity': 1.0, 'frames_hidden': 1.0, 'first_hidden': 0.0}
    """
    present = counts[:, AMODAL_AREA] > 0
    part = _hidden_part(counts)[present]
    occluded = part[part > occluded_above]
    hidden = int((counts[present, MODAL_AREA] == 0).sum())
    return {
        "severity": float(occluded.mean()) if len(occluded) else 0.0,
        "frames_hidden": float(hidden),
        "first_hidden": float(part[0]) if len(part) else 0.0,
    }


def _hidden_part(counts: np.ndarray) -> np.ndarray:
    """Hidden part of A in each frame, ``(T,)`` float64; 0 where A is empty."""
    hidden_part: np.ndarray = counts[:, HIDDEN_AREA] / np.maximum(counts[:, AMODAL_AREA], 1)
    return hidden_part


def _pooled(counts: np.ndarray, numerator: int, denominator: int) -> float | None:
    whole = int(counts[:, denominator].sum())
    return int(counts[:, numerator].sum()) / whole if whole else None


def _frame_mean(counts: np.ndarray, numerator: int, denominator: int) -> float | None:
    return float((counts[:, numerator] / np.maximum(counts[:, denominator], 1)).mean()) if len(counts) else None
