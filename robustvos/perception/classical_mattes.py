"""Mattes without weights: a feather that follows edges, a projection on the known plate, and the closed form."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robustvos.errors import UserError
from robustvos.optional import require
from robustvos.perception.matte import UNKNOWN, Matte

_LEVEL = 255.0


class GuidedFeather(Matte):
    """The mask's edge, softened by a guided filter whose guide is the frame: the fastest, and a little blurred.

    Args:
        radius: Of the filter's window, in pixels.
        smoothness: Variance of the guide, in levels squared of [0, 1], below which it is no edge.
        erode: See :class:`Matte`.
        dilate: See :class:`Matte`.

    Raises:
        UserError: If an argument is out of range.

    Source: He et al., Guided Image Filtering, ECCV 2010 (grey guide).
    """

    name = "guided"

    def __init__(self, radius: int = 4, smoothness: float = 1e-3, erode: int = 3, dilate: int = 4) -> None:
        super().__init__(erode, dilate)
        if radius < 1 or not smoothness > 0:
            raise UserError(f"guided: radius {radius}, smoothness {smoothness:g}; give at least 1, and above 0")
        self.radius, self.smoothness = radius, smoothness

    def solve(self, pixels: np.ndarray, marks: np.ndarray, plate: np.ndarray | None) -> np.ndarray:
        """See the base class; the hard mask is the middle of the band."""
        guide = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / _LEVEL
        inside = cv2.distanceTransform((marks != 255).astype(np.uint8), cv2.DIST_L2, 5) * self.dilate
        outside = cv2.distanceTransform((marks != 0).astype(np.uint8), cv2.DIST_L2, 5) * self.erode
        hard = (inside <= outside).astype(np.float32)
        mean_guide, mean_hard = self._mean(guide), self._mean(hard)
        covariance = self._mean(guide * hard) - mean_guide * mean_hard
        slope = covariance / (self._mean(guide * guide) - mean_guide**2 + self.smoothness)
        offset = mean_hard - slope * mean_guide
        matte: np.ndarray = self._mean(slope) * guide + self._mean(offset)
        return matte

    def _mean(self, image: np.ndarray) -> np.ndarray:
        side = 2 * self.radius + 1
        return cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT)


class KnownPlate(Matte):
    """How far each pixel has gone from the plate's colour to the object's: good where they differ, speckled where not.

    The object's colour at an unknown pixel is that of the nearest sure object pixel.

    Args:
        contrast: Distance in colour below which object and plate look alike; there the hard mask stays.
        erode: See :class:`Matte`.
        dilate: See :class:`Matte`.
    """

    name = "known_plate"
    needs_plate = True

    def __init__(self, contrast: float = 12.0, erode: int = 3, dilate: int = 4) -> None:
        super().__init__(erode, dilate)
        self.contrast = contrast

    def solve(self, pixels: np.ndarray, marks: np.ndarray, plate: np.ndarray | None) -> np.ndarray:
        """See the base class."""
        assert plate is not None  # needs_plate
        inside, nearest = cv2.distanceTransformWithLabels(
            (marks != 255).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        outside = cv2.distanceTransform((marks != 0).astype(np.uint8), cv2.DIST_L2, 5)
        hard: np.ndarray = (inside * self.dilate <= outside * self.erode).astype(np.float32)
        if not (marks == 255).any():
            return hard
        colours = np.zeros((int(nearest.max()) + 1, 3), np.float32)
        sure = marks == 255
        colours[nearest[sure]] = pixels[sure]
        background = plate.astype(np.float32)
        whole = colours[nearest] - background
        length = (whole * whole).sum(-1)
        share = ((pixels.astype(np.float32) - background) * whole).sum(-1) / np.maximum(length, 1e-6)
        matte: np.ndarray = np.where(length > self.contrast**2, share, hard)
        return matte


class ClosedForm(Matte):
    """Closed-form matting by PyMatting: the crispest without weights, hair and motion blur included. Needs ``matting``.

    PyMatting compiles itself when it is first imported, which takes about a minute of CPU time once; numba keeps the result
    beside the package, or in ``$NUMBA_CACHE_DIR``.

    Source: Levin et al., A Closed-Form Solution to Natural Image Matting, TPAMI 2008; Germer et al., PyMatting, JOSS 2020.
    """

    name = "closed_form"

    def solve(self, pixels: np.ndarray, marks: np.ndarray, plate: np.ndarray | None) -> np.ndarray:
        """See the base class."""
        if not (marks == 255).any() or not (marks == 0).any():  # nothing to interpolate between
            return (marks >= UNKNOWN).astype(np.float32)
        matte: np.ndarray = _pymatting().estimate_alpha_cf(
            pixels.astype(np.float64) / _LEVEL, marks.astype(np.float64) / _LEVEL
        )
        return matte


def _pymatting() -> Any:
    """PyMatting's module of the closed form; says so if importing it will take its time."""
    spec = find_spec("pymatting") if "pymatting" not in sys.modules else None
    if spec is not None and spec.origin is not None:
        folders = [Path(os.environ["NUMBA_CACHE_DIR"])] if os.environ.get("NUMBA_CACHE_DIR") else []
        if not any(next(folder.rglob("*.nbi"), None) for folder in [*folders, Path(spec.origin).parent]):
            print("PyMatting compiles itself, once; this takes about a minute", file=sys.stderr)
    return require("pymatting.alpha.estimate_alpha_cf", "matting")
