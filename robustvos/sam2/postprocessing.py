"""What is made of mask logits: edges of the frame followed, overlaps resolved, and the extras of SAM 2's video predictor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from kornia.filters import box_blur, guided_blur
from torch import Tensor

PREDICTOR_HOLE_AREA = 8
"""Pixels of the low-resolution mask: the predictor's default."""
_FILLED = 0.1  # logit given to a filled hole: just inside
_EXTRAS = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


UPSAMPLING = "upsampling"
"""Attribute of a model: how its masks come to the frame's size, see :class:`robustvos.sam2.config.Sam2Config`."""
_SOFTNESS = 0.5  # of logits, as the filter sees them
_ROWS, _BOX = 96, 7  # the filter's windows: cells of a grid with as many rows
_OF_THICKNESS = 1.5  # of a mask's inner radius that windows are at most
_LEAST = 3  # pixels of a window, or the mask is left alone
_SMOOTHNESS = 1e-4  # variance of grey levels, of 0 to 1, that counts as an edge
_FLAT = 1e-3  # variance at which filter and mask count alike


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


def follow_edges(logits: Tensor, frame: Tensor) -> Tensor:
    """Let masks end where the frame has edges: a fast guided filter (He, Sun, Tang 2013; He, Sun 2015) of their probabilities.

    Worth while where the decoder's grid is coarse beside the frame. Only the surroundings of each mask are looked at, in
    windows no wider than the mask is thick, or small and thin things would be blurred away; and where the frame shows
    nothing, as before a hidden object, the mask stays what it was.

    Args:
        logits: ``(O, H, W)`` float at native resolution; above 0 is inside.
        frame: ``(3, H, W)`` uint8.

    Returns:
        Logits ``(O, H, W)``: as they were but where the filter changes what is inside; there within 1 of 0, so that of several
        objects those which were sure of a pixel keep it.
    """
    followed = logits.clone()
    for row, plane in zip(followed, logits, strict=True):
        mask = plane > 0
        box = _box(mask)
        reach = 0.0 if box is None else min(_BOX / _ROWS * min(mask.shape), _OF_THICKNESS * _thickness(mask[box]))
        if box is None or reach < _LEAST:
            continue
        step = max(1, round(reach / _BOX))
        near = int(reach) + _LEAST
        window = tuple(slice(max(0, span.start - near) // step * step, span.stop + near) for span in box)
        share = _guided(plane[window], frame[(slice(None), *window)], max(_LEAST, round(reach / step) * step), step)
        changed = (share > 0.5) != mask[window]
        row[window] = torch.where(changed, (2 * share - 1).clamp(-1, 1).to(plane.dtype), plane[window])
    return followed


def _box(mask: Tensor) -> tuple[slice, slice] | None:
    """Rows and columns that a mask ``(H, W)`` reaches; None if it is empty."""
    rows, columns = (mask.any(axis).nonzero() for axis in (1, 0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _thickness(mask: Tensor) -> float:
    """Radius of the largest disc inside a mask ``(H, W)`` that is not empty, in pixels."""
    edged = np.pad(mask.to("cpu", torch.uint8).numpy(), 1)
    return float(cv2.distanceTransform(edged, cv2.DIST_L2, 3).max())


def _guided(logits: Tensor, frame: Tensor, width: int, step: int) -> Tensor:
    """Filtered probabilities ``(h, w)`` of ``(h, w)`` logits and ``(3, h, w)`` of the frame, unfiltered where it is flat."""
    size = logits.shape
    padding = (0, -size[1] % step, 0, -size[0] % step)  # to multiples of the step
    with torch.autocast(logits.device.type, enabled=False):
        guide = F.pad(frame[None].to(logits.device, torch.float32) / 255, padding, mode="replicate")
        share = F.pad(torch.sigmoid(_SOFTNESS * logits[None, None].float()), padding, mode="replicate")
        filtered = guided_blur(guide, share, width, _SMOOTHNESS, "replicate", subsample=step)
        coarse, cells = guide[..., step // 2 :: step, step // 2 :: step], max(3, width // step | 1)
        mean, square = (box_blur(x, cells, "replicate") for x in (coarse, coarse.square()))
        variance = (square - mean.square()).sum(1, keepdim=True).clamp(min=0)
        trust = F.interpolate(variance / (variance + _FLAT), guide.shape[-2:], mode="bilinear")
        return torch.lerp(share, filtered, trust)[0, 0, : size[0], : size[1]]


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
