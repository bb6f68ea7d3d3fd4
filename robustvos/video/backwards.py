"""A video from its end to its beginning, and masks that wait for their turn."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_CHUNK = 16  # frames in memory: decoders go forwards, and begin at a key frame


def backwards(frames: Sequence[Tensor], start: int, stop: int = 0) -> Iterator[tuple[int, Tensor]]:
    """Frames ``start``, ``start - 1``, ... ``stop`` with their indices; sixteen are in memory at a time.

    >>> [index for index, _ in backwards([torch.zeros(1)] * 40, 37, 35)]
    [37, 36, 35]
    """
    while start >= stop:
        first = max(stop, start - _CHUNK + 1)
        chunk = [frames[index] for index in range(first, start + 1)]
        for index in range(start, first - 1, -1):
            yield index, chunk[index - first]
        start = first - 1


@dataclass(frozen=True)
class PackedMasks:
    """``(O, H, W)`` bool masks in a few hundred bytes each.

    >>> masks = torch.rand(2, 5, 7) > 0.5
    >>> bool((PackedMasks.of(masks).masks == masks).all())
    True
    """

    data: bytes
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, masks: Tensor) -> PackedMasks:
        """Pack masks on any device."""
        bits = np.packbits(masks.cpu().numpy())
        count, height, width = masks.shape
        return cls(zlib.compress(bits.tobytes(), 1), (count, height, width))

    @property
    def masks(self) -> Tensor:
        """The masks, on the CPU."""
        bits = np.frombuffer(zlib.decompress(self.data), np.uint8)
        return torch.from_numpy(np.unpackbits(bits, count=int(np.prod(self.shape))).astype(bool).reshape(self.shape))
