"""The truth of an object inside a container: tracked while it is seen, carried by its container once it is not.

Kinds (section 4.2 of the paper): ``surface`` (the object stands still and something is put over it), ``articulated`` (it
goes into a fixture whose part then moves, or which is shut) and ``mobile`` (it falls or is put into something that is carried
off: the last whole mask is completed against what is still seen, eased to its rest, then carried).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustvos.containment.completion import RestPath, align_to_visible, moved_by
from robustvos.containment.container_motion import Matrix, matrix_between
from robustvos.containment.depth_inside import depth_of_object
from robustvos.containment.follow import Followed, Stop
from robustvos.containment.mask_warp import Mask, overlap, signed_distance, warp_distance, warp_mask
from robustvos.containment.rigid_body import fit_body


@dataclass(frozen=True)
class ContainmentSettings:
    """How masks of a contained object are made.

    Attributes:
        hidden_below: An object counts as hidden when less than this share of its last whole mask is seen.
        whole_above: A mask counts as whole when it has at least this share of the area that it had before.
        settle_frames: Frames from full occlusion to rest where no rest frame is given, for ``mobile``.
        least_hidden: A clip needs so many frames in which the object is hidden.
        focal: Focal length, in longer sides of the frame; None: of a few, the one that fits the container's motion best.
        depth: Depth of the object behind the tracked face, in widths of the part, where the prompt does not say; None:
            half the depth of the container's other visible faces, or 0 if no other face is seen to move.
        rigid_below: The container's points are taken for a rigid body if they fit one to within this root mean square
            error, pixels; otherwise each frame's homography is taken as it is, without depth.
        rigid_share: And if at least this share of the tracked points agree.
    """

    hidden_below: float = 0.01
    whole_above: float = 0.985
    settle_frames: int = 8
    least_hidden: int = 5
    focal: float | None = None
    depth: float | None = None
    rigid_below: float = 0.8
    rigid_share: float = 0.5


@dataclass(frozen=True)
class Phases:
    """When an object disappears.

    Attributes:
        first: Its first frame.
        whole: Last frame in which all of it is seen.
        hidden: First frame in which nothing of it is seen.
        rest: From this frame on it moves with the container.
    """

    first: int
    whole: int
    hidden: int
    rest: int


@dataclass(frozen=True)
class Contained:
    """The masks of one clip.

    Attributes:
        first: Index in the video of the clip's first frame.
        amodal: ``(T, H, W)`` bool.
        modal: ``(T, H, W)`` bool.
        confidence: ``(T,)`` float in [0, 1]: 1 where the object is seen; while it settles, how alike its masks before and
            after are; then how sure the container's motion is.
        phases: When it disappears, in frames of the video.
        depth: By how much farther than the tracked face the object is, as a share of the face's distance.
        stop: Why the clip ends before the video does; None if it does not.
        notes: Further figures.
    """

    first: int
    amodal: NDArray[np.bool_]
    modal: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    phases: Phases
    depth: float
    stop: Stop | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class NotContained(Exception):
    """The clip is not one of containment; says why in a word or two, and with which figures."""

    def __init__(self, reason: str, **figures: Any) -> None:
        super().__init__(reason)
        self.reason, self.figures = reason, figures


def find_phases(
    visible: Sequence[Mask], first: int, category: str, rest: int | None, settings: ContainmentSettings
) -> Phases:
    """When the object is last seen whole, first not seen at all, and at rest.

    Args:
        visible: ``(H, W)`` bool of frames ``first``, ``first + 1``, ...
        first: Index of the first of them.
        category: Kind of containment.
        rest: Frame of rest as prompted; None: by kind.
        settings: Thresholds.

    Raises:
        NotContained: If it is never fully hidden, not seen at first, cut by the frame, or not hidden at rest.
    """
    areas = np.array([mask.sum() for mask in visible], float)
    if areas[0] == 0:
        raise NotContained("object not found")
    whole = 0
    for t in range(1, len(areas)):
        if areas[t] < settings.hidden_below * areas[whole]:
            break
        if areas[t] >= settings.whole_above * np.median(areas[max(0, whole - 4) : whole + 1]):
            whole = t
    gone = areas < max(settings.hidden_below * areas[whole], 1)
    hidden = next((t for t in range(whole + 1, len(areas)) if gone[t : t + 2].all()), None)
    if hidden is None:
        seen = float(areas[whole:].min() / areas[whole])
        raise NotContained("never fully hidden", least_seen=round(seen, 3), limit=settings.hidden_below)
    if _at_border(visible[whole]):
        raise NotContained("object cut by the frame", frame=first + whole)
    if rest is None:
        rest = first + hidden + (settings.settle_frames if category == "mobile" else 0)
    if rest < first + hidden:
        raise NotContained("not hidden at rest", rest_frame=rest, hidden_from=first + hidden)
    return Phases(first, first + whole, first + hidden, rest)


def contain(
    visible: Sequence[Mask],
    phases: Phases,
    followed: Followed,
    size: tuple[int, int],
    *,
    container: Mapping[int, Mask] | None = None,
    rest_mask: Mask | None = None,
    camera: Mapping[int, Matrix] | None = None,
    depth: float | None = None,
    settings: ContainmentSettings | None = None,
) -> Contained:
    """Masks of a contained object.

    While it is seen in part its last whole mask is completed against the visible part. From there it goes to its rest on an
    eased way in the scene, whatever the container does meanwhile: until then it does not move with it. From rest on it does.

    Args:
        visible: Its visible mask in frames ``phases.first``, ... at least up to ``phases.hidden``.
        phases: When it disappears.
        followed: Motion of the part that carries it, with ``phases.rest`` as reference.
        size: ``(H, W)``.
        container: What may hide it in the frames in which it goes in; None: anything.
        rest_mask: Its mask at rest, by a person; None: it rests where it was when it vanished.
        camera: Homographies of the scene from frame ``phases.hidden - 1`` to those up to its rest; frames that are not in it
            are taken to lie between their neighbours. None: the camera is still.
        depth: Its depth behind the tracked face, in widths of the part; None: see the settings.
        settings: See there.

    Raises:
        NotContained: If too few hidden frames can be trusted, or the camera's motion up to the rest is not known.
    """
    settings = settings or ContainmentSettings()
    last = max(followed.motions)
    if last - phases.hidden + 1 < settings.least_hidden:
        why = followed.stop
        figures = {} if why is None else {"frame": why.frame, "because": why.reason, **why.figures}
        raise NotContained("too short", hidden_frames=max(0, last - phases.hidden + 1), **figures)
    delta, planes = _planes(followed, size, depth, settings)
    amodal, speed = _entering(visible, phases, container or {})
    vanished = amodal[phases.hidden - 1]
    scene = _scene(camera, phases)
    lies = warp_mask(vanished, scene[phases.rest])
    way = RestPath(lies, lies if rest_mask is None else rest_mask)
    way = replace(way, rate=_rate(way, speed, phases.rest - phases.hidden + 1))
    for t in range(phases.hidden, phases.rest):
        settled = way.at((t - phases.hidden + 1) / (phases.rest - phases.hidden + 1))
        amodal[t] = warp_mask(settled, scene[t] @ np.linalg.inv(scene[phases.rest]))
    distance = signed_distance(way.end)
    for t in range(phases.rest, last + 1):
        amodal[t] = warp_distance(distance, planes[t]) > 0
    frames = range(phases.first, last + 1)
    none = np.zeros(size, bool)
    modal = np.stack([visible[t - phases.first] if t < phases.hidden else none for t in frames])
    settles = overlap(way.start, way.end)
    sure = np.array(
        [1.0 if t < phases.hidden else settles if t < phases.rest else followed.confidence(t) for t in frames]
    )
    whole = np.stack([amodal[t] for t in frames])
    return Contained(phases.first, whole, modal & whole, sure, phases, delta, followed.stop)


def _scene(camera: Mapping[int, Matrix] | None, phases: Phases) -> dict[int, Matrix]:
    """Homographies of the scene from the last frame in which the object is seen to each frame up to its rest."""
    frames = range(phases.hidden, phases.rest + 1)
    known = dict.fromkeys(frames, np.eye(3)) if camera is None else {phases.hidden - 1: np.eye(3), **camera}
    found = {t: matrix for t in frames if (matrix := matrix_between(known, t)) is not None}
    if phases.rest not in found:
        lost = min(set(frames) - set(found))
        raise NotContained("camera lost before rest", frame=lost, rest_frame=phases.rest)
    return found


def _planes(
    followed: Followed, size: tuple[int, int], depth: float | None, settings: ContainmentSettings
) -> tuple[float, dict[int, Matrix]]:
    """Homographies of the object's plane, by frame, and by how much it is farther than the tracked one."""
    frames = [t for t in followed.motions if t != followed.reference]
    planes: dict[int, Matrix] = {followed.reference: np.eye(3)}
    if not frames:
        return 0.0, planes
    motions = [followed.motions[t] for t in frames]
    body = fit_body(followed.points, motions, size, settings.focal)
    said = settings.depth if depth is None else depth
    if body.residual > settings.rigid_below or body.agreeing < settings.rigid_share:
        # Not one rigid body, as far as can be seen: the face's own homographies, without depth.
        return 0.0, planes | {t: motion.matrix for t, motion in zip(frames, motions, strict=True)}
    delta = depth_of_object(body, followed.points, followed.part, said)
    return delta, planes | dict(zip(frames, body.motion.homographies(delta), strict=True))


