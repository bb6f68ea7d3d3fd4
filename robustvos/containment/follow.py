"""Follow the part that carries an object through a clip, forwards and backwards, until it is lost; say why it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from robustvos.containment.container_motion import Gray, Matrix, MotionSettings, PartMotion, PartTracker, transform
from robustvos.containment.likeness import likeness
from robustvos.errors import BadMask

Mask = NDArray[np.bool_]
GivenPoints = Callable[[NDArray[np.float32], Sequence[int]], Mapping[int, tuple[NDArray[Any], NDArray[Any]]]]
"""Points in the frame before the first of some frames -> by frame, their places ``(P, 2)`` and whether they are seen."""
_STILL = 0.25
"""Motion below this, in pixels, is that of a still camera."""
_MANY = 0.3
"""Share of the scene's points that speak for it as a whole."""
_AS_ALIKE = 0.02
"""By how much a motion that was fitted may look more like the reference than no motion, and mean nothing."""
_NOISE = 4.0
"""Difference of two smoothed frames, in steps of 0 to 255, up to which they show the same."""


@dataclass(frozen=True)
class FollowLimits:
    """When a carrying part counts as lost.

    Attributes:
        likeness: Least agreement with the reference (:func:`~robustvos.containment.container_motion.likeness`).
        inliers: Least number of points that agree on a motion.
        patience: So many frames in a row below either; a hand may pass for shorter.
        inside: Least share of the part that must be in the frame.
        points: Least number of points to start with.
    """

    likeness: float = 0.8
    inliers: int = 8
    patience: int = 5
    inside: float = 0.35
    points: int = 12


@dataclass(frozen=True)
class Stop:
    """Why and where a clip ends: frame ``frame`` is the first that cannot be trusted."""

    frame: int
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Followed:
    """The motion of a part around its reference frame.

    Attributes:
        reference: Frame in which the part is settled.
        part: ``(H, W)`` bool, the part in it.
        points: ``(P, 2)`` tracked points in it.
        motions: By frame; contiguous around ``reference``, which is among them.
        stop: Why it ends before the last frame asked for; None if it does not.
        start: Why it begins after the first frame asked for; None if it does not.
    """

    reference: int
    part: Mask
    points: NDArray[np.float32]
    motions: Mapping[int, PartMotion]
    stop: Stop | None = None
    start: Stop | None = None

    def confidence(self, frame: int) -> float:
        """How sure the motion of a frame is, in [0, 1]: its likeness, less where few points agree; 0 where not known."""
        if frame == self.reference:
            return 1.0
        motion = self.motions.get(frame)
        if motion is None or not np.isfinite(motion.likeness):
            return 0.0
        return float(np.clip(motion.likeness, 0, 1) * min(1.0, motion.inliers.sum() / 12))


def follow_part(
    read: Callable[[int], Gray],
    part: Mask,
    reference: int,
    first: int,
    last: int,
    *,
    limits: FollowLimits | None = None,
    settings: MotionSettings | None = None,
    corrections: Sequence[tuple[int, Mask]] = (),
    points: GivenPoints | None = None,
) -> Followed:
    """Follow a part from its reference frame to both ends of a clip.

    Args:
        read: Gives frame ``t`` as ``(H, W)`` uint8 grey.
        part: ``(H, W)`` bool, the part in the reference frame.
        reference: Index of that frame.
        first: First frame asked for.
        last: Last frame asked for.
        limits: When the part counts as lost.
        settings: How points are tracked.
        corrections: Frames after ``reference`` with the part's mask there, by a person: where the part was lost it is
            taken up again from the next of them, forwards and backwards; the clip goes on if no gap stays.
        points: Says where the part's points are, in place of Lucas and Kanade's tracker; what a correction takes up again
            is followed by the latter.

    Raises:
        BadMask: If the part has too few points to be followed.
    """
    limits = limits or FollowLimits()
    gray = read(reference)
    tracker = PartTracker(gray, part, settings)
    if len(tracker.points) < limits.points:
        raise BadMask(
            f"the carrying part in frame {reference} has {len(tracker.points)} points that can be tracked, at least "
            f"{limits.points} are needed; mark a larger or more textured part, or another frame"
        )
    everything = np.ones(len(tracker.points), bool)
    motions = {reference: PartMotion(np.eye(3), "reference", tracker.points, everything, everything, 1.0)}
    after, stop = _run(tracker, read, range(reference + 1, last + 1), limits, points)
    motions |= after
    for frame, mask in sorted(corrections, key=lambda item: item[0]):
        if stop is not None and stop.frame <= frame <= last:
            motions, stop = _taken_up(tracker, read, (frame, mask), motions, stop, last, limits)
    before, start = _run(PartTracker(gray, part, settings), read, range(reference - 1, first - 1, -1), limits, points)
    return Followed(reference, part, tracker.points, dict(sorted((motions | before).items())), stop, start)


