"""Single frames as the plugins want them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from robustvos.errors import BadVideo


def check_frame(frame: Tensor, size: Sequence[int] | None = None) -> None:
    """Refuse what is not ``(3, H, W)`` uint8, or not of ``size`` ``(H, W)``.

    Raises:
        BadVideo: Saying what was given.
    """
    if frame.dtype != torch.uint8 or frame.ndim != 3 or frame.shape[0] != 3 or 0 in frame.shape:
        seen = f"{frame.dtype} {tuple(frame.shape)}"
        raise BadVideo(f"a frame must be uint8 (3, H, W), got {seen}; convert it to 8-bit RGB")
    if size is not None and tuple(frame.shape[-2:]) != tuple(size):
        raise BadVideo(
            f"a frame of {frame.shape[-1]}x{frame.shape[-2]} in a clip of {size[1]}x{size[0]}; resize the frames to one size"
        )


def to_pixels(frame: Tensor) -> np.ndarray:
    """``(3, H, W)`` to a contiguous NumPy array ``(H, W, 3)`` on the CPU, as OpenCV and PyMatting want it."""
    return frame.permute(1, 2, 0).contiguous().cpu().numpy()


def to_grey(frame: Tensor) -> np.ndarray:
    """``(3, H, W)`` uint8 to luminance, ``(H, W)`` uint8."""
    return cv2.cvtColor(to_pixels(frame), cv2.COLOR_RGB2GRAY)


def spread_indices(length: int, count: int) -> list[int]:
    """At most ``count`` different indices, evenly over ``0 .. length - 1``, both ends among them.

    >>> spread_indices(10, 4), spread_indices(3, 8)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    return sorted({int(index) for index in np.linspace(0, length - 1, min(length, count)).round()})
