"""Dashed outlines: how truth is drawn, whatever is painted in the objects' colours."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

LIGHT, QUERY = (255, 255, 255), (255, 214, 0)
"""Truth, and the mask that was given."""
_DARK = (28, 32, 38)


def dashed_outline(frame: Tensor, masks: Tensor, dash: int = 6, bright: tuple[int, int, int] = LIGHT) -> Tensor:
    """Outline masks by dashes one pixel thin, light and dark in turn, so that they show on every ground.

    Args:
        frame: ``(3, H, W)`` uint8.
        masks: ``(O, H, W)`` bool.
        dash: Length of a dash in pixels of the contour.
        bright: Colour of every other dash.

    Returns:
        ``(3, H, W)`` uint8 on the CPU; the lines lie on the masks' own border pixels.
    """
    canvas = frame.detach().cpu().numpy().copy(order="C")
    for mask in masks.detach().cpu().numpy():
        for contour in cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
            x, y = contour[:, 0].T
            light = (np.arange(len(contour)) // dash) % 2 == 0
            for chosen, colour in ((light, bright), (~light, _DARK)):
                canvas[:, y[chosen], x[chosen]] = np.array(colour, np.uint8)[:, None]
    return torch.from_numpy(canvas)
