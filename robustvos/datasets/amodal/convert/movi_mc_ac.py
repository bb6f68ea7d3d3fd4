"""MOVi-MC-AC (Amar-S/MOVi-MC-AC on the Hub): drawn scenes, several cameras, a clip for each object of each camera.

``<scene>/camera_0000/{rgba,segmentation}_00000.png``, the latter a palette of object ids, and
``camera_0000/obj_0001/segmentation_00000.png``, the whole object; its archives unpack to that, one folder deeper or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from robustvos.datasets.amodal.convert.clip import ForeignClip, mask_of
from robustvos.errors import BadMask, DataNotFound
from robustvos.files.naming import list_folders
from robustvos.video.pictures import UNREADABLE, why_unreadable


def clips(src: Path) -> Iterator[ForeignClip]:
    """Every object of every camera. Raises DataNotFound or BadMask."""
    cameras = sorted(path for path in src.rglob("camera_*") if path.is_dir())
    if not cameras:
        raise DataNotFound(f"looked for <scene>/camera_0000 in {src}, found none; unpack its .tar.gz files there")
    for camera in cameras:
        frames = sorted(camera.glob("rgba_*.png"))
        if not frames:
            raise DataNotFound(f"{camera} holds no rgba_*.png; unpack the archive again")
        for folder in (one for one in list_folders(camera) if one.name.startswith("obj_")):
            number = int(folder.name.removeprefix("obj_"))
            yield ForeignClip(
                f"{camera.parent.name}_{camera.name}_{folder.name}",
                frames,
                partial(_visible, frames, number),
                partial(_whole, frames, folder),
                details={"source": "MOVi-MC-AC", "camera": camera.name, "object": number, "fps": 12},
            )


def _visible(frames: list[Path], number: int, t: int) -> np.ndarray:
    visible: np.ndarray = _ids(frames[t]) == number
    return visible


def _whole(frames: list[Path], folder: Path, t: int) -> np.ndarray:
    return mask_of(folder / _mask_name(frames[t]))


def _mask_name(frame: Path) -> str:
    return frame.name.replace("rgba_", "segmentation_", 1)


def _ids(frame: Path) -> np.ndarray:
    file = frame.with_name(_mask_name(frame))
    try:
        with Image.open(file) as image:
            if image.mode not in ("P", "L", "I", "I;16"):
                raise BadMask(
                    f"{file}: expected a palette of object ids, got mode {image.mode}; unpack the archive again"
                )
            return np.asarray(image)
    except FileNotFoundError as error:
        raise DataNotFound(f"mask {file} does not exist; unpack the archive again") from error
    except UNREADABLE as error:
        raise BadMask(f"{file}: {why_unreadable(error)}; unpack the archive again") from error
