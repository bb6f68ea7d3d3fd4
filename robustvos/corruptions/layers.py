"""What is known of a clip whose things are told apart: which of them each pixel shows, and how far away they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BANDS = 8
"""Layers that a depth map is cut into, at most."""


@dataclass(frozen=True)
class Layers:
    """The things of a clip, and where each is seen.

    Attributes:
        labels: ``(T, H, W)`` uint8, the thing that each pixel shows; 0 is the background.
        depth: ``(L,)`` float in [0, 1], of each thing: 0 at the camera, 1 farthest. The first is the background's.

    Raises:
        ValueError: If a label has no depth, or a depth leaves [0, 1].
    """

    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.labels.ndim != 3 or self.labels.dtype != np.uint8:
            raise ValueError(f"labels are uint8 (T, H, W), got {self.labels.dtype} {self.labels.shape}")
        if self.labels.size and int(self.labels.max()) >= len(self.depth):
            raise ValueError(f"label {int(self.labels.max())} has no depth: there are {len(self.depth)}")
        if len(self.depth) and not (self.depth.min() >= 0 and self.depth.max() <= 1):
            raise ValueError(f"depths are in [0, 1], got {self.depth.min():g} to {self.depth.max():g}")

    @classmethod
    def from_masks(cls, masks: NDArray[np.bool_], depth: NDArray[np.float32]) -> Layers:
        """From ``(T, O, H, W)`` masks of what is seen and ``(O,)`` depths; all else is background at depth 1.

        >>> masks = np.zeros((1, 1, 2, 2), bool)
        >>> masks[0, 0, 0] = True
        >>> layers = Layers.from_masks(masks, np.array([0.25], np.float32))
        >>> layers.labels.tolist(), layers.depth.tolist()
        ([[[1, 1], [0, 0]]], [1.0, 0.25])
        """
        labels = np.zeros((len(masks), *masks.shape[2:]), np.uint8)
        for number in range(masks.shape[1]):
            labels[masks[:, number]] = number + 1
        return cls(labels, np.concatenate([[1.0], depth]).astype(np.float32))

    def first(self, count: int) -> Layers:
        """Of the first ``count`` frames, or of all where there are fewer."""
        return Layers(self.labels[:count], self.depth)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(T, H, W)``."""
        length, height, width = self.labels.shape
        return length, height, width

    def labels_at(self, index: int) -> NDArray[np.uint8]:
        """``(H, W)``, what each pixel of frame ``index`` shows."""
        labels: NDArray[np.uint8] = self.labels[index]
        return labels

    def depth_at(self, index: int) -> NDArray[np.float32]:
        """``(H, W)``, the depth of the thing that each pixel of frame ``index`` shows; it jumps from thing to thing."""
        depth: NDArray[np.float32] = self.depth[self.labels[index]]
        return depth


class DepthMaps(Protocol):
    """A depth map for each frame, ``(H, W)`` float32 in [0, 1], 1 farthest: an array ``(T, H, W)``, or what reads them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> NDArray[np.float32]: ...


class DepthLayers:
    """Layers cut out of depth maps: bands of equal depth, those of the first frame; the farthest is the background.

    Args:
        maps: One a frame, taken when it is needed.

    Attributes:
        depth: ``(L,)`` float32, the middle of each band that the first map has.
        shape: ``(T, H, W)``.

    >>> layers = DepthLayers(np.array([[[0.0, 0.5, 1.0]]], np.float32))
    >>> (16 * layers.depth[layers.labels_at(0)]).tolist()
    [[1.0, 9.0, 15.0]]
    """

    def __init__(self, maps: DepthMaps) -> None:
        self._maps = maps
        self._latest: tuple[int, NDArray[np.float32]] | None = None
        first = self.depth_at(0)
        self.shape = (len(maps), *first.shape)
        bands = np.unique(_bands(first))[::-1]
        self.depth = ((bands + 0.5) / BANDS).astype(np.float32)
        self._label = np.abs(np.arange(BANDS)[:, None] - bands).argmin(1).astype(np.uint8)  # the nearest that there is

    def labels_at(self, index: int) -> NDArray[np.uint8]:
        """``(H, W)``, the band of each pixel of frame ``index``."""
        labels: NDArray[np.uint8] = self._label[_bands(self.depth_at(index))]
        return labels

    def depth_at(self, index: int) -> NDArray[np.float32]:
        """``(H, W)``, the map of frame ``index``."""
        if self._latest is None or self._latest[0] != index:
            self._latest = index, self._maps[index]
        return self._latest[1]


def _bands(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Number of the band of each pixel, 0 the nearest."""
    return np.clip(depth * BANDS, 0, BANDS - 1).astype(np.uint8)


AnyLayers = Layers | DepthLayers
