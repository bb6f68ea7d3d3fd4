"""Stage ``motion``: does a track move? Points on the object, followed from sample to sample.

The paper's score, S = 1/(P T) sum_i sum_t |p(t+1, i) - p(t, i)|, is in pixels a sample and depends on resolution and rate; both
are stated with it, and beside it stands the speed in frame diagonals a second, which depends on neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from robustvos.files.stage import Item, Outcome, Record, Rejection, Result, StageResults, Work
from robustvos.realvas.discover import DISCOVER
from robustvos.realvas.pictures import disc, grey
from robustvos.realvas.plugins import EMBEDDED, Pictures, plugin
from robustvos.realvas.shots import SmallFrames, read_shots
from robustvos.realvas.tracks import correction_digest, read_track

MOTION = "motion"
_FLOW: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 4}
_ROUND_TRIP_PX = 1.0


@dataclass(frozen=True)
class MotionSettings:
    """When an object is dynamic.

    Attributes:
        min_speed: Frame diagonals a second; leftovers were seen at .001, walkers and cars from .011 on.
        min_score: The paper's tau: least S, in pixels a sample at the analysis size; None: the speed alone decides.
        points: Number of points, P.
        tracker: Plugin that follows the points.
    """

    min_speed: float = 0.01
    min_score: float | None = None
    points: int = 32
    tracker: str = EMBEDDED["points"]


@dataclass
class Motion:
    """One item a track.

    Attributes:
        root: Folder of the run.
        settings: When an object is dynamic.
    """

    root: Path
    settings: MotionSettings = field(default_factory=MotionSettings)
    name = MOTION
    version = 1
    unit = "track"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Every track that ``discover`` kept."""
        return [track_item(self.root, track) for track in inputs[DISCOVER].kept]

    def run(self, item: Item, work: Work) -> Outcome:
        """See :class:`robustvos.files.stage.Stage`."""
        shot = read_shots(self.root)[item.inputs["shot"]]
        track = read_track(self.root, track_path(self.root, item.inputs["shot"], item.key), item.key)
        if len(track.frames) < 2:
            return Rejection("deleted", {"samples": len(track.frames)})
        pictures, points = SmallFrames(shot, track.frames.tolist()), plugin("points", self.settings.tracker)
        if points is None:
            paths = follow_points(pictures, track.objects, self.settings.points)
        else:
            paths = follow_with(points, list(pictures), track.objects, self.settings.points)
        score = motion_score(paths)
        rate = shot.fps * (len(track.frames) - 1) / float(track.frames[-1] - track.frames[0])
        speed = score * len(track.frames) / (len(track.frames) - 1) * rate / float(np.hypot(*shot.small_size))
        figures = {
            "score": round(score, 4),
            "speed": round(speed, 5),
            "fps": round(rate, 3),
            "size": list(shot.small_size),
            "samples": len(track.frames),
        }
        if speed < self.settings.min_speed:
            return Rejection("not dynamic", figures | {"at_least": self.settings.min_speed})
        if self.settings.min_score is not None and score <= self.settings.min_score:
            return Rejection("not dynamic", figures | {"score_above": self.settings.min_score})
        return Record(figures)


def track_item(root: Path, track: Result) -> Item:
    """The work on one track: done again if the track changes, or what a person has corrected of it."""
    inputs = {
        "track": track.fingerprint,
        "corrected": correction_digest(root, track.key),
        "shot": track.figures["shot"],
    }
    return Item(track.key, inputs)


def track_path(root: Path, shot: str, key: str) -> Path:
    """Where ``discover`` wrote a track."""
    return root / DISCOVER / shot / f"{key}.npz"


def motion_score(paths: np.ndarray) -> float:
    """The paper's S.

    Args:
        paths: ``(T, P, 2)`` float, positions; NaN where a point is lost. Its displacement then counts as none, in the sum and
            not in the denominator, which is P T as printed.

    >>> motion_score(np.array([[[0.0, 0.0]], [[3.0, 4.0]]]))
    2.5

    Source: section 4.1 of the Real-VAS paper.
    """
    steps = np.linalg.norm(np.diff(paths, axis=0), axis=2)
    return float(np.nansum(steps) / (paths.shape[0] * paths.shape[1]))


def follow_points(pictures: Sequence[np.ndarray], masks: np.ndarray, count: int) -> np.ndarray:
    """Points on an object over time, by optical flow there and back.

    A point that is lost is set on the object anew, with a break in its path: the row of that frame is NaN.

    Args:
        pictures: ``T`` frames, ``(H, W, 3)`` uint8.
        masks: ``(T, H, W)`` bool.
        count: ``P``.

    Returns:
        ``(T, P, 2)`` float64, ``(x, y)`` or NaN.
    """
    paths = np.full((len(pictures), count, 2), np.nan)
    plane = grey(pictures[0])
    points = _seed(plane, masks[0], count)
    paths[0] = points
    for t in range(1, len(pictures)):
        following = grey(pictures[t])
        guess = points + (_centre(masks[t]) - _centre(masks[t - 1]))
        moved, good = _flow(plane, following, points, guess)
        good &= _inside(masks[t], moved)
        fresh = _seed(following, masks[t], count)
        points = np.where(good[:, None], moved, fresh)
        paths[t, good] = moved[good]
        plane = following
    return paths


def follow_with(points: Any, pictures: Sequence[np.ndarray], masks: np.ndarray, count: int) -> np.ndarray:
    """:func:`follow_points` by a plugin, from the first frame on; a point that is not visible on the object is NaN."""
    seeds = _seed(grey(pictures[0]), masks[0], count)
    queries = torch.from_numpy(np.concatenate([np.zeros((count, 1)), seeds], axis=1)).float()
    found = points.track(Pictures(pictures), queries)
    paths: np.ndarray = found.points.numpy().astype(np.float64)
    for t in range(len(pictures)):
        paths[t, ~(found.visible[t].numpy() & _inside(masks[t], np.nan_to_num(paths[t])))] = np.nan
    return paths


def _flow(
    before: np.ndarray, after: np.ndarray, points: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    start, hint = points.astype(np.float32)[:, None], guess.astype(np.float32)[:, None]
    flags = cv2.OPTFLOW_USE_INITIAL_FLOW
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, hint.copy(), flags=flags, **_FLOW)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, start.copy(), flags=flags, **_FLOW)
    error = np.linalg.norm((back - start)[:, 0], axis=1)
    return there[:, 0].astype(np.float64), (found[:, 0] == 1) & (found_back[:, 0] == 1) & (error < _ROUND_TRIP_PX)


def _seed(plane: np.ndarray, mask: np.ndarray, count: int) -> np.ndarray:
    """``count`` points of a mask, the strongest corners first, then evenly over its pixels: ``(count, 2)``."""
    inner = cv2.erode(mask.astype(np.uint8), disc(2))
    inner = inner if inner.any() else mask.astype(np.uint8)
    corners = cv2.goodFeaturesToTrack(plane, count, 0.01, 3, mask=inner)
    found = np.zeros((0, 2)) if corners is None else corners[:, 0].astype(np.float64)
    rows, columns = np.nonzero(mask)
    picks = np.linspace(0, len(rows) - 1, count - len(found)).round().astype(int)
    return np.concatenate([found, np.stack([columns[picks], rows[picks]], axis=1)])


def _inside(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    columns, rows = points.round().astype(int).T
    valid: np.ndarray = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    valid[valid] = mask[rows[valid], columns[valid]]
    return valid


def _centre(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])
