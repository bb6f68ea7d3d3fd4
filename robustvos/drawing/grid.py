"""Pictures in rows and columns, each row with its name and a note before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from robustvos.drawing.draw import INK, PAPER, font

_QUIET = (104, 112, 122)
_GAP = 4


@dataclass(frozen=True)
class GridRow:
    """A row of a grid.

    Attributes:
        name: Written before it.
        images: ``(3, H, W)`` uint8 each, one size in the whole grid; None leaves a place empty.
        note: A few words under the name.
    """

    name: str
    images: Sequence[Tensor | None]
    note: str = ""


def labelled_grid(rows: Sequence[GridRow], columns: Sequence[str] = (), title: str = "") -> Tensor:
    """One picture of many: names to the left, headings above, a title over all.

    Args:
        rows: At least one, each with as many images.
        columns: A heading for each column; none if empty.
        title: One line; none if empty.

    Returns:
        ``(3, H, W)`` uint8 on white.

    Raises:
        ValueError: If there is no image, rows or headings differ in number, or images in size.
    """
    height, width, count = _measure(rows, columns)
    size = max(13, height // 9)
    name_face, note_face = font(size), font(max(11, round(size * 0.75)))
    texts = [(name_face, row.name) for row in rows] + [(note_face, row.note) for row in rows]
    left = max(round(face.getlength(text)) for face, text in texts) + size
    top = (round(size * 2.4) if title else 0) + (round(size * 1.7) if columns else 0)
    title_face = font(round(size * 1.3))
    across = max(left + count * (width + _GAP) - _GAP, round(title_face.getlength(title)) + size)
    whole = Image.new("RGB", (across, top + len(rows) * (height + _GAP) - _GAP), PAPER)
    draw = ImageDraw.Draw(whole)
    draw.text((size // 3, size * 0.5), title, font=title_face, fill=INK)
    for column, heading in enumerate(columns):
        middle = left + column * (width + _GAP) + width / 2
        draw.text((middle, top - size * 0.45), heading, font=note_face, fill=_QUIET, anchor="ms")
    for number, row in enumerate(rows):
        y = top + number * (height + _GAP)
        middle = y + height / 2 - (size * 0.6 if row.note else 0)
        draw.text((left - size / 2, middle), row.name, font=name_face, fill=INK, anchor="rm")
        draw.text((left - size / 2, middle + size * 1.25), row.note, font=note_face, fill=_QUIET, anchor="rm")
        for column, image in enumerate(row.images):
            if image is not None:
                pixels = np.ascontiguousarray(image.cpu().permute(1, 2, 0).numpy())
                whole.paste(Image.fromarray(pixels), (left + column * (width + _GAP), y))
    return torch.from_numpy(np.array(whole)).permute(2, 0, 1).contiguous()


def _measure(rows: Sequence[GridRow], columns: Sequence[str]) -> tuple[int, int, int]:
    """Height and width of an image, and how many a row holds."""
    counts = {len(row.images) for row in rows} | ({len(columns)} if columns else set())
    sizes = {tuple(image.shape[-2:]) for row in rows for image in row.images if image is not None}
    if len(counts) != 1 or len(sizes) != 1:
        raise ValueError(
            f"a grid needs rows of one length and images of one size, got {sorted(counts)} columns of {sorted(sizes)}"
        )
    ((height, width),) = sizes
    return height, width, counts.pop()
