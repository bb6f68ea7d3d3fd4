"""A stage for amodal clips: a room, actors in a fixed order from far to near, and one of them that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.scenes.motion import smooth_series
from robustvos.scenes.scene import SceneSpec, background_size, draw_background, random_background, random_light
from robustvos.scenes.textures import random_texture

Points = NDArray[np.float32]
QUERY_ID = 1


@dataclass(frozen=True)
class StageSpec:
    """How large and how long clips are.

    Attributes:
        size: ``(H, W)`` pixels.
        frames: Length of the clip.
    """

    size: tuple[int, int] = (144, 176)
    frames: int = 56


class Actor(Protocol):
    """Whatever can be drawn: a :class:`~robustvos.scenes.scene.Layer` or a :class:`~robustvos.scenes.panels.Panel`."""

    def coverage(self, t: int, camera: Points, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Anti-aliased silhouette ``(H, W)`` uint8 at frame ``t``."""

    def paint(self, canvas: NDArray[np.float32], alpha: NDArray[np.uint8], t: int, camera: Points) -> None:
        """Blend itself into ``canvas`` ``(H, W, 3)`` where ``alpha`` covers it."""


@dataclass(frozen=True)
class Play:
    """What happens in a clip.

    Attributes:
        actors: From far to near.
        query: Position of the object that is asked for.
        container: Positions of the parts that hold it in the end; empty if nothing does.
        floor: Row of the floor that things stand on, pixels; shadows fall there.
        grounded: Positions of the actors that cast a shadow.
    """

    actors: Sequence[Actor]
    query: int
    container: tuple[int, ...]
    floor: float
    grounded: tuple[int, ...]


@dataclass(frozen=True)
class AmodalClip:
    """A drawn clip with one query object, whose whole silhouette is known whatever hides it.

    Attributes:
        frames: ``(T, H, W, 3)`` uint8, RGB.
        modal: ``(T, 1, H, W)`` bool, what is seen of the object.
        amodal: ``(T, 1, H, W)`` bool, its whole silhouette inside the frame.
        container: ``(T, H, W)`` bool, the parts of the container; all False for ``occlusion``.
        category: ``occlusion``, ``surface``, ``articulated`` or ``mobile``.
        object_ids: The id of the query object.
        camera: ``(T, 2)`` by how many pixels everything was shifted; None if not known.
    """

    frames: NDArray[np.uint8]
    modal: NDArray[np.bool_]
    amodal: NDArray[np.bool_]
    container: NDArray[np.bool_]
    category: str
    object_ids: tuple[int, ...] = (QUERY_ID,)
    camera: Points | None = None

    def fully_hidden(self) -> NDArray[np.bool_]:
        """``(T,)`` bool: frames in which the object is there and nothing of it is seen."""
        return np.asarray(self.amodal.any((1, 2, 3)) & ~self.modal.any((1, 2, 3)))

    def hidden_fraction(self) -> NDArray[np.float64]:
        """``(T,)`` float in [0, 1]: how much of the object is hidden; 0 where it is out of the frame."""
        whole, seen = self.amodal.sum((1, 2, 3)), self.modal.sum((1, 2, 3))
        return np.where(whole > 0, 1 - seen / np.maximum(whole, 1), 0.0)


Wanted = Callable[[AmodalClip], "Sequence[int] | NDArray[np.integer] | None"]
"""Of a clip whose frames are not painted yet: which of them to paint, and to keep alone; None: the clip is no use."""


@overload
def perform(play: Play, category: str, spec: StageSpec, rng: np.random.Generator) -> AmodalClip: ...


@overload
def perform(
    play: Play, category: str, spec: StageSpec, rng: np.random.Generator, wanted: Wanted | None
) -> AmodalClip | None: ...


