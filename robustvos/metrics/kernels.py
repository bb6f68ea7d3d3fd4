"""J, F and the amodal counts of masks as NumPy arrays: no torch, and work in the objects' boxes alone.

The functions of :mod:`robustvos.metrics.functional` wrap them for tensors; scoring of folders calls them directly.

Contours are matched on bit planes: 64 pixels a word, rows padded with a gap at least as wide as the distance of matching, so
that what a shift carries out of a row at one side falls into the gap and not into the next row. Both masks of a pair lie in
one array, one above the other with a gap between them, and go through every operation together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

ContourMap = Literal["davis", "cross", "square"]
"""Which pixels are a mask's contour. ``davis``: those that differ from their right, lower or lower right neighbour, of the
mask or not. ``cross``, ``square``: those of the mask that an erosion by a cross or a square of 3 x 3 pixels takes away, with
nothing beyond the frame."""

_WORD = np.dtype("<u8")
_ONES_IN_BYTE = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)


class PairScore(NamedTuple):
    """One object in one frame.

    Attributes:
        region: J; 1 where both masks are empty.
        contour: F; 1 where neither mask has a contour, 0 where only one has.
        present: Whether the true mask is not empty.
    """

    region: float
    contour: float
    present: bool


class IdPlanes(Sequence[np.ndarray]):
    """The masks of a map of ids, one ``(H, W)`` bool plane an object, each made when it is asked for.

    Sixty objects of a frame then need one plane of memory, not sixty.

    Args:
        ids: ``(H, W)`` integers.
        object_ids: The objects, in order; one that does not occur has an empty mask.
    """

    dtype = np.dtype(bool)

    def __init__(self, ids: np.ndarray, object_ids: Sequence[int]) -> None:
        self.ids, self.object_ids = ids, tuple(object_ids)
        self.shape = (len(self.object_ids), *ids.shape)

    def __len__(self) -> int:
        return len(self.object_ids)

    def __getitem__(self, index: Any) -> Any:
        return self.ids == self.object_ids[index]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.ids == object_id for object_id in self.object_ids)


def check_masks(prediction: Any, *others: Any) -> None:
    """Ask that masks, arrays or tensors, are bool and equal in shape, with at least two dimensions.

    Raises:
        ValueError: If not.
    """
    for mask in (prediction, *others):
        if not str(mask.dtype).endswith("bool"):
            raise ValueError(f"masks must be bool, got {mask.dtype}; threshold logits at 0 first")
    shapes = [tuple(mask.shape) for mask in (prediction, *others)]
    if len(set(shapes)) > 1:
        raise ValueError(f"masks must have equal shapes, got {' and '.join(map(str, shapes))}")
    if len(shapes[0]) < 2:
        raise ValueError(f"masks must end in (H, W), got {shapes[0]}")


def matching_radius(size: Sequence[int], tolerance: float, whole_pixels: bool) -> float:
    """Distance in pixels at which contours match: a part of the diagonal of ``(H, W)``, rounded up if ``whole_pixels``.

    >>> matching_radius((480, 854), 0.008, True)
    8
    """
    radius = tolerance * math.hypot(*size)
    return math.ceil(radius) if whole_pixels else radius


def score_pair(predicted: np.ndarray, true: np.ndarray, radius: float, contour: ContourMap = "davis") -> PairScore:
    """J and F of one object in one frame.

    Args:
        predicted: ``(H, W)`` bool.
        true: The same shape.
        radius: Distance in pixels at which contours match, at least 0.
        contour: Which pixels are a contour.
    """
    box = union_box(predicted, true)
    if box is None:
        return PairScore(1.0, 1.0, False)
    intersection, union, area = _overlap(predicted[box], true[box])
    return PairScore(intersection / union, _contour_accuracy(predicted, true, box, radius, contour), area > 0)


def region_similarity(predicted: np.ndarray, true: np.ndarray) -> float:
    """J of two ``(H, W)`` bool masks; 1 where both are empty."""
    box = union_box(predicted, true)
    if box is None:
        return 1.0
    intersection, union, _ = _overlap(predicted[box], true[box])
    return intersection / union


def contour_accuracy(predicted: np.ndarray, true: np.ndarray, radius: float, contour: ContourMap = "davis") -> float:
    """F of two ``(H, W)`` bool masks; see :func:`score_pair`."""
    box = union_box(predicted, true)
    return 1.0 if box is None else _contour_accuracy(predicted, true, box, radius, contour)


def amodal_counts(predicted: np.ndarray, amodal: np.ndarray, modal: np.ndarray, signed_difference: bool) -> list[int]:
    """The seven counts of :func:`robustvos.metrics.functional.amodal_counts` of ``(H, W)`` bool masks.

    A histogram of the eight kinds of pixels that three masks make holds all of them.
    """
    box = union_box(predicted | modal, amodal)
    if box is None:
        return [0] * 7
    kinds = (
        predicted[box].view(np.uint8)
        + amodal[box].view(np.uint8) * np.uint8(2)
        + modal[box].view(np.uint8) * np.uint8(4)
    )
    n = np.bincount(kinds.reshape(-1), minlength=8).tolist()  # of pixels by p + 2 a + 4 m
    counts = [n[3] + n[7], n[1] + n[2] + n[3] + n[5] + n[6] + n[7]]
    if signed_difference:  # P xor M and A xor M
        hidden = [n[3] + n[4], n[1] + n[2] + n[3] + n[4] + n[5] + n[6]]
        return [*counts, *hidden, n[2] + n[3] + n[6] + n[7], n[4] + n[5] + n[6] + n[7], n[2] + n[3] + n[4] + n[5]]
    # M outside A is dropped, so that P is hidden there
    return [*counts, n[3], n[1] + n[2] + n[3] + n[5], n[2] + n[3] + n[6] + n[7], n[6] + n[7], n[2] + n[3]]


def union_box(one: np.ndarray, other: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of the smallest box around the pixels of two ``(H, W)`` bool masks; None where both are empty."""
    import cv2  # here, since the scores' names are read where no picture is

    x, y, width, height = cv2.boundingRect((one | other).view(np.uint8))
    return (slice(y, y + height), slice(x, x + width)) if width else None


