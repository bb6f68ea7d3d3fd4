"""Mean J&F of each frame over many objects, its difference between two systems, intervals over videos or their footage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from robustvos.evaluation.bootstrap import LEVELS, resampled_sums
from robustvos.evaluation.frame_scores import FrameSeries

MOST_POINTS = 120

Point = tuple[str, int, float]
"""Video, or the footage that several share; frame; value."""


@dataclass(frozen=True)
class FrameMeans:
    """A mean over frame numbers. Frames that nothing was scored on are left out.

    Attributes:
        frames: Frame numbers, ascending; the middle of a bin where several frames share a point.
        mean: Mean over all objects scored there.
        low: Lower end of its 95 % bootstrap interval over videos; NaN for fewer than two videos.
        high: Upper end.
        videos: Number of videos behind each point; those of the same footage count once.
        width: Frames in a bin.
    """

    frames: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    videos: tuple[int, ...]
    width: int = 1

    def pieces(self) -> list[range]:
        """Stretches of positions without a gap: a step of more than 1.5 usual ones is a gap."""
        steps = np.diff(self.frames)
        usual = float(np.median(steps)) if len(steps) else 1.0
        breaks = [0, *(int(i) + 1 for i in np.flatnonzero(steps > 1.5 * usual)), len(self.frames)]
        return [range(a, b) for a, b in pairwise(breaks) if b > a]


def score_points(series: Iterable[FrameSeries]) -> list[Point]:
    """J&F of every object and frame."""
    return [
        (one.cluster, frame, (j + f) / 2)
        for one in series
        for frame, j, f in zip(one.frames, one.region, one.contour, strict=True)
    ]


def difference_points(series: Iterable[FrameSeries], reference: Iterable[FrameSeries]) -> list[Point]:
    """J&F minus that of the reference, for every video, corruption, object and frame that both have."""
    theirs = {
        (one.video, one.corruption, one.object_id, frame): (j + f) / 2
        for one in reference
        for frame, j, f in zip(one.frames, one.region, one.contour, strict=True)
    }
    points = []
    for one in series:
        for frame, j, f in zip(one.frames, one.region, one.contour, strict=True):
            other = theirs.get((one.video, one.corruption, one.object_id, frame))
            if other is not None:
                points.append((one.cluster, frame, (j + f) / 2 - other))
    return points


def frame_means(points: Sequence[Point], width: int | None = None, seed: int = 0) -> FrameMeans | None:
    """Average over frame numbers.

    Args:
        points: In any order.
        width: Frames that share a point; None: as many as leave at most 120 points.
        seed: Of the bootstrap.

    Returns:
        None without points.

    >>> means = frame_means([("a", 0, 1.0), ("a", 2, 0.5), ("b", 2, 0.25)])
    >>> means.frames, means.mean, means.videos
    ((0.0, 2.0), (1.0, 0.375), (1, 2))
    """
    if not points:
        return None
    width = width or bin_width(frame for _, frame, _ in points)
    rows = {video: row for row, video in enumerate(sorted({video for video, _, _ in points}))}
    bins = max(frame for _, frame, _ in points) // width + 1
    sums = np.zeros((2, len(rows), bins))
    for video, frame, value in sorted(points):
        sums[:, rows[video], frame // width] += (value, 1.0)
    kept = np.flatnonzero(sums[1].sum(0))
    sums = sums[..., kept]
    low, high = _interval(sums, seed)
    return FrameMeans(
        tuple((kept * width + (width - 1) / 2).tolist()),
        tuple((sums[0].sum(0) / sums[1].sum(0)).tolist()),
        tuple(low),
        tuple(high),
        tuple((sums[1] > 0).sum(0).tolist()),
        width,
    )


def bin_width(frames: Iterable[int]) -> int:
    """Frames that must share a point so that there are at most 120.

    >>> bin_width([0, 119]), bin_width([0, 120])
    (1, 2)
    """
    return math.ceil((max(frames) + 1) / MOST_POINTS)


def _interval(sums: np.ndarray, seed: int) -> tuple[list[float], list[float]]:
    """Of each point of ``(2, videos, points)`` sums and counts: videos are drawn again with all their frames."""
    videos, points = sums.shape[1:]
    if videos < 2:
        return [math.nan] * points, [math.nan] * points
    drawn = resampled_sums(np.moveaxis(sums, 1, 0), seed)  # (resamples, 2, points)
    values, counts = drawn[:, 0], drawn[:, 1]
    ends: tuple[list[float], list[float]] = ([], [])
    for point in range(points):
        seen = counts[:, point] > 0
        known = (sums[1][:, point] > 0).sum() > 1
        both = np.quantile(values[seen, point] / counts[seen, point], LEVELS) if known else (math.nan, math.nan)
        for end, value in zip(ends, both, strict=True):
            end.append(float(value))
    return ends
