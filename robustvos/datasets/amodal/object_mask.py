"""The mask of one object in a picture of a foreign dataset, however it was saved."""

from __future__ import annotations

import numpy as np
from PIL import Image

from robustvos.errors import BadMask
from robustvos.video.mask_kinds import is_soft

_HALF = 128  # of white


def object_mask(image: Image.Image, where: str) -> np.ndarray:
    """A picture as ``(H, W)`` bool: any index but 0 of a palette, anything but black of colours, grey from 128 on.

    Grey pictures of 0 and 1 alone hold the object as 1.

    Args:
        image: The picture, loaded.
        where: Names it in messages.

    Raises:
        BadMask: If it has 16 bits or more, or is grey of which nothing is white: ids perhaps, of which none is known to be
            the object.
    """
    if image.mode.startswith(("I", "F")):
        raise BadMask(f"{where}: a mask of 16 bits or more (mode {image.mode}); save it as 8 bits, 0 and 255")
    if image.mode in ("P", "1"):
        return np.asarray(image) > 0
    if image.mode not in ("L", "LA", "La"):
        return np.asarray(np.asarray(image.convert("RGB")).any(2))
    values = np.asarray(image.convert("L"))
    most = int(values.max(initial=0))
    if 1 < most < _HALF:
        told = ", ".join(map(str, np.unique(values)[:8]))
        raise BadMask(
            f"{where}: a grey mask whose values are {told}, none of them white (128 to 255); if they are ids, save the "
            "object's mask as 0 and 255, or the ids with a palette"
        )
    return values >= (_HALF if most > 1 else 1)


def has_soft_edges(image: Image.Image) -> bool:
    """Whether a picture is one bright object, grey or coloured, whose edges are smooth or have gone through JPEG."""
    if image.mode in ("P", "1", "L"):
        return is_soft(np.asarray(image).astype(np.uint8))
    return is_soft(_brightest(image))


def mask_of_video(image: Image.Image) -> np.ndarray:
    """A decoded frame as ``(H, W)`` bool: what is at least half as bright as white in some channel; codecs blur edges."""
    return _brightest(image) >= _HALF


def _brightest(image: Image.Image) -> np.ndarray:
    """``(H, W)`` uint8, each pixel's brightest channel: red is as bright as white."""
    return np.ascontiguousarray(np.asarray(image.convert("RGB")).max(2))
