"""A video's annotations, read one frame at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robustvos.video.masks import VOID, masks_from_ids, read_indexed_mask
from robustvos.video.sequence import MaskSequence


class AnnotatedMasks(MaskSequence):
    """Lazy masks of a video: item ``t`` is ``(O, H, W)`` bool, or None where frame ``t`` carries no annotation.

    Args:
        paths: One indexed PNG per frame, or None.
        object_ids: The objects and their order along ``O``.
    """

    def __init__(self, paths: Sequence[Path | None], object_ids: Sequence[int]) -> None:
        super().__init__(paths)
        self.object_ids = tuple(object_ids)
        self._latest: tuple[Path, np.ndarray] | None = None

    def _read(self, index: int, path: Path) -> Tensor:
        self._latest = path, self._ids(path)  # for `void`, which is asked next
        return masks_from_ids(self._latest[1], self.object_ids)

    def _ids(self, path: Path) -> np.ndarray:
        """Read a map of ids, ``(H, W)`` uint8."""
        return read_indexed_mask(path)

    def void(self, index: int) -> Tensor | None:
        """``(H, W)`` bool, pixels marked 255 that no score may count; None where there are none."""
        path = self.paths[index]
        if path is None:
            return None
        ids = self._latest[1] if self._latest is not None and self._latest[0] == path else self._ids(path)
        unknown = ids == VOID
        return torch.from_numpy(unknown) if unknown.any() else None