def scene_motion(
    read: Callable[[int], Gray], things: Sequence[Mask], reference: int, last: int, limits: FollowLimits | None = None
) -> dict[int, Matrix]:
    """How the scene around some things moves in the picture, from ``reference`` to the frames up to ``last``.

    Where the camera is still to within a fraction of a pixel that is the identity; frames of which it cannot be said are left
    out. Where few points agree, as on a wall whose noise is most of its texture, the scene must look like itself, where it was
    or where they say that it is; where there is no texture at all, it must look the same as it did.

    Args:
        read: Gives frame ``t`` as ``(H, W)`` uint8 grey.
        things: Masks in frame ``reference`` of what may move by itself.
        reference: Index of the frame that homographies start from.
        last: Index of the last frame.
        limits: When the scene counts as lost.
    """
    limits, gray = limits or FollowLimits(), read(reference)
    around = np.ones(gray.shape, bool)
    for mask in things:
        around &= cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
    tracker, found = PartTracker(gray, around), {}
    for t in range(reference + 1, last + 1):
        frame = read(t)
        motion = tracker.step(frame)
        is_still = _is_still(tracker, motion, frame, limits)
        if is_still is not None:
            found[t] = np.eye(3) if is_still else motion.matrix
    return found


def _is_still(scene: PartTracker, motion: PartMotion, frame: Gray, limits: FollowLimits) -> bool | None:
    """Whether the scene is where it was in the reference; None if it cannot be said."""
    agree = int(motion.inliers.sum())
    if agree >= max(limits.points, _MANY * len(scene.points)):
        moved = transform(scene.points[motion.inliers], motion.matrix) - scene.points[motion.inliers]
        return float(np.median(np.abs(moved))) <= _STILL
    alike = likeness(scene.reference, frame, scene.part)
    if np.isnan(alike):
        return _looks_the_same(scene.reference, frame, scene.part) or None
    fitted = -1.0 if np.isnan(motion.likeness) else motion.likeness
    if alike >= max(limits.likeness, fitted - _AS_ALIKE):
        return True
    return False if agree >= limits.points and fitted >= limits.likeness else None


def _looks_the_same(before: Gray, after: Gray, where: Mask) -> bool:
    """Whether two frames differ by no more than noise, nearly everywhere in a mask."""
    smooth = [cv2.GaussianBlur(picture, (0, 0), 2.0) for picture in (before, after)]
    apart = cv2.absdiff(smooth[0], smooth[1])[where]
    return bool(len(apart)) and float(np.quantile(apart, 0.99)) <= _NOISE


def _run(
    tracker: PartTracker,
    read: Callable[[int], Gray],
    frames: Sequence[int],
    limits: FollowLimits,
    points: GivenPoints | None = None,
) -> tuple[dict[int, PartMotion], Stop | None]:
    """Motions of consecutive frames, without those of the bad run that ends them."""
    motions: dict[int, PartMotion] = {}
    bad: list[tuple[int, str, PartMotion]] = []
    given = points(tracker.points, frames) if points is not None and len(frames) else {}
    for t in frames:
        motion = tracker.step_by(read(t), *given[t]) if t in given else tracker.step(read(t))
        motions[t] = motion
        reason = _doubt(tracker, motion, limits)
        bad = [*bad, (t, reason, motion)] if reason else []
        if len(bad) >= limits.patience:
            break
    if not bad:
        return motions, None
    t, reason, motion = bad[0]
    figures = {
        "likeness": None if np.isnan(motion.likeness) else round(motion.likeness, 3),
        "points_that_agree": int(motion.inliers.sum()),
        "of_points": len(tracker.points),
    }
    return {k: v for k, v in motions.items() if k not in {frame for frame, *_ in bad}}, Stop(t, reason, figures)


