"""Clips in which the query object ends up inside something: it slides or falls in, is shut in, or is carried off.

Categories as in Real-VAS: the container stands still (``surface``), a door or lid closes (``articulated``), or the
container moves with the object inside (``mobile``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustvos.scenes.panels import Panel, board_texture, hinged, still_shade, upright
from robustvos.scenes.props import Prop, random_bystanders, random_prop
from robustvos.scenes.stage import Actor, Play, StageSpec, eased_path

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Setting:
    """Where a play takes place.

    Attributes:
        spec: Size and length.
        floor: Row of the floor, pixels.
        prop: The query object.
        home: Column of the container's middle, pixels.
        away: Column of a free place on the floor beside it, pixels.
        half: Half the inner width and height that the container needs to hide the object, pixels.
    """

    spec: StageSpec
    floor: float
    prop: Prop
    home: float
    away: float
    half: tuple[float, float]

    @property
    def inside(self) -> tuple[float, float]:
        """Middle of the object at rest on the container's ground."""
        return self.home, self.floor - self.prop.half[1] - 2

    @property
    def beside(self) -> tuple[float, float]:
        """Middle of the object at rest on the floor beside the container."""
        return self.away, self.floor - self.prop.half[1]


def surface_play(spec: StageSpec, rng: np.random.Generator) -> Play:
    """The object is lowered into a box, or slides behind the front of one, and stays there."""
    setting = _random_setting(spec, rng)
    container = np.tile(_array([setting.home, 0]), (spec.frames, 1))
    if rng.random() < 0.6:
        path, tip = _lowered(setting, rng, begin=rng.uniform(0.06, 0.12), end=rng.uniform(0.42, 0.5))
        return _boxed(setting, rng, path, container, [_rod(setting, rng, tip)])
    times = [rng.uniform(0.06, 0.15), rng.uniform(0.45, 0.6)]
    return _boxed(setting, rng, eased_path(spec.frames, times, [setting.beside, setting.inside]), container, [])


def articulated_play(spec: StageSpec, rng: np.random.Generator) -> Play:
    """A door, two doors or a lid close over the object in a cabinet; in some clips they open again at the end."""
    setting = _random_setting(spec, rng)
    half_width, half_height = setting.half
    middle = _array([setting.home, setting.floor - half_height])
    still = np.tile(middle, (spec.frames, 1))
    body_texture = board_texture(rng, 2 * half_height, 2 * half_width)
    body = Panel(upright(still, half_width + 4, half_height + 4), body_texture, still_shade(spec.frames, 0.8))
    inner = Panel(
        upright(still, half_width, half_height),
        board_texture(rng, 2 * half_height, 2 * half_width),
        still_shade(spec.frames, rng.uniform(0.3, 0.5)),
    )
    if rng.random() < 0.5:
        path = np.tile(_array(setting.inside), (spec.frames, 1))
    else:
        path = eased_path(spec.frames, [0.03, rng.uniform(0.2, 0.25)], [setting.beside, setting.inside])
    doors = _doors(setting, rng, middle)
    bystanders = random_bystanders(rng, spec.frames, spec.size, setting.floor)
    actors: list[Actor] = [*bystanders, body, inner, setting.prop.layer(path), *doors]
    first = len(bystanders)
    container = (first, first + 1, *range(first + 3, len(actors)))
    return Play(actors, first + 2, container, setting.floor, grounded=(*range(first), first, first + 2))


def mobile_play(spec: StageSpec, rng: np.random.Generator) -> Play:
    """A cup is put over the object and pushed along, or the box into which it was lowered is carried off."""
    setting = _random_setting(spec, rng)
    if rng.random() < 0.5:
        return _cup_play(setting, rng)
    path, tip = _lowered(setting, rng, begin=rng.uniform(0.04, 0.08), end=rng.uniform(0.4, 0.46))
    times = [rng.uniform(0.57, 0.62), rng.uniform(0.86, 0.95)]
    box = eased_path(spec.frames, times, [[setting.home, 0], [_other_place(setting, rng), 0]])
    if rng.random() < 0.5:
        # The rod comes back and carries the box over in an arc; otherwise it slides along the floor.
        now = np.arange(spec.frames) / (spec.frames - 1)
        way = np.clip((now - times[0]) / (times[1] - times[0]), 0, 1)
        box[:, 1] -= (setting.half[1] * rng.uniform(0.5, 1.2) * np.sin(np.pi * way)).astype(np.float32)
        grip = box + _array([0, setting.floor - 2 * setting.half[1] + 4])
        down = np.clip((now - 0.47) / 0.09, 0, 1)
        grip[:, 1] = down * grip[:, 1] - 10 * (1 - down)
        tip = np.where((now < 0.47)[:, None], tip, grip)
    return _boxed(setting, rng, path + (box - box[0]), box, [_rod(setting, rng, tip)])


