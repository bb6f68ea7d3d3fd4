"""What is known of a clip whose things are told apart: which of them each pixel shows, and how far away they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS = 8
"""Layers that a depth map is cut into."""


@dataclass(frozen=True)
class Layers:
    """The things of a clip, and where each is seen.

    Attributes:
        labels: ``(T, H, W)`` uint8, the thing that each pixel shows; 0 is the background.
        depth: ``(L,)`` float in [0, 1], of each thing: 0 at the camera, 1 farthest. The first is the background's.
        depth_map: ``(T, H, W)`` float32 in [0, 1], of each pixel, where that is known; else None.

    Raises:
        ValueError: If a label has no depth, a depth leaves [0, 1], or the map has another shape than the labels.
    """

    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]
    depth_map: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.labels.ndim != 3 or self.labels.dtype != np.uint8:
            raise ValueError(f"labels are uint8 (T, H, W), got {self.labels.dtype} {self.labels.shape}")
        if self.labels.size and int(self.labels.max()) >= len(self.depth):
            raise ValueError(f"label {int(self.labels.max())} has no depth: there are {len(self.depth)}")
        if len(self.depth) and not (self.depth.min() >= 0 and self.depth.max() <= 1):
            raise ValueError(f"depths are in [0, 1], got {self.depth.min():g} to {self.depth.max():g}")
        if self.depth_map is not None and self.depth_map.shape != self.labels.shape:
            raise ValueError(f"the depth map is {self.depth_map.shape}, the labels are {self.labels.shape}")

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

    @classmethod
    def from_depth(cls, depth: NDArray[np.float32]) -> Layers:
        """From a depth map ``(T, H, W)`` in [0, 1]: eight bands of depth, the farthest being the background.

        >>> layers = Layers.from_depth(np.array([[[0.0, 0.5, 1.0]]], np.float32))
        >>> (16 * layers.depth[layers.labels]).tolist()
        [[[1.0, 9.0, 15.0]]]
        """
        band = np.clip((depth * BANDS).astype(int), 0, BANDS - 1)
        middles = ((BANDS - 0.5 - np.arange(BANDS)) / BANDS).astype(np.float32)
        return cls((BANDS - 1 - band).astype(np.uint8), middles, depth)

    def depth_of_pixels(self, index: int) -> NDArray[np.float32]:
        """``(H, W)`` float32, frame ``index``: from the map, else of the thing that each pixel shows."""
        return self.depth[self.labels[index]] if self.depth_map is None else self.depth_map[index]
