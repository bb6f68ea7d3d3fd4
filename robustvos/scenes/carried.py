"""Clips of a rigid container that closes, settles and then moves with the object inside; the truth is exact.

The object stands at a depth inside the container, so that the two do not share a plane. Kinds of motion: ``translation``,
``rotation``, ``scale`` (towards the camera), ``drawer`` (pulled out of a cabinet), ``hinge`` (the front turns with what
hangs on it) and ``mobile`` (the object falls in, and the container is carried off).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.errors import UnknownName
from robustvos.scenes.outlines import random_outline
from robustvos.scenes.posed import Pinhole, Poses, box_faces, posed_cut_out, posed_panel, printed_texture, turn
from robustvos.scenes.props import freeze
from robustvos.scenes.stage import Actor, AmodalClip, Play, StageSpec, eased_path, perform
from robustvos.scenes.textures import random_texture

_CLOSES, _CLOSED, _SETTLED = 3, 9, 12
_FILLS = 0.75
"""Part of the container's width and height that the object takes: pairs are form-fitting."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class CarriedSpec:
    """What to draw.

    Attributes:
        size: ``(H, W)`` pixels.
        frames: Length of the clip; at least 16.
        depth: How deep the container is, in widths of its front; the object stands in the middle.
        noise: Standard deviation of sensor noise, grey levels.
        blur: Standard deviation of the lens's blur, pixels.
        hand: Whether a hand passes before the container.
    """

    size: tuple[int, int] = (360, 640)
    frames: int = 44
    depth: float = 0.3
    noise: float = 2.0
    blur: float = 0.6
    hand: bool = True


@dataclass(frozen=True)
class CarriedClip:
    """A drawn clip of a carried object.

    Attributes:
        clip: Frames and exact masks of the object; ``container`` is what closes over it.
        transparent: ``(T, H, W, 3)`` uint8, the same clip with a container that one can see through.
        carrier: ``(T, H, W)`` bool, what is seen of the part that moves with the object.
        rest_frame: From this frame on the object and its carrier move as one.
    """

    clip: AmodalClip
    transparent: NDArray[np.uint8]
    carrier: NDArray[np.bool_]
    rest_frame: int = _SETTLED


@dataclass(frozen=True)
class _Course:
    """How a kind of clip is staged."""

    category: str
    half: tuple[float, float]
    poses: Callable[[int, np.random.Generator], Poses]
    pitch: float = 0.25
    thin: float = 1.0
    """Part of the container's depth that is there."""


def render_carried_clip(kind: str, seed: int, spec: CarriedSpec = CarriedSpec()) -> CarriedClip:
    """Draw the clip of ``kind`` with ``seed``; equal arguments give equal clips.

    Raises:
        UnknownName: If there is no such kind.
    """
    if kind not in COURSES:
        raise UnknownName.of("kind of motion", kind, COURSES)
    course, key = COURSES[kind], [seed, list(COURSES).index(kind)]
    rng = np.random.default_rng(key)
    play, carrier = _staged(kind, course, spec, rng)
    stage = StageSpec(spec.size, spec.frames)
    clip = perform(play, course.category, stage, np.random.default_rng([*key, 1]))
    # The same room, light and camera once more, with the object in front of what hides it.
    order = [i for i in range(len(play.actors)) if i != play.query]
    before = [i for i in order if i <= max(play.container)]
    shown = [play.actors[i] for i in [*before, play.query, *order[len(before) :]]]
    seen = perform(
        replace(play, actors=shown, query=len(before), container=(), grounded=()),
        course.category,
        stage,
        np.random.default_rng([*key, 1]),
    )
    through = (0.3 * clip.frames + 0.7 * seen.frames).astype(np.float32)
    in_front = tuple(range(max(carrier) + 1, len(play.actors)))
    shifts = np.zeros((spec.frames, 2), np.float32) if clip.camera is None else clip.camera
    carried = np.stack(
        [
            _union(play.actors, carrier, t, shift, spec.size) & ~_union(play.actors, in_front, t, shift, spec.size)
            for t, shift in enumerate(shifts)
        ]
    )
    clip = replace(clip, frames=_recorded(clip.frames.astype(np.float32), spec, [*key, 2]))
    rest = _CLOSED if kind == "mobile" else _SETTLED
    return CarriedClip(clip, _recorded(through, spec, [*key, 3]), carried, rest)