def _overlap(predicted: np.ndarray, true: np.ndarray) -> tuple[int, int, int]:
    """Pixels in both, in either, and in ``true``."""
    both, area = int(np.count_nonzero(predicted & true)), int(np.count_nonzero(true))
    return both, int(np.count_nonzero(predicted)) + area - both, area


def _contour_accuracy(
    predicted: np.ndarray, true: np.ndarray, box: tuple[slice, slice], radius: float, kind: ContourMap
) -> float:
    # Contours lie in the box and one pixel above and left of it; the pixel below and right tells inside from outside.
    rows, columns = (slice(max(part.start - 1, 0), part.stop + 1) for part in box)
    pair = np.stack([predicted[rows, columns], true[rows, columns]])
    contours = contour_bits(pair, math.floor(radius), kind)
    length, true_length = _counts(contours)
    if not length or not true_length:
        return float(length == true_length)
    matched, true_matched = _counts(contours & dilate(contours, radius)[::-1])
    if not matched:
        return 0.0
    precision, recall = matched / length, true_matched / true_length
    return 2 * precision * recall / (precision + recall)


def contour_bits(pair: np.ndarray, gap: int, kind: ContourMap) -> np.ndarray:
    """The contours of two masks as bit planes.

    Args:
        pair: ``(2, H, W)`` bool.
        gap: At least so many empty columns and rows come after each mask's.
        kind: Which pixels are a contour.

    Returns:
        ``(2, rows, words)`` uint64; bit ``x % 64`` of word ``x // 64`` of a row is pixel ``x``.
    """
    _, height, width = pair.shape
    gap = max(gap, 1)
    words = -(-(width + gap) // 64)
    padded = np.zeros((2, height + gap, 64 * words), dtype=bool)
    padded[:, :height, :width] = pair
    if kind == "davis":  # the frame's edge repeats, so that the last row and column have no neighbours that differ
        padded[:, height, :width] = pair[:, -1]
        padded[:, : height + 1, width] = padded[:, : height + 1, width - 1]
    bits = np.packbits(padded.reshape(-1), bitorder="little").view(_WORD)
    found = (_davis_contour if kind == "davis" else _rim)(bits, words, kind == "square").reshape(2, -1, words)
    found[:, height:] = 0
    found[:, :, (width - 1) // 64 + 1 :] = 0
    found[:, :, (width - 1) // 64] &= _WORD.type((1 << ((width - 1) % 64 + 1)) - 1)
    return found


def _davis_contour(bits: np.ndarray, words: int, _: bool) -> np.ndarray:
    """Pixels that differ from their right, lower or lower right neighbour."""
    right = _lower(bits, 1)
    some, every = bits | right, bits & right
    found = some.copy()
    found[:-words] |= some[words:]
    every[:-words] &= every[words:]
    edge: np.ndarray = found ^ every
    return edge


def _rim(bits: np.ndarray, words: int, square: bool) -> np.ndarray:
    """Pixels of the mask with one of their four neighbours, or of all eight, outside the mask or the frame."""
    beside = bits & _lower(bits, 1) & _higher(bits, 1)
    core = beside if square else bits
    kept = np.zeros_like(bits)
    kept[words:-words] = beside[words:-words] & core[: -2 * words] & core[2 * words :]
    rim: np.ndarray = bits & ~kept
    return rim


def dilate(planes: np.ndarray, radius: float) -> np.ndarray:
    """Every pixel within ``radius`` of a set pixel, and possibly pixels in the gaps.

    The disk is a stack of horizontal runs. From its top towards its middle the runs grow, so each is grown out of the one
    before.

    Args:
        planes: ``(N, rows, words)`` bits with a gap of at least ``floor(radius)`` columns and rows, see
            :func:`contour_bits`.
        radius: In pixels, at least 0; exact for any number.
    """
    words = planes.shape[-1]
    run = planes.reshape(-1)
    grown = np.zeros_like(run)
    for distance, steps in _disk(radius):
        for step in steps:
            run = run | _lower(run, step) | _higher(run, step)
        shift = distance * words
        if not shift:
            grown |= run
        elif shift < len(run):
            grown[shift:] |= run[:-shift]
            grown[:-shift] |= run[shift:]
    return grown.reshape(planes.shape)


@lru_cache(64)
def _disk(radius: float) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """For each row of a disk, from its top to its middle: its distance from the middle, and steps by which its run grows.

    A run grows gaplessly by at most its own length.

    >>> _disk(2)
    ((2, ()), (1, (1,)), (0, (1,)))
    """
    rows, half = [], 0
    for distance in range(math.floor(radius), -1, -1):
        steps = []
        while (missing := math.isqrt(math.floor(radius * radius) - distance * distance) - half) > 0:
            steps.append(min(missing, 2 * half + 1, 63))
            half += steps[-1]
        rows.append((distance, tuple(steps)))
    return tuple(rows)


def _lower(bits: np.ndarray, count: int) -> np.ndarray:
    """Pixel ``x`` becomes what pixel ``x + count`` was; 1 to 63."""
    shifted = bits >> _WORD.type(count)
    shifted[:-1] |= bits[1:] << _WORD.type(64 - count)
    return shifted


def _higher(bits: np.ndarray, count: int) -> np.ndarray:
    """Pixel ``x`` becomes what pixel ``x - count`` was; 1 to 63."""
    shifted = bits << _WORD.type(count)
    shifted[1:] |= bits[:-1] >> _WORD.type(64 - count)
    return shifted


def _counts(planes: np.ndarray) -> list[int]:
    """Number of set pixels of each plane."""
    numpy2 = hasattr(np, "bitwise_count")
    ones = np.bitwise_count(planes) if numpy2 else _ONES_IN_BYTE[planes.view(np.uint8)]
    return [int(count) for count in ones.reshape(len(planes), -1).sum(axis=1, dtype=np.int64)]
