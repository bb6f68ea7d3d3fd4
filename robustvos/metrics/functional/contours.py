"""Contour accuracy F: how well two outlines run along each other."""

from __future__ import annotations

import math
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from torch import Tensor

from robustvos.errors import UnknownName
from robustvos.metrics.functional.bitplanes import dilate_by_disk, pack
from robustvos.metrics.functional.checks import check_masks

ContourMap = Literal["davis", "cross", "square"]
"""Which pixels are a mask's contour. ``davis``: those that differ from their right, lower or lower right neighbour, of the
mask or not. ``cross``, ``square``: those of the mask that an erosion by a cross or a square of 3 x 3 pixels takes away, with
nothing beyond the frame."""


def contour_accuracy(
    prediction: Tensor,
    target: Tensor,
    void: Tensor | None = None,
    *,
    tolerance: float = 0.008,
    whole_pixels: bool = True,
    contour: ContourMap = "davis",
) -> Tensor:
    """F of each object in each frame: harmonic mean of the contours' precision and recall.

    A contour pixel of one mask is matched if the other mask's contour comes within the tolerance. Computed on the CPU.

    Args:
        prediction: ``(T, O, H, W)`` bool, or any other leading dimensions.
        target: The same shape.
        void: ``(T, 1, H, W)`` bool, or whatever broadcasts to ``target``: pixels taken out of both masks before their
            contours are drawn.
        tolerance: Distance as a part of the frame's diagonal.
        whole_pixels: Round the distance up to whole pixels, as DAVIS does.
        contour: Which pixels are a contour.

    Returns:
        ``(T, O)`` float32 in [0, 1]; 1 where neither mask has a contour (empty, or to ``davis`` the whole frame), 0 where
        only one has.

    Raises:
        ValueError: If the shapes differ or a mask is not bool.
        UnknownName: If there is no such contour map.

    Source: Perazzi et al., CVPR 2016, section 4; contour map, rounding and edge cases as in the toolkit of DAVIS 2017.
    """
    check_masks(prediction, target)
    if contour not in get_args(ContourMap):
        raise UnknownName.of("contour", contour, get_args(ContourMap))
    if void is not None:
        prediction, target = prediction & ~void, target & ~void
    height, width = prediction.shape[-2:]
    radius = tolerance * math.hypot(height, width)
    if whole_pixels:
        radius = math.ceil(radius)
    pairs = zip(_planes(prediction), _planes(target), strict=True)
    scores = [_f_measure(predicted, true, radius, contour) for predicted, true in pairs]
    return torch.tensor(scores, dtype=torch.float32, device=prediction.device).reshape(prediction.shape[:-2])


def _planes(masks: Tensor) -> np.ndarray:
    return masks.cpu().numpy().reshape(math.prod(masks.shape[:-2]), *masks.shape[-2:])


def _f_measure(predicted: np.ndarray, true: np.ndarray, radius: float, kind: ContourMap) -> float:
    either = predicted | true
    x, y, width, height = cv2.boundingRect(either.view(np.uint8))
    # Contours lie in the box and one pixel above and left of it; the pixel below and right tells inside from outside.
    rows, columns = slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
    stride = columns.stop - columns.start + 1 + math.floor(radius)
    inside = pack(np.ones_like(either[rows, columns]), stride)
    contour, true_contour = (
        _davis_contour(mask, stride) & inside if kind == "davis" else _rim(mask, stride, square=kind == "square")
        for mask in (predicted[rows, columns], true[rows, columns])
    )
    length, true_length = contour.bit_count(), true_contour.bit_count()
    if not length or not true_length:
        return float(length == true_length)
    matched = (contour & dilate_by_disk(true_contour, stride, radius)).bit_count()
    true_matched = (true_contour & dilate_by_disk(contour, stride, radius)).bit_count()
    precision, recall = matched / length, true_matched / true_length
    return 2 * precision * recall / (precision + recall) if matched else 0.0


def _davis_contour(mask: np.ndarray, stride: int) -> int:
    """Bits of the pixels that differ from their right, lower or lower right neighbour; the frame's edge repeats.

    With a repeated edge the last column compares with below alone, the last row with the right alone, and the corner
    with nothing: DAVIS's rules for them. Bits outside the mask's own pixels mean nothing.
    """
    bits = pack(cv2.copyMakeBorder(mask.view(np.uint8), 0, 1, 0, 1, cv2.BORDER_REPLICATE), stride)
    some = bits | bits >> 1
    every = bits & bits >> 1
    return (some | some >> stride) ^ (every & every >> stride)


def _rim(mask: np.ndarray, stride: int, square: bool) -> int:
    """Bits of the mask's pixels with one of their four neighbours, or of all eight, outside the mask or the frame."""
    bits = pack(mask, stride)  # the gap between rows and what lies before and after them is outside
    beside = bits & bits << 1 & bits >> 1
    core = beside if square else bits
    return bits & ~(beside & core << stride & core >> stride)