def _doubt(tracker: PartTracker, motion: PartMotion, limits: FollowLimits) -> str:
    """Why a motion is not believed; empty if it is."""
    if _share_inside(tracker.part, motion.matrix) < limits.inside:
        return "container left the frame"
    if motion.inliers.sum() < limits.inliers or not motion.likeness >= limits.likeness:
        return "container lost"
    return ""


def _taken_up(
    tracker: PartTracker,
    read: Callable[[int], Gray],
    correction: tuple[int, Mask],
    motions: dict[int, PartMotion],
    stop: Stop,
    last: int,
    limits: FollowLimits,
) -> tuple[dict[int, PartMotion], Stop | None]:
    """Go on from a corrected frame, and back from it to where the part was lost; nothing changes if a gap stays."""
    frame, mask = correction
    found = tracker.step(read(frame), guess=_between(tracker.part, mask))
    reason = _doubt(tracker, found, limits)
    if reason:
        likeness = None if np.isnan(found.likeness) else round(found.likeness, 3)
        return motions, Stop(stop.frame, stop.reason, {**stop.figures, "correction": frame, "its_likeness": likeness})
    after, later = _run(tracker, read, range(frame + 1, last + 1), limits)
    tracker.resume(read(frame), found.matrix)
    between, gap = _run(tracker, read, range(frame - 1, stop.frame - 1, -1), limits)
    if gap is not None:
        return motions, Stop(stop.frame, stop.reason, {**stop.figures, "correction": frame, "unknown_until": gap.frame})
    return {**motions, **between, frame: found, **after}, later


def _between(a: Mask, b: Mask) -> Matrix:
    """The similarity without turning that brings one mask's middle and area to another's."""
    middles = [np.argwhere(mask)[:, ::-1].mean(0) for mask in (a, b)]
    scale = float(np.sqrt(b.sum() / a.sum()))
    shift = middles[1] - scale * middles[0]
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1.0]])


def _share_inside(part: Mask, matrix: Matrix) -> float:
    height, width = part.shape
    rows, columns = np.nonzero(part)
    step = max(1, len(rows) // 500)
    moved = transform(np.stack([columns, rows], axis=1)[::step].astype(np.float32), matrix)
    inside = (moved >= 0).all(1) & (moved[:, 0] < width) & (moved[:, 1] < height)
    return float(inside.mean()) if len(inside) else 0.0


def points_of(tracker: Any, frames: Sequence[Any]) -> GivenPoints:
    """A point tracker plugin as :func:`follow_part` asks for it.

    Args:
        tracker: Of :mod:`robustvos.perception`.
        frames: The video; item ``t`` is ``(3, H, W)`` uint8.
    """

    def given(
        points: NDArray[np.float32], times: Sequence[int]
    ) -> dict[int, tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        towards = 1 if times[-1] >= times[0] else -1
        chosen = [frames[t] for t in (times[0] - towards, *times)]
        queries = torch.from_numpy(np.concatenate([np.zeros((len(points), 1)), points], axis=1)).float()
        found = tracker.track(chosen, queries)
        return {t: (found.points[k + 1].numpy(), found.visible[k + 1].numpy()) for k, t in enumerate(times)}

    return given


def gray_reader(frames: Sequence[Any]) -> Callable[[int], Gray]:
    """Reads frames ``(3, H, W)`` uint8 RGB as ``(H, W)`` uint8 grey."""

    def read(t: int) -> Gray:
        return np.asarray(cv2.cvtColor(frames[t].permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY))

    return read
