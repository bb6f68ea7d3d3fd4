"""What every matte is: a frame and a hard mask go in, how much of each pixel is the object comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from robustvos.errors import BadMask, UserError
from robustvos.perception.frames import check_frame, to_pixels
from robustvos.perception.weights import Published

UNKNOWN = 128
"""Value of a trimap's pixels whose alpha is to be found; 0 is background, 255 the object."""


class Matte(ABC):
    """Turns a hard mask into an alpha.

    Only a band around the mask's outline is decided anew: pixels deep inside stay 1, those far outside 0.

    Args:
        erode: How far the band reaches into the mask, in pixels.
        dilate: How far out of it.

    Attributes:
        name: Key in the registry.
        needs_plate: Whether the clean plate must be given.
        weights: What it needs from elsewhere; None if nothing.

    Raises:
        UserError: If ``erode`` or ``dilate`` is below 1.
    """

    name: ClassVar[str]
    needs_plate: ClassVar[bool] = False
    weights: ClassVar[Published | None] = None
    margin: ClassVar[int] = 16
    """Pixels around the band that the solver sees besides."""

    def __init__(self, erode: int = 3, dilate: int = 4) -> None:
        if erode < 1 or dilate < 1:
            raise UserError(f"{self.name}: erode is {erode} and dilate {dilate}; a band needs at least 1 pixel each")
        self.erode, self.dilate = erode, dilate

    def alpha(self, frame: Tensor, mask: Tensor, plate: Tensor | None = None) -> Tensor:
        """The object's share of each pixel.

        Args:
            frame: ``(3, H, W)`` uint8 RGB.
            mask: ``(H, W)`` bool, the object. Empty gives 0 everywhere.
            plate: ``(3, H, W)`` uint8, the scene without the object, where known.

        Returns:
            ``(H, W)`` float32 in [0, 1], on the CPU.

        Raises:
            BadVideo: If frame or plate is not uint8 RGB, or they differ in size.
            BadMask: If the mask is not bool, or of another size.
            UserError: If the matte needs a plate and none is given.
        """
        check_frame(frame)
        if mask.dtype != torch.bool or mask.shape != frame.shape[-2:]:
            expected = f"bool ({frame.shape[-2]}, {frame.shape[-1]})"
            raise BadMask(
                f"a mask must be {expected}, got {mask.dtype} {tuple(mask.shape)}; export it at the frame's size"
            )
        if plate is not None:
            check_frame(plate, frame.shape[-2:])
        elif self.needs_plate:
            raise UserError(f"the matte '{self.name}' needs the clean plate; give it, or choose closed_form or guided")
        marks = trimap(mask.cpu().numpy(), self.erode, self.dilate)
        found = (marks == 255).astype(np.float32)
        unknown = marks == UNKNOWN
        if unknown.any():
            rows, columns = _around(unknown, self.margin)
            background = None if plate is None else to_pixels(plate[:, rows, columns])
            solved = self.solve(to_pixels(frame[:, rows, columns]), marks[rows, columns], background)
            solved = np.clip(np.nan_to_num(solved), 0.0, 1.0).astype(np.float32)
            found[rows, columns] = np.where(unknown[rows, columns], solved, found[rows, columns])
        return torch.from_numpy(found)

    @abstractmethod
    def solve(self, pixels: np.ndarray, marks: np.ndarray, plate: np.ndarray | None) -> np.ndarray:
        """Alpha of a crop; only its unknown pixels are used.

        Args:
            pixels: ``(h, w, 3)`` uint8.
            marks: ``(h, w)`` uint8: 0 background, 128 unknown, 255 object. At least one pixel is unknown; there may be none of
                the others.
            plate: ``(h, w, 3)`` uint8, or None.

        Returns:
            ``(h, w)`` float.
        """


def trimap(mask: np.ndarray, erode: int, dilate: int) -> np.ndarray:
    """``(H, W)`` uint8: 255 at least ``erode`` pixels inside the mask, 0 at least ``dilate`` outside, 128 between.

    Beyond the frame's border the object goes on, so that no band follows the border. A mask so thin that nothing is deep
    inside keeps its innermost pixels as object.
    """
    plane = mask.astype(np.uint8)
    padded = cv2.copyMakeBorder(plane, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    outside = cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    marks = np.full(mask.shape, UNKNOWN, np.uint8)
    marks[(plane == 0) & (outside > dilate)] = 0
    if plane.any():
        deep = inside > min(float(erode), float(inside[plane > 0].max()) - 1e-3)
        marks[(plane > 0) & deep] = 255
    else:
        marks[:] = 0
    return marks


def _around(unknown: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(unknown.any(1)), np.flatnonzero(unknown.any(0))
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )
