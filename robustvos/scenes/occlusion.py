"""Clips in which the query object passes behind things, or things pass before it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustvos.scenes.motion import Motion, smooth_series
from robustvos.scenes.outlines import Outline, random_outline
from robustvos.scenes.panels import Panel, board_texture, still_shade, upright
from robustvos.scenes.props import random_bystanders
from robustvos.scenes.scene import Layer
from robustvos.scenes.stage import Actor, Play, StageSpec, eased_path
from robustvos.scenes.textures import random_texture

Points = NDArray[np.float32]


def occlusion_play(spec: StageSpec, rng: np.random.Generator) -> Play:
    """A random play: still walls, a sliding screen, or passers-by; the object reappears, stays hidden or turns back."""
    floor = spec.size[0] * rng.uniform(0.78, 0.9)
    radius = min(spec.size) * rng.uniform(0.1, 0.16)
    query = _random_outline_of(rng, radius, spec.frames)
    kind = rng.choice(["walls", "screen", "passers"], p=[0.5, 0.2, 0.3])
    if kind == "walls":
        middles, nearer = _behind_walls(spec, rng, floor, radius)
    elif kind == "screen":
        middles, nearer = _behind_sliding_screen(spec, rng, floor, radius)
    else:
        middles, nearer = _behind_passers(spec, rng, floor, radius)
    bystanders = random_bystanders(rng, spec.frames, spec.size, floor)
    actors: list[Actor] = [*bystanders, _living_layer(rng, query, middles, radius), *nearer]
    place = len(bystanders)
    return Play(actors, place, container=(), floor=floor, grounded=tuple(range(len(actors))))


def _behind_walls(spec: StageSpec, rng: np.random.Generator, floor: float, radius: float) -> tuple[Points, list[Actor]]:
    """The object walks or rolls along the floor behind one wall, or two posts."""
    width = spec.size[1]
    count = int(rng.integers(1, 3))
    half_widths = radius * (rng.uniform(1.2, 2.0, count) if count == 1 else rng.uniform(0.4, 1.15, count))
    places = width * (rng.uniform(0.45, 0.62, 1) if count == 1 else np.array([0.4, 0.7]) + rng.uniform(-0.04, 0.04, 2))
    walls = [
        _board(spec, rng, floor + 3, x, w, radius * rng.uniform(1.3, 2.2))
        for x, w in zip(places, half_widths, strict=True)
    ]
    start, far = radius * 1.2 + 2, width - radius * 1.2 - 2
    ending = rng.choice(["reappear", "stay", "return"], p=[0.6, 0.2, 0.2])
    if ending == "reappear":
        xs, times = [start, far], [0.04, 0.95]
    elif ending == "stay":
        xs, times = [start, places[-1]], [0.04, 0.6]
    else:
        xs, times = [start, places[0], places[0], start], [0.04, 0.42, 0.55, 0.96]
    path = eased_path(spec.frames, times, [[x, floor - radius] for x in xs])
    path[:, 1] -= _hops(spec.frames, rng, radius)
    if rng.random() < 0.5:
        return _mirror(path, width), [_mirrored_panel(wall, width) for wall in walls]
    return path, list(walls)


def _behind_sliding_screen(
    spec: StageSpec, rng: np.random.Generator, floor: float, radius: float
) -> tuple[Points, list[Actor]]:
    """A screen slides in, stands before the slowly moving object for a while, and moves on or stays."""
    width = spec.size[1]
    x = width * rng.uniform(0.35, 0.65)
    drift = radius * rng.uniform(-1.2, 1.2)
    path = eased_path(spec.frames, [0.0, 1.0], [[x, floor - radius], [x + drift, floor - radius]])
    half = radius * rng.uniform(1.3, 2.0) + abs(drift) / 2
    side = rng.choice([-1, 1])
    outside = width / 2 + side * (width / 2 + half + 4)
    leaves = rng.random() < 0.6
    before = x + drift / 2
    stations = [outside, before, before, (width - outside) if leaves else before]
    track = eased_path(spec.frames, [0.1, 0.4, 0.6, 0.95], [[station, 0] for station in stations])
    return path, [_board(spec, rng, floor + 3, track[:, 0], half, radius * rng.uniform(1.3, 2.2))]


def _behind_passers(
    spec: StageSpec, rng: np.random.Generator, floor: float, radius: float
) -> tuple[Points, list[Actor]]:
    """The object stands or strolls while one to three larger things cross in front of it."""
    width = spec.size[1]
    x = width * rng.uniform(0.3, 0.7)
    stroll = width * rng.uniform(-0.25, 0.25)
    path = eased_path(spec.frames, [0.0, 1.0], [[x, floor - radius], [x + stroll, floor - radius]])
    path[:, 0] = np.clip(path[:, 0], radius * 1.3, width - radius * 1.3)
    passers: list[Actor] = []
    count = int(rng.integers(1, 4))
    for k in range(count):
        size = radius * rng.uniform(1.1, 2.0)
        meet = int(spec.frames * (0.3 + 0.55 * k / max(count, 2) + rng.uniform(0, 0.1)))
        speed = rng.choice([-1, 1]) * radius * rng.uniform(0.1, 0.22)
        # It must not stand before the object at the beginning.
        speed *= max(1.0, 1.3 * (radius + size) / max(abs(speed) * meet, 1e-6))
        time = np.arange(spec.frames) - meet
        middles = np.stack([path[meet, 0] + speed * time, np.full(spec.frames, floor + 4 - size)], axis=1)
        passers.append(_living_layer(rng, _random_outline_of(rng, size, spec.frames), middles.astype(np.float32), size))
    return path, passers


def _board(
    spec: StageSpec, rng: np.random.Generator, foot: float, x: Points | float, half_width: float, half_height: float
) -> Panel:
    centres = np.empty((spec.frames, 2), np.float32)
    centres[:, 0], centres[:, 1] = x, foot - half_height
    texture = board_texture(rng, 2 * half_height, 2 * half_width)
    return Panel(upright(centres, half_width, half_height), texture, still_shade(spec.frames))


def _random_outline_of(rng: np.random.Generator, radius: float, frames: int) -> tuple[Outline, float]:
    """A living outline, and the scale under which it stays within ``radius`` pixels of its middle."""
    outline = random_outline(rng)
    reach = max(float(np.linalg.norm(polygon, axis=1).max()) for t in range(frames) for polygon in outline.at(t))
    return outline, radius / reach


def _living_layer(rng: np.random.Generator, thing: tuple[Outline, float], middles: Points, radius: float) -> Layer:
    outline, scale = thing
    frames, side = len(middles), max(16, int(2.6 * scale))
    turn = smooth_series(rng, frames, 0.25)
    if rng.random() < 0.4:
        # It rolls: the angle follows the way it has gone.
        turn = (middles[:, 0] - middles[0, 0]) / radius
    angle = (rng.uniform(0, 2 * np.pi) + turn).astype(np.float32)
    motion = Motion(middles, angle, np.full(frames, scale, np.float32))
    return Layer(outline, random_texture(rng, side, side), motion, 0.5)


def _hops(frames: int, rng: np.random.Generator, radius: float) -> Points:
    """``(T,)`` height above the floor, pixels: half of the objects hop."""
    if rng.random() < 0.5:
        return np.zeros(frames, np.float32)
    period = rng.uniform(8, 16)
    height: Points = (radius * rng.uniform(0.3, 0.9) * np.abs(np.sin(np.pi * np.arange(frames) / period))).astype(
        np.float32
    )
    return height


def _mirror(path: Points, width: int) -> Points:
    mirrored = path.copy()
    mirrored[:, 0] = width - mirrored[:, 0]
    return mirrored


def _mirrored_panel(panel: Panel, width: int) -> Panel:
    corners = panel.corners.copy()
    corners[..., 0] = width - corners[..., 0]
    return Panel(corners, panel.texture, panel.shade)