def _entering(
    visible: Sequence[Mask], phases: Phases, container: Mapping[int, Mask]
) -> tuple[dict[int, Mask], NDArray[np.float64]]:
    """Whole masks up to the last frame in which something of the object is seen, and its speed there, pixels a frame."""
    first, whole = phases.first, visible[phases.whole - phases.first]
    amodal = {t: visible[t - first] for t in range(first, phases.whole + 1)}
    shift, speed = np.zeros(2), _speed(visible, phases.whole - first)
    for t in range(phases.whole + 1, phases.hidden):
        seen = visible[t - first]
        if seen.any():
            expected = shift + speed
            found = np.array(align_to_visible(whole, seen, container.get(t), (float(expected[0]), float(expected[1]))))
            speed, shift = found - shift, found
        amodal[t] = moved_by(whole, (float(shift[0]), float(shift[1]))) | seen
    return amodal, speed


def _rate(way: RestPath, speed: NDArray[np.float64], frames: int) -> float:
    """A speed towards the end, in multiples of what reaches it in so many frames."""
    first, last = (np.argwhere(mask)[:, ::-1].mean(0) for mask in (way.start, way.end))
    distance = float(np.linalg.norm(last - first))
    return 0.0 if distance < 1 else float(speed @ (last - first)) / distance * frames / distance


def _speed(visible: Sequence[Mask], t: int) -> NDArray[np.float64]:
    """Motion of the mask's middle up to position ``t``, pixels a frame."""
    if t == 0 or not visible[t - 1].any():
        return np.zeros(2)
    motion: NDArray[np.float64] = np.argwhere(visible[t])[:, ::-1].mean(0) - np.argwhere(visible[t - 1])[:, ::-1].mean(
        0
    )
    return motion


def _at_border(mask: Mask) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