def perform(
    play: Play, category: str, spec: StageSpec, rng: np.random.Generator, wanted: Wanted | None = None
) -> AmodalClip | None:
    """Draw a play in a random room, under a random light, with a camera that is still or sways a little.

    Silhouettes cost little and paint much: ``wanted`` is asked when the masks are known and no frame is painted.

    Returns:
        The clip, of the frames that were wanted; None if it was no use.
    """
    scene = SceneSpec(size=spec.size, frames=spec.frames)
    background, light = _random_room(scene, play.floor, rng), random_light(scene, rng)
    camera = _gentle_camera(spec, rng)
    height, width = spec.size
    modal, amodal, container = (np.zeros((spec.frames, height, width), bool) for _ in range(3))
    silhouettes = []
    for t in range(spec.frames):
        alphas = [actor.coverage(t, camera[t], spec.size) for actor in play.actors]
        amodal[t] = alphas[play.query] > 127
        modal[t] = amodal[t] & ~_union(alphas[play.query + 1 :], spec.size)
        container[t] = _union([alphas[i] for i in play.container], spec.size)
        silhouettes.append(alphas)
    unpainted = np.empty((0, height, width, 3), np.uint8)
    clip = AmodalClip(unpainted, modal[:, None], amodal[:, None], container, category, camera=camera)
    kept = np.arange(spec.frames) if wanted is None else wanted(clip)
    if kept is None:
        return None
    frames = np.empty((len(kept), height, width, 3), np.uint8)
    for place, t in enumerate(kept):
        canvas = draw_background(background, camera[t], scene)
        for i in play.grounded:
            _cast_shadow(canvas, silhouettes[t][i], play.floor + camera[t, 1])
        for actor, alpha in zip(play.actors, silhouettes[t], strict=True):
            actor.paint(canvas, alpha, int(t), camera[t])
        frames[place] = np.clip(canvas * light[t], 0, 255)
    return replace(
        clip,
        frames=frames,
        modal=clip.modal[kept],
        amodal=clip.amodal[kept],
        container=container[kept],
        camera=camera[kept],
    )


def eased_path(frames: int, times: Sequence[float], points: Sequence[Sequence[float]]) -> Points:
    """A path that starts and stops gently at each way point.

    Args:
        frames: Length ``T``.
        times: ``K`` rising fractions of the clip's length.
        points: ``K`` points ``(x, y)``; held before the first and after the last time.

    Returns:
        ``(T, 2)`` float32.

    >>> eased_path(5, [0.25, 0.75], [[0, 1], [8, 1]])[:, 0].tolist()
    [0.0, 0.0, 4.0, 8.0, 8.0]
    """
    now = np.arange(frames) / max(frames - 1, 1)
    stations = np.asarray(points, np.float64)
    leg = np.clip(np.searchsorted(times, now, side="right") - 1, 0, len(times) - 2)
    begin, end = np.asarray(times)[leg], np.asarray(times)[leg + 1]
    u = np.clip((now - begin) / np.maximum(end - begin, 1e-9), 0, 1)[:, None]
    path: Points = (stations[leg] + u * u * (3 - 2 * u) * (stations[leg + 1] - stations[leg])).astype(np.float32)
    return path


def _union(alphas: Sequence[NDArray[np.uint8]], size: tuple[int, int]) -> NDArray[np.bool_]:
    covered = np.zeros(size, bool)
    for alpha in alphas:
        covered |= alpha > 127
    return covered


def _gentle_camera(spec: StageSpec, rng: np.random.Generator) -> Points:
    """``(T, 2)`` shift of everything, pixels: still in half of the clips, as the videos of Real-VAS are."""
    if rng.random() < 0.5:
        return np.zeros((spec.frames, 2), np.float32)
    reach = 0.02 * min(spec.size)
    path = np.stack([smooth_series(rng, spec.frames, reach, period=36) for _ in range(2)], axis=1)
    return np.clip(path, -2 * reach, 2 * reach)


def _random_room(scene: SceneSpec, floor: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A cluttered wall above a calmer floor."""
    height, width = background_size(scene.size)
    wall = _calm(random_background(scene, rng), rng.uniform(0.35, 0.8))
    horizon = (height - scene.size[0]) // 2 + int(floor - scene.size[0] * rng.uniform(0.06, 0.16))
    ground = _calm(random_texture(rng, height - horizon, width), rng.uniform(0.2, 0.6))
    # Floors of rooms darken towards the wall.
    fade = np.linspace(0.72, 1.05, height - horizon, dtype=np.float32)[:, None, None]
    wall[horizon:] = np.clip(ground * fade, 0, 255)
    return wall.astype(np.uint8)


def _calm(image: NDArray[np.uint8], contrast: float) -> NDArray[np.float32]:
    mean = image.mean((0, 1), dtype=np.float32)
    calm: NDArray[np.float32] = (mean + np.float32(contrast) * (image - mean)).astype(np.float32)
    return calm


def _cast_shadow(canvas: NDArray[np.float32], alpha: NDArray[np.uint8], floor: float) -> None:
    """Darken the floor below a thing: a soft ellipse, weaker and wider the higher the thing is."""
    x, y, w, h = cv2.boundingRect(alpha)
    height = floor - (y + h)
    if w == 0 or height < -0.2 * h:
        return
    reach = w * 0.62 + 0.1 * max(height, 0)
    rows, columns = np.ogrid[: canvas.shape[0], : canvas.shape[1]]
    distance = ((columns - (x + w / 2)) / reach) ** 2 + ((rows - floor) / max(0.22 * reach, 2)) ** 2
    strength = 0.5 * np.exp(-max(height, 0) / (0.4 * canvas.shape[0]))
    canvas *= (1 - strength * np.clip(1 - distance, 0, 1))[..., None].astype(np.float32)
