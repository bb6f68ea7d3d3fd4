"""Overlap scores of two sequences of masks under every shift in time, exactly.

Masks are packed into 64-bit words, each frame with the box of its pixels; a shift is then a row of ``and`` and of counting bits
over the common boxes. No coarse search is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

_WORD = 64


@dataclass(frozen=True)
class PackedMasks:
    """Masks of one object over time, packed once and compared often.

    Attributes:
        words: ``(T, H, ceil(W / 64))`` uint64.
        boxes: ``(T, 4)`` int64: first row, row after the last, first word, word after the last; zeros where nothing is set.
    """

    words: np.ndarray
    boxes: np.ndarray


def pack_masks(masks: np.ndarray) -> PackedMasks:
    """Pack ``(T, H, W)`` bool."""
    bits = np.packbits(masks, axis=-1, bitorder="little")
    count = -(-masks.shape[2] // _WORD)
    padded = np.zeros((*masks.shape[:2], count * 8), np.uint8)
    padded[..., : bits.shape[2]] = bits
    words = padded.view(np.uint64)
    boxes = np.zeros((len(masks), 4), np.int64)
    _find_boxes(words, boxes)
    return PackedMasks(words, boxes)


def overlap_scores(first: PackedMasks, second: PackedMasks) -> tuple[np.ndarray, np.ndarray]:
    """S(shift) = sum_t |first[t] & second[t - shift]| for every shift at which any frame of both falls together.

    Returns:
        Shifts, ``(T1 + T2 - 1,)`` int64 from ``-(T2 - 1)`` to ``T1 - 1``; and the scores, int64, in pixels.

    Raises:
        ValueError: If the masks differ in size.

    Source: section 4.1.1 of the Real-VAS paper.
    """
    if first.words.shape[1:] != second.words.shape[1:]:
        raise ValueError(f"masks of {first.words.shape[1:]} and {second.words.shape[1:]} words have no common pixels")
    shifts = np.arange(-(len(second.words) - 1), len(first.words))
    scores = np.zeros(len(shifts), np.int64)
    _score(first.words, first.boxes, second.words, second.boxes, scores)
    return shifts, scores


def overlap_areas(first: PackedMasks, second: PackedMasks, shift: int) -> np.ndarray:
    """``|first[t] & second[t - shift]|`` for each ``t`` of ``first``: ``(T1,)`` int64."""
    areas = np.zeros(len(first.words), np.int64)
    for t in range(max(0, shift), min(len(first.words), len(second.words) + shift)):
        areas[t] = int(np.bitwise_count(first.words[t] & second.words[t - shift]).sum())
    return areas


@numba.njit(cache=True, nogil=True)
def _count(word: np.uint64) -> np.uint64:
    """Set bits of a uint64; LLVM makes one instruction of it."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit(cache=True, nogil=True)
def _find_boxes(words: np.ndarray, boxes: np.ndarray) -> None:
    frames, rows, columns = words.shape
    for t in range(frames):
        top, bottom, left, right = rows, 0, columns, 0
        for y in range(rows):
            for x in range(columns):
                if words[t, y, x] != 0:
                    top = min(top, y)
                    bottom = y + 1
                    left = min(left, x)
                    right = max(right, x + 1)
        if bottom > 0:
            boxes[t, 0], boxes[t, 1], boxes[t, 2], boxes[t, 3] = top, bottom, left, right


@numba.njit(cache=True, nogil=True)
def _score(
    first: np.ndarray, first_boxes: np.ndarray, second: np.ndarray, second_boxes: np.ndarray, scores: np.ndarray
) -> None:
    length, other = len(first), len(second)
    for index in range(len(scores)):
        shift = index - (other - 1)
        total = np.uint64(0)
        for t in range(max(0, shift), min(length, other + shift)):
            s = t - shift
            top = max(first_boxes[t, 0], second_boxes[s, 0])
            bottom = min(first_boxes[t, 1], second_boxes[s, 1])
            left = max(first_boxes[t, 2], second_boxes[s, 2])
            right = min(first_boxes[t, 3], second_boxes[s, 3])
            for y in range(top, bottom):
                for x in range(left, right):
                    total += _count(first[t, y, x] & second[s, y, x])
        scores[index] = total
