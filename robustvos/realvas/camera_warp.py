"""Show a clip through a virtual camera: frames and masks resampled once, with one geometry, alike on CPU and GPU."""

from __future__ import annotations

import numpy as np
import torch
from kornia.geometry import warp_perspective
from numpy.typing import NDArray
from torch import Tensor

_TIE = 1e-6
"""A value this little below a threshold counts as on it, so that rounding on another device does not decide."""


def warp_frame(frame: Tensor, matrix: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
    """A frame as the view shows it, interpolated bilinearly in double precision.

    Args:
        frame: ``(3, H, W)`` uint8, on any device.
        matrix: ``(3, 3)`` from its pixels to the view's.
        size: ``(H, W)`` of the view.

    Returns:
        ``(3, h, w)`` uint8 on the same device; pixels from outside of the frame repeat its border.
    """
    seen = _warp(frame[None].double(), matrix, size, "border")[0]
    return (seen + 0.5 + _TIE).floor().clamp(0, 255).to(torch.uint8)


def warp_masks(masks: Tensor, matrix: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
    """Masks as the view shows them: a pixel is inside if at least half of it is covered (interpolated bilinearly).

    Views do not shrink, so that no pixel of a mask is passed over; a mask that holds another still does.

    Args:
        masks: ``(O, H, W)`` bool, on any device.
        matrix: ``(3, 3)`` from their pixels to the view's.
        size: ``(H, W)`` of the view.

    Returns:
        ``(O, h, w)`` bool on the same device; outside of the frame nothing is inside.
    """
    if len(masks) == 0:
        return masks.new_zeros((0, *size))
    return _warp(masks[None].double(), matrix, size, "zeros")[0] >= 0.5 - _TIE


def _warp(planes: Tensor, matrix: NDArray[np.float64], size: tuple[int, int], beyond: str) -> Tensor:
    transform = torch.as_tensor(np.asarray(matrix), dtype=torch.float64, device=planes.device)[None]
    return warp_perspective(planes, transform, size, mode="bilinear", padding_mode=beyond, align_corners=True)