def _random_setting(spec: StageSpec, rng: np.random.Generator) -> Setting:
    height, width = spec.size
    prop = random_prop(rng, min(spec.size) * rng.uniform(0.1, 0.14))
    half = (float(prop.half[0] * rng.uniform(1.15, 1.5) + 4), float(prop.half[1] * rng.uniform(1.1, 1.35) + 4))
    reach = half[0] * 1.1 + 6  # a container's half width with its walls
    home = rng.uniform(max(0.34 * width, reach), min(0.46 * width, width - reach))
    away = rng.uniform(home + reach + prop.half[0], max(home + reach + prop.half[0], 0.86 * width))
    if rng.random() < 0.5:
        home, away = width - home, width - away
    return Setting(spec, height * rng.uniform(0.82, 0.92), prop, float(home), float(away), half)


def _boxed(setting: Setting, rng: np.random.Generator, path: Points, box: Points, behind: list[Actor]) -> Play:
    """The object between the back and the front of a box; ``box`` ``(T, 2)``: column, and row from the floor."""
    half_width, half_height = setting.half
    frames = setting.spec.frames
    texture = board_texture(rng, 2 * half_height, 2 * half_width)
    rise = half_height * rng.uniform(0.15, 0.3)
    middles = box + _array([0, setting.floor - half_height])
    back = Panel(
        upright(middles - _array([0, rise]), half_width * 0.96, half_height), texture, still_shade(frames, 0.5)
    )
    front = Panel(upright(middles, half_width, half_height, taper=-0.06), texture, still_shade(frames))
    bystanders = random_bystanders(rng, frames, setting.spec.size, setting.floor)
    actors: list[Actor] = [*bystanders, back, *behind, setting.prop.layer(path), front]
    query = len(actors) - 2
    grounded = (*range(len(bystanders)), query, query + 1)
    return Play(actors, query, (len(bystanders), query + 1), setting.floor, grounded)


def _lowered(setting: Setting, rng: np.random.Generator, begin: float, end: float) -> tuple[Points, Points]:
    """The object is lifted, carried over the box and let go; ``(T, 2)`` its path, and that of the rod's tip.

    ``begin`` and ``end`` are fractions of the clip; the rod has left the frame a tenth of the clip after the release.
    """
    frames, half = setting.spec.frames, setting.prop.half[1]
    (x0, y0), (x1, y1) = setting.beside, setting.inside
    rim = setting.floor - 2 * setting.half[1]
    top = max(half + 3, rim - half - setting.half[1] * rng.uniform(0.5, 1.0))
    span = end - begin
    release = begin + 0.75 * span
    path = eased_path(frames, [begin, begin + 0.35 * span, release], [[x0, y0], [x0, top], [x1, top]])
    now = np.arange(frames) / (frames - 1)
    tip = path.copy()
    tip[:, 1] -= (np.clip((now - release) / 0.1, 0, 1) * (top + 10)).astype(np.float32)
    # Free fall from the moment of release.
    path[:, 1] += ((y1 - top) * np.clip((now - release) / (end - release), 0, 1) ** 2).astype(np.float32)
    return path, tip


def _rod(setting: Setting, rng: np.random.Generator, tip: Points) -> Panel:
    """A rod that hangs into the frame from above, down to ``tip`` ``(T, 2)``."""
    half_length, half_width = setting.spec.size[0] / 2, max(1.5, 0.1 * setting.prop.half[1])
    middles = tip - _array([0, half_length])
    texture = board_texture(rng, 64, 8)
    return Panel(upright(middles, half_width, half_length), texture, still_shade(setting.spec.frames, 0.7))


