"""Where the pixels and frames of a clip lie in what an external system was given, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from robustvos.errors import BadMask
from robustvos.external.recipe import Recipe


@dataclass(frozen=True)
class Placement:
    """One clip's.

    Attributes:
        size: ``(height, width)`` of the clip.
        canvas: Of what is given.
        box: ``(top, left, height, width)`` of the frame on the canvas.
        taken: Index of the clip's frame behind each frame given.
        frames: Number of the clip's frames.
    """

    size: tuple[int, int]
    canvas: tuple[int, int]
    box: tuple[int, int, int, int]
    taken: tuple[int, ...]
    frames: int

    @classmethod
    def of(cls, recipe: Recipe, size: tuple[int, int], frames: int) -> Placement:
        """As a recipe has it."""
        height, width = canvas = recipe.canvas or size
        box = (0, 0, height, width)
        if recipe.fit == "letterbox":
            scale = min(height / size[0], width / size[1])
            rows, columns = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
            box = ((height - rows) // 2, (width - columns) // 2, rows, columns)
        taken = list(range(frames))
        if recipe.count:
            taken = [int(t) for t in np.linspace(0, frames - 1, recipe.count).round()]
        taken += [frames - 1] * (recipe.least - len(taken))
        return cls(size, canvas, box, tuple(taken), frames)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Placement:
        """What :meth:`to_json` wrote."""
        size, canvas, box, taken = (tuple(content[key]) for key in ("size", "canvas", "box", "taken"))
        return cls(size, canvas, box, taken, content["frames"])

    def to_json(self) -> dict[str, Any]:
        """As it stands in ``export.json``."""
        return asdict(self)

    def changes(self) -> list[str]:
        """What was done to the clip, a line each; none if nothing was."""
        lines = []
        if self.canvas != self.size:
            (h, w), (rows, columns) = self.size, self.box[2:]
            lines.append(f"frames resized from {w}x{h} to {columns}x{rows} (bilinear; masks by nearest neighbour)")
        if self.box[2:] != self.canvas:
            lines.append(
                f"padded with black to {self.canvas[1]}x{self.canvas[0]}, frame at {self.box[1]},{self.box[0]}"
            )
        kept = len(set(self.taken))
        if kept < self.frames:
            lines.append(f"{kept} of {self.frames} frames given; each other frame takes the mask of the nearest given")
        if len(self.taken) > kept:
            lines.append(f"padded in time from {kept} to {len(self.taken)} frames by repetition")
        return lines

    def place(self, pixels: np.ndarray, *, mask: bool = False) -> np.ndarray:
        """``(H, W)`` or ``(H, W, 3)`` uint8 of the clip, on the canvas."""
        if self.canvas == self.size:
            return pixels
        top, left, rows, columns = self.box
        how = Image.Resampling.NEAREST if mask else Image.Resampling.BILINEAR
        canvas = np.zeros((*self.canvas, *pixels.shape[2:]), np.uint8)
        canvas[top : top + rows, left : left + columns] = np.asarray(
            Image.fromarray(pixels).resize((columns, rows), how)
        )
        return canvas

    def restore(self, mask: np.ndarray) -> np.ndarray:
        """A mask ``(h, w)`` bool of the whole canvas at any scale, at the clip's own size by nearest neighbour."""
        (top, left, rows, columns), (height, width) = self.box, self.canvas
        y = (top + (np.arange(self.size[0]) + 0.5) * rows / self.size[0]) * mask.shape[0] / height
        x = (left + (np.arange(self.size[1]) + 0.5) * columns / self.size[1]) * mask.shape[1] / width
        return mask[np.ix_(y.astype(int), x.astype(int))]

    def nearest_given(self) -> np.ndarray:
        """For each frame of the clip the index of the nearest frame given, the earlier of two."""
        nearest: np.ndarray = np.abs(np.subtract.outer(np.arange(self.frames), np.asarray(self.taken))).argmin(1)
        return nearest

    def check_size(self, seen: Sequence[int], wanted: tuple[int, int], where: str) -> None:
        """Raise BadMask unless an output has the size that the recipe says."""
        if tuple(seen) != tuple(wanted):
            (h, w), (rows, columns) = wanted, seen
            raise BadMask(f"{where}: masks are {columns}x{rows}, expected {w}x{h}; is it the output for this export?")