def _staged(kind: str, course: _Course, spec: CarriedSpec, rng: np.random.Generator) -> tuple[Play, tuple[int, ...]]:
    """The play, and the positions of the parts that move with the object."""
    (w, h), frames = course.half, spec.frames
    depth = 2 * w * spec.depth * course.thin
    lens = Pinhole(1.2 * spec.size[1], spec.size, course.pitch)
    poses = course.poses(frames, rng)
    per_unit = int(lens.focal / 3.2)

    def face(corners: Numbers, poses: Poses = poses) -> Actor:
        across, down = (np.linalg.norm(corners[..., 1, :] - corners[..., 0, :], axis=-1).max() for _ in range(2))
        down = np.linalg.norm(corners[..., 3, :] - corners[..., 0, :], axis=-1).max()
        size = (max(12, int(down * per_unit)), max(12, int(across * per_unit)))
        return posed_panel(corners, poses, lens, printed_texture(rng, *size))

    faces = box_faces((w, h), depth)
    cover = _cover(faces["front"], frames, across=kind != "mobile")
    outline = _outline(rng, (_FILLS * w, _FILLS * h))
    rise = np.zeros((frames, 3))
    if kind == "mobile":
        rise[:, 1] = _fall(frames, 1.9 * h)
    held = Poses(poses.rotation, poses.position + np.einsum("tij,tj->ti", poses.rotation, rise))
    size = max(24, int(2.6 * min(w, h) * per_unit))
    query = posed_cut_out(outline, depth / 2, held, lens, random_texture(rng, size, size))
    cabinet = [] if kind not in ("drawer", "hinge") else [face(faces["front"] * 1.35 + [0, 0, 0.02], _still(poses))]
    sides = [face(faces[name]) for name in ("top", "left", "right")] if kind != "hinge" else []
    recess = [posed_panel(faces["front"], poses, lens, np.full((8, 8, 3), 40, np.uint8))] if kind != "mobile" else []
    hand = [_hand(spec, lens, rng)] if spec.hand else []
    actors: list[Actor] = [*cabinet, *sides, *recess, query, face(cover), *hand]
    at = len(cabinet) + len(sides) + len(recess)
    carrier = (*range(len(cabinet), len(cabinet) + len(sides)), at + 1)
    return Play(actors, at, (*range(len(cabinet), at), at + 1), 0.9 * spec.size[0], grounded=()), carrier


def _cover(front: Numbers, frames: int, across: bool) -> Numbers:
    """``(T, 4, 3)`` the front: it slides over the opening between two frames, or is there all along."""
    cover = np.repeat(front[None], frames, axis=0)
    if across:
        aside = eased_path(frames, [_CLOSES / (frames - 1), _CLOSED / (frames - 1)], [[1, 0], [0, 0]])[:, :1]
        cover[..., 0] += 1.02 * (front[1, 0] - front[0, 0]) * aside
    return cover


def _fall(frames: int, height: float) -> Numbers:
    """``(T,)`` offset of a thing that falls by ``height`` and lies from the closing frame on."""
    left = np.clip((_CLOSED - np.arange(frames)) / (_CLOSED - _CLOSES), 0, 1)
    return -height * (1 - (1 - left) ** 2)


def _outline(rng: np.random.Generator, half: tuple[float, float]) -> Numbers:
    """A random outline, stretched to fit its container: half its width and height are ``half``."""
    points = freeze(random_outline(rng)).body.astype(np.float64)
    points = points - (points.min(0) + points.max(0)) / 2
    outline: Numbers = points * half / np.abs(points).max(0)
    return outline


