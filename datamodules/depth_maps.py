"""Depth maps beside a dataset, for degradations that differ between near and far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from robustvos.corruptions import Layers
from robustvos.errors import BadVideo, DataNotFound


def read_layers(folder: Path, frames: Sequence[Path], size: tuple[int, int]) -> Layers:
    """Cut the depth maps of some frames into layers.

    Args:
        folder: ``<video>/<frame>.png``, 8- or 16-bit grey, the brighter the farther; white is farthest.
        frames: Files of the frames, ``.../<video>/<frame>.jpg``.
        size: ``(H, W)`` of the frames.

    Raises:
        DataNotFound: If a frame has no depth map.
        BadVideo: If a map cannot be read, is not grey, or has another size than the frames.
    """
    return Layers.from_depth(
        np.stack([_read(folder / frame.parent.name / f"{frame.stem}.png", size) for frame in frames])
    )


def _read(path: Path, size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` float32 in [0, 1]."""
    if not path.is_file():
        raise DataNotFound(
            f"looked for the depth map {path}, found none; --data.depth names a folder with VIDEO/FRAME.png, grey, "
            "the brighter the farther"
        )
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    depth = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if depth is None or depth.ndim != 2 or depth.dtype not in (np.uint8, np.uint16):
        found = "not readable" if depth is None else f"{depth.dtype} with {depth[0, 0].size} channel(s)"
        raise BadVideo(f"{path} is {found}; a depth map is an 8- or 16-bit grey PNG")
    if depth.shape != tuple(size):
        raise BadVideo(
            f"{path} is {depth.shape[1]}x{depth.shape[0]}, but the frames are {size[1]}x{size[0]}; export it at their size"
        )
    return depth.astype(np.float32) / (255 if depth.dtype == np.uint8 else 65535)
