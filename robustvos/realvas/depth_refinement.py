"""Appendix A.3: masks without what is seen through them, by a depth plugin; with a picture like the paper's Figure 5."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from robustvos.realvas.depth_order import refine_mask, set_scene
from robustvos.realvas.native_masks import NativeMask
from robustvos.realvas.pictures import resize_mask, shrink
from robustvos.realvas.plugins import plugin, to_tensor
from robustvos.realvas.shots import Shot

DEPTH_PICTURE = "depth.jpg"


@dataclass
class DepthRefiner:
    """Refines the masks of one track.

    Attributes:
        depth: A depth plugin with maps.
        shot: The track's shot.
        scene: ``(h, w)`` float32, nearness of the plate at the analysis size.
        removed: Pixels taken out so far.
    """

    depth: Any
    shot: Shot
    scene: np.ndarray
    removed: int = 0
    _most: int = field(default=-1)
    _panels: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, choice: str, shot: Shot) -> DepthRefiner | None:
        """For a choice of depth plugin; None if it has no maps."""
        depth = plugin("depth", choice)
        if depth is None or not depth.dense:
            return None
        set_scene(depth, shot)
        return cls(depth, shot, depth.nearness_map(to_tensor(shot.small_plate)).numpy())

    def refine(self, mask: NativeMask, t: int) -> NativeMask:
        """The mask of frame ``t`` without pixels of the scene behind; its region with shadow and reflection stays."""
        (small,) = self.shot.small([t])
        nearness = self.depth.nearness_map(to_tensor(small)).numpy()
        whole = mask.full(self.shot.size)
        kept = refine_mask(whole, _at(nearness, whole.shape), _at(self.scene, whole.shape))[mask.window]
        gone = int(mask.obj.sum() - kept.sum())
        self.removed += gone
        if gone > self._most:
            self._most = gone
            self._panels = [small, _heat(nearness), small]
            for panel, shown in ((0, whole), (2, replace(mask, obj=kept).full(self.shot.size))):
                self._panels[panel] = _tinted(small, resize_mask(shown, small.shape[:2]))
        return replace(mask, obj=kept) if kept.any() else mask

    def write_picture(self, path: Path) -> None:
        """The frame that lost most: mask before, nearness, mask after."""
        if self._panels:
            Image.fromarray(np.hstack([shrink(panel) for panel in self._panels])).save(path, format="JPEG", quality=90)


def _at(plane: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    if plane.shape == size:
        return plane
    return cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR)


def _heat(nearness: np.ndarray) -> np.ndarray:
    low, high = np.quantile(nearness, [0.01, 0.99])
    scaled = np.clip((nearness - low) / max(1e-9, high - low), 0, 1)
    heat: np.ndarray = cv2.cvtColor(
        cv2.applyColorMap((255 * scaled).astype(np.uint8), cv2.COLORMAP_MAGMA), cv2.COLOR_BGR2RGB
    )
    return heat


def _tinted(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    out = picture.copy()
    out[mask] = (0.5 * picture[mask] + 0.5 * np.array([255, 214, 10])).astype(np.uint8)
    return out
