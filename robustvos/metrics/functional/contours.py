"""Contour accuracy F: how well two outlines run along each other."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from robustvos.errors import UnknownName
from robustvos.metrics import kernels
from robustvos.metrics.functional.planes import planes_of
from robustvos.metrics.kernels import ContourMap


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
    kernels.check_masks(prediction, target)
    if contour not in get_args(ContourMap):
        raise UnknownName.of("contour", contour, get_args(ContourMap))
    predictions, targets = (planes_of(mask, void) for mask in (prediction, target))
    radius = kernels.matching_radius(prediction.shape[-2:], tolerance, whole_pixels)
    scores = [kernels.contour_accuracy(p, t, radius, contour) for p, t in zip(predictions, targets, strict=True)]
    return torch.tensor(scores, dtype=torch.float32, device=prediction.device).reshape(prediction.shape[:-2])
