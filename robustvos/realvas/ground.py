"""Who is in front, without a depth model: where objects stand on the ground.

On a ground seen from above, what stands lower in the picture is nearer. That decides the *order*, not whether two objects
would stand in one place: for that one must know how deep an object is and how steeply the camera looks down. The steepness
follows from how objects grow as they come nearer, where they do; where it stays unknown, so does the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from robustvos.realvas.pictures import grey
from robustvos.realvas.tracks import Track

_CONTACT_PERCENTILE = 98.5
_BOTTOM_MARGIN = 3
_HOP_SAMPLES = 2
_STRONG_EDGE = 25.0
_FEWEST_FRAMES = 8


@dataclass(frozen=True)
class Standing:
    """Where an object stands in each of its sampled frames.

    Attributes:
        rows: ``(K,)`` float64, the row of its contact with the ground; the height of the frame where it reaches below.
        below: ``(K,)`` bool, it reaches below the frame.
        heights: ``(K,)`` float64, rows that it covers.
        widths: ``(K,)`` float64, columns that it covers.
        hidden: Something of the scene hides the contact, so that ``rows`` say nothing.
    """

    rows: np.ndarray
    below: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    hidden: bool


def standing_of(track: Track, plate: np.ndarray) -> Standing:
    """Measure a track against the clean plate at the analysis size, ``(H, W, 3)`` uint8."""
    height = track.objects.shape[1]
    rows, tops, widths = (np.zeros(len(track.frames)) for _ in range(3))
    for k, mask in enumerate(track.objects):
        ys, xs = np.nonzero(mask)
        rows[k], tops[k] = np.percentile(ys, [_CONTACT_PERCENTILE, 1.5])
        low, high = np.percentile(xs, [1.5, 98.5])
        widths[k] = high - low + 1
    below = rows >= height - _BOTTOM_MARGIN
    heights = rows - tops + 1
    standing = np.where(below, float(height), _without_hops(rows))
    return Standing(standing, below, heights, widths, _is_contact_hidden(track, plate, below))


def _without_hops(rows: np.ndarray) -> np.ndarray:
    """The lowest contact of each frame's neighbours: a foot in the air is not where one stands."""
    padded = np.pad(rows, _HOP_SAMPLES, mode="edge")
    lowest: np.ndarray = np.lib.stride_tricks.sliding_window_view(padded, 2 * _HOP_SAMPLES + 1).max(axis=1)
    return lowest


def _is_contact_hidden(track: Track, plate: np.ndarray, below: np.ndarray) -> bool:
    """Whether objects end at the bottom where the plate has an edge, in a wide cut: behind a table, a wall, a car."""
    plane = cv2.GaussianBlur(grey(plate), (0, 0), 1.0).astype(np.float32)
    edges = np.abs(cv2.Sobel(plane, cv2.CV_32F, 0, 1)) / 4
    near = cv2.dilate((edges > _STRONG_EDGE / 4).astype(np.uint8), np.ones((5, 1), np.uint8)).astype(bool)
    shares = []
    for k in np.flatnonzero(~below)[:: max(1, int((~below).sum()) // 20)]:
        mask = track.objects[k]
        columns = np.flatnonzero(mask.any(0))
        bottoms = mask.shape[0] - 1 - mask[::-1, columns].argmax(axis=0)
        extent = bottoms.max() - np.flatnonzero(mask.any(1))[0] + 1
        lowest = bottoms >= bottoms.max() - max(2, 0.06 * extent)
        wide = lowest.sum() >= 0.35 * len(columns)
        shares.append(float(near[bottoms[lowest], columns[lowest]].mean()) if wide else 0.0)
    return bool(shares) and float(np.median(shares)) > 0.6


@dataclass(frozen=True)
class Horizon:
    """How far above the frame's top (negative) the ground ends, in rows, between two bounds; None: not known."""

    low: float | None = None
    high: float | None = None


def find_horizon(tracks: Sequence[tuple[Track, Standing]], height: int) -> Horizon:
    """The row at which objects would shrink to nothing, from how their heights change with the row they stand on.

    Each object keeps its true height, so that its height in the picture is proportional to its distance from the horizon.
    Objects that turn or hardly come nearer say little; where all of them together do not bound the row, nothing is claimed.

    Args:
        tracks: Of one shot, with where they stand.
        height: Of the frame, in rows.
    """
    groups = []
    for track, standing in tracks:
        usable = track.clean & ~standing.below & (standing.heights > 8)
        if not standing.hidden and usable.sum() >= _FEWEST_FRAMES and np.ptp(standing.rows[usable]) > 0.06 * height:
            groups.append((standing.rows[usable], np.log(standing.heights[usable])))
    if not groups:
        return Horizon()
    top = min(float(rows.min()) for rows, _ in groups)
    candidates = top - height * np.geomspace(0.02, 20.0, 80)
    errors = np.array([_misfit(groups, row) for row in candidates])
    count = sum(len(rows) for rows, _ in groups) - len(groups) - 1
    # Frames of one track are not independent: take every fifth for one.
    likely = candidates[errors <= errors.min() * (1 + 4.0 / max(1, count / 5))]
    low, high = float(likely.min()), float(likely.max())
    return Horizon(None if likely.min() == candidates.min() else low, high)


def _misfit(groups: Sequence[tuple[np.ndarray, np.ndarray]], horizon: float) -> float:
    total = 0.0
    for rows, heights in groups:
        apart = heights - np.log(rows - horizon)
        total += float(((apart - apart.mean()) ** 2).sum())
    return total
