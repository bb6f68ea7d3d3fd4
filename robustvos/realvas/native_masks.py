"""Masks of one object at the video's own rate and size, kept as crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustvos.errors import DataNotFound
from robustvos.files.arrays import UNREADABLE_ARRAYS

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class NativeMask:
    """One frame.

    Attributes:
        box: ``x0, y0, x1, y1`` of the crop.
        obj: ``(y1 - y0, x1 - x0)`` bool, the object.
        region: The same size: the object with its shadow and reflection.
        doubt: Why the object's mask is not to be trusted; empty if it is.
    """

    box: Box
    obj: np.ndarray
    region: np.ndarray
    doubt: str = ""

    @property
    def window(self) -> tuple[slice, slice]:
        """The crop as an index."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)

    def full(self, size: tuple[int, int], name: str = "obj") -> np.ndarray:
        """``obj`` or ``region`` on the whole frame, ``(H, W)`` bool."""
        canvas = np.zeros(size, bool)
        canvas[self.window] = getattr(self, name)
        return canvas


def write_native_masks(masks: dict[int, NativeMask], path: Path) -> None:
    """Write masks by frame as a compressed ``.npz``; equal masks give equal bytes."""
    frames = sorted(masks)
    ordered = [masks[t] for t in frames]
    np.savez_compressed(
        path,
        frames=np.array(frames, np.int64),
        boxes=np.array([m.box for m in ordered], np.int64).reshape(-1, 4),
        objects=np.packbits(np.concatenate([m.obj.ravel() for m in ordered] or [np.zeros(0, bool)])),
        regions=np.packbits(np.concatenate([m.region.ravel() for m in ordered] or [np.zeros(0, bool)])),
        doubts=np.array([m.doubt for m in ordered], dtype=str),
    )


def read_native_masks(path: Path) -> dict[int, NativeMask]:
    """Read them back.

    Raises:
        DataNotFound: If the file is missing or broken.
    """
    try:
        with np.load(path) as held:
            boxes = held["boxes"]
            areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            ends = np.concatenate([[0], np.cumsum(areas)])
            flat = [np.unpackbits(held[name], count=int(ends[-1])).astype(bool) for name in ("objects", "regions")]
            masks = {}
            for k, (t, box, doubt) in enumerate(zip(held["frames"], boxes, held["doubts"], strict=True)):
                shape = (int(box[3] - box[1]), int(box[2] - box[0]))
                obj, region = (values[ends[k] : ends[k + 1]].reshape(shape) for values in flat)
                x0, y0, x1, y1 = (int(v) for v in box)
                masks[int(t)] = NativeMask((x0, y0, x1, y1), obj, region, str(doubt))
            return masks
    except FileNotFoundError as error:
        raise DataNotFound(f"{path} is missing; run the stage 'propagate' again") from error
    except UNREADABLE_ARRAYS as error:
        raise DataNotFound(f"{path} cannot be read ({error}); run the stage 'propagate' again") from error