def _doors(setting: Setting, rng: np.random.Generator, middle: Points) -> list[Panel]:
    """Doors that leave the opening free at first and cover it in the middle of the clip."""
    half_width, half_height = setting.half
    w, h = half_width + 1.5, half_height + 1.5
    frames = setting.spec.frames
    texture = board_texture(rng, 2 * h, 2 * w)
    kind = rng.choice(["door", "doors", "lid", "slide"])
    reopens = rng.random() < 0.35
    begin, shut = rng.uniform(0.27, 0.35), rng.uniform(0.48, 0.6)
    times, swing = [begin, shut, 0.84, 0.99], [1.0, 0.0, 0.0, rng.uniform(0.4, 0.8) if reopens else 0.0]
    opened = eased_path(frames, times, [[s, 0.0] for s in swing])[:, 0]
    if kind == "slide":
        centres = middle + opened[:, None] * _array([rng.choice([-1, 1]) * (2 * w + 5), 0])
        return [Panel(upright(centres.astype(np.float32), w, h), texture, still_shade(frames))]
    angles = opened * rng.uniform(np.deg2rad(105), np.deg2rad(150))
    shade = (1 - 0.35 * np.sin(angles)).astype(np.float32)
    left, right = middle[0] - w, middle[0] + w
    top, bottom = middle[1] - h, middle[1] + h
    if kind == "lid":
        return [Panel(hinged(_array([[left, top], [right, top]]), _array([0, 2 * h]), angles), texture, shade)]
    reach = 2 * w if kind == "door" else w
    from_left = Panel(hinged(_array([[left, top], [left, bottom]]), _array([reach, 0]), angles), texture, shade)
    from_right = Panel(hinged(_array([[right, top], [right, bottom]]), _array([-reach, 0]), angles), texture, shade)
    if kind == "doors":
        return [from_left, from_right]
    return [from_left if rng.random() < 0.5 else from_right]


def _cup_play(setting: Setting, rng: np.random.Generator) -> Play:
    """The cup starts beside the object, is lifted over it, pushed to another place, and sometimes lifted again."""
    spec, prop = setting.spec, setting.prop
    half_width, half_height = setting.half[0] * 1.1, setting.half[1]
    texture = board_texture(rng, 2 * half_height, 2 * half_width)
    high = -2 * half_height - 2 * prop.half[1] * rng.uniform(0.1, 0.3)
    start, there, goal = setting.away, setting.home, _other_place(setting, rng)
    lifts_off = rng.random() < 0.4
    cup = eased_path(
        spec.frames,
        [0.05, 0.16, 0.28, 0.4, 0.48, 0.82, 0.86, 0.99],
        [
            [start, 0],
            [start, high],
            [there, high],
            [there, 0],
            [there, 0],
            [goal, 0],
            [goal, 0],
            [goal, lifts_off * high],
        ],
    )
    path = np.tile(_array([there, setting.floor - prop.half[1] - 1]), (spec.frames, 1))
    now = np.arange(spec.frames) / (spec.frames - 1)
    path[:, 0] += np.where(now >= 0.4, np.where(now > 0.86, goal, cup[:, 0]) - there, 0)
    middles = cup + _array([0, setting.floor - half_height])
    bystanders = random_bystanders(rng, spec.frames, spec.size, setting.floor)
    layer = prop.layer(path.astype(np.float32))
    front = Panel(upright(middles, half_width, half_height, taper=0.08), texture, still_shade(spec.frames))
    actors: list[Actor] = [*bystanders, layer, front]
    decoys = []
    if rng.random() < 0.5:
        place = np.tile(_array([_other_place(setting, rng), setting.floor + 3 - half_height]), (spec.frames, 1))
        decoys = [Panel(upright(place, half_width, half_height, taper=0.08), texture, still_shade(spec.frames))]
    query = len(bystanders)
    actors += decoys
    return Play(actors, query, (query + 1,), setting.floor, grounded=tuple(range(len(actors))))


def _other_place(setting: Setting, rng: np.random.Generator) -> float:
    """A column away from the container's, wholly inside the frame."""
    width = setting.spec.size[1]
    margin = setting.half[0] * 1.2 + 4
    place = float(rng.uniform(margin, width - margin))
    shift = place - setting.home
    least = 0.2 * width
    if abs(shift) >= least:
        return place
    toward = 1 if setting.home < width / 2 else -1
    return float(setting.home + toward * max(abs(shift), least))


def _array(values: Sequence[object]) -> Points:
    return np.asarray(values, np.float32)
