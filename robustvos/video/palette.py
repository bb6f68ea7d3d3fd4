"""The palette that makes an indexed mask look like those of DAVIS."""

from __future__ import annotations

from functools import cache


@cache
def davis_palette() -> tuple[tuple[int, int, int], ...]:
    """The 256 RGB colours of DAVIS's and PASCAL VOC's masks; colour 0, the background, is black.

    Bits 0, 1 and 2 of an id become the highest free bit of red, green and blue, then bits 3, 4 and 5 the next, and so
    on: near ids get far colours.

    >>> davis_palette()[:5]
    ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))

    Source: the development kit of Everingham et al., PASCAL VOC 2012 (its colour map).
    """
    return tuple(_colour(index) for index in range(256))


def _colour(index: int) -> tuple[int, int, int]:
    channels = [0, 0, 0]
    for level in range(8):
        for channel in range(3):
            channels[channel] |= ((index >> (3 * level + channel)) & 1) << (7 - level)
    return channels[0], channels[1], channels[2]