def _hand(spec: CarriedSpec, lens: Pinhole, rng: np.random.Generator) -> Actor:
    """Fingers that sweep through the lower half of the frame and back, before the container."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = 0.2 * (1 + 0.35 * np.maximum(0, np.cos(5 * angles)) * (np.sin(angles) < 0.2))
    outline = np.stack([radius * np.cos(angles), 1.4 * radius * np.sin(angles)], 1)
    place = eased_path(spec.frames, [0.35, 0.6, 0.9], [[-1.9, 0.9], [0.3, 0.35], [2.1, 0.9]])
    position = np.stack([place[:, 0], place[:, 1], np.full(spec.frames, 2.6)], axis=1).astype(np.float64)
    skin = np.clip(np.array([205, 150, 120]) + 8 * rng.standard_normal((64, 64, 1)), 0, 255).astype(np.uint8)
    poses = Poses(np.repeat(turn(z=0.4)[None], spec.frames, axis=0), position)
    return posed_cut_out(
        outline, 0.0, poses, replace(lens, pitch=0.0), np.asarray(cv2.GaussianBlur(skin, (0, 0), 3), np.uint8)
    )


def _course(
    frames: int, start: tuple[float, float, float], end: tuple[float, float, float], angles: tuple[float, float, float]
) -> Poses:
    """From ``start`` at rest to ``end``, turning by ``angles`` (degrees: pitch, yaw, roll)."""
    times = [_SETTLED / (frames - 1), 0.97]
    way = eased_path(frames, times, [[0, 0], [1, 0]])[:, 0].astype(np.float64)
    rotation = np.stack([turn(*(np.deg2rad(angles) * s)) for s in way])
    return Poses(rotation, np.asarray(start) + way[:, None] * (np.asarray(end) - np.asarray(start)))


def _still(poses: Poses) -> Poses:
    return Poses(
        np.repeat(poses.rotation[:1], len(poses.position), 0), np.repeat(poses.position[:1], len(poses.position), 0)
    )


def _side(rng: np.random.Generator) -> float:
    return float(rng.choice([-1.0, 1.0]))


def _translation(frames: int, rng: np.random.Generator) -> Poses:
    s = _side(rng)
    return _course(frames, (-0.55 * s, 1.3, 4.2), (0.6 * s, 1.35, 4.15), (0, 0, 0))


def _rotation(frames: int, rng: np.random.Generator) -> Poses:
    s = _side(rng)
    return _course(frames, (0, 1.2, 4.0), (0.1, 1.1, 4.0), (4, 16 * s, 24 * s))


def _scale(frames: int, rng: np.random.Generator) -> Poses:
    s = _side(rng)
    return _course(frames, (0.3 * s, 1.3, 4.6), (-0.1 * s, 1.15, 3.4), (0, 0, 0))


def _drawer(frames: int, rng: np.random.Generator) -> Poses:
    s = _side(rng)
    return _course(frames, (0.3 * s, 1.25, 4.4), (0.3 * s, 1.25, 3.7), (0, 0, 0))


def _hinge(frames: int, rng: np.random.Generator) -> Poses:
    """Turned about its left edge by 50 degrees."""
    half = COURSES["hinge"].half[0]
    way = eased_path(frames, [_SETTLED / (frames - 1), 0.97], [[0, 0], [1, 0]])[:, 0].astype(np.float64)
    rotation = np.stack([turn(y=np.deg2rad(50) * s) for s in way])
    edge = np.array([-half, 0, 0])
    return Poses(rotation, np.array([0.0, 0.0, 3.6]) + edge - rotation @ edge)


def _mobile(frames: int, rng: np.random.Generator) -> Poses:
    s = _side(rng)
    poses = _course(frames, (-0.5 * s, 1.5, 4.2), (0.5 * s, 1.4, 4.0), (3, 8 * s, -10 * s))
    way = (poses.position[:, 0] + 0.5 * s) / s
    poses.position[:, 1] -= 0.3 * np.sin(np.pi * np.clip(way, 0, 1))
    return poses


COURSES: dict[str, _Course] = {
    "translation": _Course("surface", (0.65, 0.5), _translation),
    "rotation": _Course("mobile", (0.65, 0.5), _rotation),
    "scale": _Course("surface", (0.65, 0.5), _scale),
    "drawer": _Course("articulated", (0.75, 0.45), _drawer),
    "hinge": _Course("articulated", (0.6, 0.6), _hinge, pitch=0.0, thin=0.1),
    "mobile": _Course("mobile", (0.65, 0.5), _mobile),
}
KINDS = tuple(COURSES)


def _union(
    actors: Sequence[Actor], positions: tuple[int, ...], t: int, shift: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.bool_]:
    covered = np.zeros(size, bool)
    for i in positions:
        covered |= actors[i].coverage(t, shift, size) > 127
    return covered


def _recorded(frames: NDArray[np.float32], spec: CarriedSpec, seed: list[int]) -> NDArray[np.uint8]:
    """What a camera makes of them: lens blur, noise, JPEG of quality 92."""
    rng = np.random.default_rng(seed)
    recorded = np.empty(frames.shape, np.uint8)
    for t, frame in enumerate(frames):
        soft = cv2.GaussianBlur(frame, (0, 0), spec.blur) if spec.blur > 0 else frame
        noisy = np.clip(soft + spec.noise * rng.standard_normal(soft.shape, np.float32), 0, 255).astype(np.uint8)
        coded = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        recorded[t] = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1]
    return recorded
