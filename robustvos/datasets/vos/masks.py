"""Annotations of a video, checked against its frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from robustvos.errors import BadMask
from robustvos.video.annotations import AnnotatedMasks
from robustvos.video.ids import ids_in
from robustvos.video.masks import VOID, read_black_and_white, read_indexed_mask

_UPRIGHT = ", as they are shown: these may lie on their side by their EXIF orientation"


def read_ids(path: Path, size: tuple[int, int], binary: bool = False) -> np.ndarray:
    """Read a map of object ids.

    Args:
        path: An indexed PNG.
        size: ``(H, W)`` of the frame.
        binary: Everything but black is object 1 (DAVIS 2016); of soft edges, what is more white than black.

    Returns:
        ``(H, W)`` uint8; 0 is the background, 255 is void unless ``binary``.

    Raises:
        DataNotFound: If there is no such file.
        BadMask: If it is no indexed mask, or has another size than the frame.
    """
    ids = read_black_and_white(path)[0].astype(np.uint8) if binary else read_indexed_mask(path)
    if ids.shape != tuple(size):
        raise BadMask(
            f"{path} is {ids.shape[1]}x{ids.shape[0]}, but the frames are {size[1]}x{size[0]}; "
            f"export the masks at the size of the frames{_UPRIGHT if ids.shape == tuple(size)[::-1] else ''}"
        )
    return ids


def visible_ids(ids: np.ndarray) -> tuple[int, ...]:
    """Objects in an ``(H, W)`` uint8 map, ascending; neither background nor void.

    >>> visible_ids(np.array([[0, 7], [255, 2]], dtype=np.uint8))
    (2, 7)
    """
    return tuple(sorted(ids_in(ids) - {0, VOID}))


def object_ids_of(name: str, paths: Sequence[Path | None], size: tuple[int, int], binary: bool) -> tuple[int, ...]:
    """Every object that a video's annotations show, ascending.

    Raises:
        BadMask: If they show none, or nothing but 255; or see :func:`read_ids`.
    """
    seen: set[int] = set()
    for path in paths:
        if path is not None:
            seen |= ids_in(read_ids(path, size, binary))
    objects = tuple(sorted(seen - {0, VOID}))
    if not objects and VOID in seen:
        raise BadMask(
            f"video '{name}': its masks hold no id but 255, which means void; if white marks the object, as in "
            "DAVIS 2016, set --data.binary true"
        )
    if not objects:
        count = sum(path is not None for path in paths)
        raise BadMask(
            f"video '{name}': no object in {count} annotated frame(s); annotate it, or leave it out of the list"
        )
    return objects


class VideoMasks(AnnotatedMasks):
    """Lazy masks of a video: item ``t`` is ``(O, H, W)`` bool, or None where frame ``t`` carries no annotation.

    Args:
        paths: One indexed PNG a frame, or None.
        object_ids: The objects and their order along ``O``.
        size: ``(H, W)`` of the frames; a mask of another size raises :class:`BadMask`.
        binary: Everything but black is object 1.
    """

    def __init__(
        self, paths: Sequence[Path | None], object_ids: Sequence[int], size: tuple[int, int], binary: bool = False
    ) -> None:
        super().__init__(paths, object_ids)
        self.size = size
        self.binary = binary

    def _ids(self, path: Path) -> np.ndarray:
        return read_ids(path, self.size, self.binary)

    def void(self, index: int) -> Tensor | None:
        """Pixels that no score may count; there are none in black-and-white masks."""
        return None if self.binary else super().void(index)
