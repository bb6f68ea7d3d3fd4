"""Depth maps beside a dataset, for degradations that differ between near and far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.corruptions import DepthLayers
from robustvos.errors import BadVideo, DataNotFound
from robustvos.files.naming import name_some


def depth_layers(folder: Path, frames: Sequence[Path], size: tuple[int, int]) -> DepthLayers:
    """The layers of a video, cut out of its depth maps as they are needed.

    Args:
        folder: ``<video>/<frame>.png``, 8- or 16-bit grey, the brighter the farther; white is farthest.
        frames: Files of all frames, ``.../<video>/<frame>.jpg``.
        size: ``(H, W)`` of the frames.

    Raises:
        DataNotFound: If frames have no depth map; says how many.
        BadVideo: If a map cannot be read, is not grey, or has another size than the frames; the first one at once, others
            when they are asked for.
    """
    files = [folder.expanduser() / frame.parent.name / f"{frame.stem}.png" for frame in frames]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise DataNotFound(
            f"looked for depth maps of {len(files)} frames in {files[0].parent}, {len(missing)} are missing: "
            f"{name_some(missing)}; --data.depth names a folder with VIDEO/FRAME.png, grey, the brighter the farther"
        )
    return DepthLayers(_Files(files, size))


class _Files:
    """Item ``t`` is ``(H, W)`` float32 in [0, 1], read when it is asked for."""

    def __init__(self, files: Sequence[Path], size: tuple[int, int]) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        path = self.files[index]
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
        depth = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
        if depth is None or depth.ndim != 2 or depth.dtype not in (np.uint8, np.uint16):
            found = "not readable" if depth is None else f"{depth.dtype} with {depth[0, 0].size} channel(s)"
            raise BadVideo(f"{path} is {found}; a depth map is an 8- or 16-bit grey PNG")
        if depth.shape != tuple(self.size):
            raise BadVideo(
                f"{path} is {depth.shape[1]}x{depth.shape[0]}, but the frames are {self.size[1]}x{self.size[0]}; "
                "export it at their size"
            )
        return depth.astype(np.float32) / np.float32(255 if depth.dtype == np.uint8 else 65535)
