"""Object ids as the public RobustPVOS evaluator sees them: the grey level of each id's colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def read_lumas(path: Path) -> tuple[int, ...]:
    """The grey level of each id of an indexed mask, 0 to 255; in a greyscale mask, the id itself.

    The evaluator turns masks into grey before it looks for objects, so its "lowest id" is that of the darkest colour.

    Args:
        path: An 8-bit palette or greyscale PNG that :func:`robustvos.video.masks.read_indexed_mask` takes.
    """
    with Image.open(path) as image:
        palette = image.getpalette() if image.mode == "P" else None
    return tuple(range(256)) if palette is None else lumas_of_palette(palette)


def lumas_of_palette(palette: Iterable[int]) -> tuple[int, ...]:
    """The grey level of each of 256 colours, given as red, green, blue, red, ...; colours that are not given are black.

    >>> lumas_of_palette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128])[:5]
    (0, 38, 75, 113, 15)
    """
    ids = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    ids.putpalette(list(palette))
    return tuple(np.asarray(ids.convert("L"))[0].tolist())


def lowest_by_luma(object_ids: Sequence[int], mask_path: Path, limit: int | None) -> tuple[int, ...]:
    """The ``limit`` objects of the darkest colours, darkest first; None: all.

    Args:
        object_ids: Ids as stored.
        mask_path: The indexed mask whose palette has the colours.
        limit: How many.
    """
    lumas = read_lumas(mask_path)
    return tuple(sorted(object_ids, key=lambda object_id: (lumas[object_id], object_id))[:limit])
