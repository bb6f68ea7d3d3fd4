"""Objects of ACDC-Video under the protocol ``release``: connected regions of class masks, as the public evaluator has them.

Masks say classes, not objects, and no mask says which region of one key frame is which of the next. The evaluator matches
each prediction, on each key frame, with the region of its object's class that overlaps it most, and scores it against
that region; :meth:`RegionMasks.matched_to` does so. Without a prediction at hand :class:`RegionMasks` follows the
regions by the same rule from key frame to key frame.

Differences to the evaluator: it squashes frames and masks to 1024 x 1024 pixels, here they stay as they are, and its
least area of 10 such pixels is converted to the size of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from robustvos.datasets.vos.masks import read_ids, visible_ids
from robustvos.video.sequence import MaskSequence

EVALUATED_SIDE = 1024
LEAST_AREA = 10  # pixels of EVALUATED_SIDE squared
_EIGHT_NEIGHBOURS = np.ones((3, 3))


def regions_of(mask: np.ndarray) -> list[np.ndarray]:
    """Connected regions of an ``(H, W)`` bool mask that are large enough to be scored; corners connect.

    Returns:
        ``(H, W)`` bool masks, in the order of their first pixels, row by row.

    >>> [int(region.sum()) for region in regions_of(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=bool))]
    [2, 3]
    """
    labels, count = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    least = LEAST_AREA * mask.size / EVALUATED_SIDE**2
    return [labels == label for label in range(1, count + 1) if areas[label] >= least]


def largest(regions: Sequence[np.ndarray]) -> np.ndarray:
    """The region of most pixels; the first of several. ``regions`` must not be empty."""
    return max(regions, key=lambda region: int(region.sum()))


def best_region(regions: Sequence[np.ndarray], mask: np.ndarray) -> np.ndarray:
    """The region whose IoU with ``(H, W)`` bool ``mask`` is highest; of several the largest, of these the first.

    A mask that overlaps none of them thus gets the largest: an object that was lost is scored against it, with J = 0.
    """

    def rank(region: np.ndarray) -> tuple[float, int]:
        common = int((region & mask).sum())
        return (common / int((region | mask).sum()) if common else 0.0), int(region.sum())

    return max(regions, key=rank)


class RegionMasks(MaskSequence):
    """Lazy truth of regions: item ``t`` is ``(O, H, W)`` bool, or None where frame ``t`` carries no annotation.

    An object's row is empty where its class has no region, and before the frame that it is prompted on.

    Args:
        paths: One mask of classes a frame, or None.
        classes: Class of each of ``O`` objects, as stored in the masks.
        starts: Frame on which each is prompted, and its region there, ``(H, W)`` bool.
        size: ``(H, W)`` of the frames; a mask of another size raises :class:`robustvos.errors.BadMask`.
    """

    def __init__(
        self,
        paths: Sequence[Path | None],
        classes: Sequence[int],
        starts: Sequence[tuple[int, np.ndarray]],
        size: tuple[int, int],
    ) -> None:
        super().__init__(paths)
        self.classes, self.starts, self.size = tuple(classes), tuple(starts), size
        self._last: tuple[int, tuple[np.ndarray, ...]] | None = None  # going forward reads each key frame once

    def _read(self, index: int, path: Path) -> Tensor:
        """Each object's region, followed from where it was prompted; see the class."""
        begin, followed = -1, tuple(region for _, region in self.starts)
        if self._last is not None and self._last[0] <= index:
            begin, followed = self._last
        shown = followed
        for frame in range(begin if begin >= 0 else 0, index + 1):
            if self.paths[frame] is not None:
                shown = self._matched(frame, followed)
                # Where a class is away for a while, its object is looked for where it was last seen.
                followed = tuple(new if new.any() else old for new, old in zip(shown, followed, strict=True))
        self._last = (index, followed)
        return torch.from_numpy(np.stack(shown))

    def matched_to(self, index: int, prediction: Tensor) -> Tensor | None:
        """The truth that the evaluator scores a prediction against: of each object's class the region that fits it best.

        Args:
            index: Frame.
            prediction: ``(O, H, W)`` bool, on the CPU.

        Returns:
            ``(O, H, W)`` bool; None where the frame carries no annotation.
        """
        if self.paths[index] is None:
            return None
        return torch.from_numpy(np.stack(self._matched(range(len(self))[index], tuple(prediction.numpy()))))

    def _matched(self, frame: int, masks: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        path = self.paths[frame]
        assert path is not None
        ids = read_ids(path, self.size)
        regions = {name: regions_of(ids == name) for name in set(self.classes) & set(visible_ids(ids))}
        nothing = np.zeros(self.size, dtype=bool)
        truth = []
        for name, (start, _), mask in zip(self.classes, self.starts, masks, strict=True):
            if frame < start or not regions.get(name):
                truth.append(nothing)
            else:
                truth.append(best_region(regions[name], mask))
        return tuple(truth)
