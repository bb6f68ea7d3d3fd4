"""Procedural clips whose layers are known exactly: what is seen of each object, and the whole of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.errors import UserError
from robustvos.scenes.motion import Motion, crossing_motion, random_motion, smooth_series
from robustvos.scenes.outlines import Outline, Polygon, random_outline, rotation
from robustvos.scenes.textures import random_texture

_SHIFT = 4  # fractional bits of polygon vertices
_MARGIN = 0.3  # of the frame's side, by which the background is larger
_ATTEMPTS = 300


@dataclass(frozen=True)
class SceneSpec:
    """What scenes to draw.

    Attributes:
        size: ``(H, W)`` pixels.
        frames: Length of the clip.
        max_objects: At most this many objects carry an id; further ones only get in the way.
        radius: Range of object radii at frame 0, as a fraction of the shorter side.
        crossing: Chance that an object is sent to pass before another.

    Raises:
        UserError: If there is nothing to draw: no frame, no object, fewer than 16 pixels a side, or no radius.
    """

    size: tuple[int, int] = (128, 128)
    frames: int = 8
    max_objects: int = 3
    radius: tuple[float, float] = (0.1, 0.24)
    crossing: float = 0.5

    def __post_init__(self) -> None:
        if self.frames < 1 or self.max_objects < 1 or min(self.size) < 16:
            raise UserError(
                f"cannot draw {self.frames} frames of {self.size} with {self.max_objects} objects; "
                "give at least one frame, one object and 16 pixels a side"
            )
        if not 0 < self.radius[0] <= self.radius[1]:
            raise UserError(f"radius {self.radius} is not a range above 0, in parts of the frame's shorter side")


@dataclass(frozen=True)
class Layer:
    """One thing in the scene: silhouette, texture and path. Layers are drawn from far to near."""

    outline: Outline
    texture: NDArray[np.uint8]
    motion: Motion
    depth: float

    def coverage(self, t: int, camera: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Anti-aliased silhouette ``(H, W)`` uint8 at frame ``t``."""
        return silhouette(self.outline.at(t), self.motion, t, camera, size)

    def paint(self, canvas: NDArray[np.float32], alpha: NDArray[np.uint8], t: int, camera: NDArray[np.float32]) -> None:
        """Blend the texture into ``canvas`` ``(H, W, 3)`` where ``alpha`` covers it."""
        _paint(canvas, alpha, self, camera, t)


@dataclass(frozen=True)
class RenderedScene:
    """A drawn clip.

    Attributes:
        frames: ``(T, H, W, 3)`` uint8, RGB.
        modal: ``(T, O, H, W)`` bool, what is seen.
        amodal: ``(T, O, H, W)`` bool, whole silhouettes inside the frame.
        depth: ``(O,)`` float in (0, 1), 0 nearest; the background is at 1.
        object_ids: ``O`` ids, 1, 2, ...
        labels: ``(T, H, W)`` uint8, which layer each pixel shows, with or without an id: 1 the farthest, 0 the background.
        layer_depth: ``(L + 1,)`` float, depth of each label.
    """

    frames: NDArray[np.uint8]
    modal: NDArray[np.bool_]
    amodal: NDArray[np.bool_]
    depth: NDArray[np.float32]
    object_ids: tuple[int, ...]
    labels: NDArray[np.uint8]
    layer_depth: NDArray[np.float32]


def render_scene(spec: SceneSpec, rng: np.random.Generator) -> RenderedScene:
    """Draw one random clip. The same generator state gives the same clip.

    Objects with an id are visible in frame 0 (at least half of them, at least 0.4 % of the frame); scenes without such
    an object are drawn again.

    Raises:
        UserError: If 300 scenes in a row had none: the radius is too small for the frame.
    """
    for _ in range(_ATTEMPTS):
        layers = random_layers(spec, rng)
        scene = draw_layers(spec, layers, rng)
        if scene.object_ids:
            return scene
    raise UserError(f"no object is large enough to be prompted in {spec}; give a larger radius, or a less narrow size")


def random_layers(spec: SceneSpec, rng: np.random.Generator) -> list[Layer]:
    """One to five moving things, far to near."""
    side = min(spec.size)
    layers: list[Layer] = []
    for depth in sorted(rng.uniform(0.05, 0.95, rng.integers(1, 6)), reverse=True):
        radius = side * rng.uniform(*spec.radius)
        if layers and rng.random() < spec.crossing:
            target = layers[rng.integers(len(layers))].motion
            meet = int(rng.integers(min(2, spec.frames - 1), max(spec.frames, 12)))
            meet = min(meet, spec.frames - 1)
            motion = crossing_motion(rng, spec.frames, target, meet, radius)
        else:
            motion = random_motion(rng, spec.frames, spec.size, radius)
        texture_side = max(16, int(2.6 * radius))
        layers.append(Layer(random_outline(rng), random_texture(rng, texture_side, texture_side), motion, float(depth)))
    return layers


def draw_layers(spec: SceneSpec, layers: list[Layer], rng: np.random.Generator) -> RenderedScene:
    """Draw ``layers`` over a random background under a drifting camera and a changing light."""
    camera = _camera_path(spec, rng)
    background = random_background(spec, rng)
    light = random_light(spec, rng)
    height, width = spec.size
    frames = np.empty((spec.frames, height, width, 3), np.uint8)
    amodal = np.zeros((spec.frames, len(layers), height, width), bool)
    for t in range(spec.frames):
        canvas = draw_background(background, camera[t], spec)
        for i, layer in enumerate(layers):
            alpha = silhouette(layer.outline.at(t), layer.motion, t, camera[t], spec.size)
            amodal[t, i] = alpha > 127
            _paint(canvas, alpha, layer, camera[t], t)
        frames[t] = np.clip(canvas * light[t], 0, 255)
    modal = modal_from_amodal(amodal)
    keep = _promptable(modal[0], amodal[0])[-spec.max_objects :]
    return RenderedScene(
        frames,
        modal[:, keep],
        amodal[:, keep],
        np.array([layers[i].depth for i in keep], np.float32),
        tuple(range(1, len(keep) + 1)),
        _labels(modal),
        np.array([1.0, *(layer.depth for layer in layers)], np.float32),
    )


def modal_from_amodal(amodal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Visible parts of layers that are ordered far to near along the object axis; ``(T, O, H, W)`` bool."""
    modal = amodal.copy()
    hidden = np.zeros(amodal.shape[:1] + amodal.shape[2:], bool)
    for i in reversed(range(amodal.shape[1])):
        modal[:, i] &= ~hidden
        hidden |= amodal[:, i]
    return modal


def _labels(modal: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """``(T, L, H, W)`` visible parts -> ``(T, H, W)`` number of the layer that each pixel shows, 0 for none."""
    labels = np.zeros((len(modal), *modal.shape[2:]), np.uint8)
    for number in range(modal.shape[1]):
        labels[modal[:, number]] = number + 1
    return labels


def silhouette(
    polygons: list[Polygon], motion: Motion, t: int, camera: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Anti-aliased coverage ``(H, W)`` uint8 of the union of ``polygons`` at frame ``t``."""
    alpha = np.zeros(size, np.uint8)
    matrix = rotation(float(motion.angle[t])).T * motion.scale[t]
    for polygon in polygons:
        points = (polygon @ matrix + motion.position[t] + camera) * (1 << _SHIFT)
        cv2.fillPoly(alpha, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    return alpha


def _paint(
    canvas: NDArray[np.float32], alpha: NDArray[np.uint8], layer: Layer, camera: NDArray[np.float32], t: int
) -> None:
    """Blend the layer's texture, moving with it, into its bounding box on ``canvas``."""
    x, y, w, h = cv2.boundingRect(alpha)
    if w == 0:
        return
    motion, side = layer.motion, layer.texture.shape[0]
    matrix = rotation(float(motion.angle[t])) * (motion.scale[t] * 2.6 / side)
    centre = motion.position[t] + camera - (x, y)
    affine = np.hstack([matrix, (centre - matrix @ np.array([side / 2, side / 2]))[:, None]]).astype(np.float32)
    colours = cv2.warpAffine(layer.texture, affine, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    weight = alpha[y : y + h, x : x + w, None].astype(np.float32) / 255
    region = canvas[y : y + h, x : x + w]
    region += weight * (colours - region)


def _promptable(modal: NDArray[np.bool_], amodal: NDArray[np.bool_]) -> list[int]:
    """Layers of frame 0, ``(O, H, W)``, that a person could point at."""
    seen, whole = modal.sum((1, 2)), amodal.sum((1, 2))
    least = 0.004 * modal.shape[1] * modal.shape[2]
    return [i for i in range(len(seen)) if seen[i] >= least and seen[i] >= 0.5 * whole[i]]


def random_background(spec: SceneSpec, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A texture larger than the frame, cluttered with up to six still shapes of other textures."""
    height, width = background_size(spec.size)
    image = random_texture(rng, height, width)
    for _ in range(rng.integers(0, 7)):
        outline = random_outline(rng).body * min(spec.size) * rng.uniform(0.05, 0.3)
        points = outline + rng.uniform(0, 1, 2) * (width, height)
        stencil = np.zeros((height, width), np.uint8)
        cv2.fillPoly(stencil, [np.round(points * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
        x, y, w, h = cv2.boundingRect(stencil)
        if w == 0:
            continue
        patch = random_texture(rng, h, w).astype(np.float32)
        weight = stencil[y : y + h, x : x + w, None].astype(np.float32) / 255
        region = image[y : y + h, x : x + w]
        image[y : y + h, x : x + w] = region + weight * (patch - region)
    return image


def background_size(size: tuple[int, int]) -> tuple[int, int]:
    """``(H, W)`` of a background for frames of ``size``: larger, so that the camera may drift."""
    height, width = (int(side * (1 + 2 * _MARGIN)) for side in size)
    return height, width


def _camera_path(spec: SceneSpec, rng: np.random.Generator) -> NDArray[np.float32]:
    """``(T, 2)`` shift of everything, pixels; still in a third of the scenes."""
    if rng.random() < 0.33:
        return np.zeros((spec.frames, 2), np.float32)
    reach = 0.06 * min(spec.size)
    path = np.stack([smooth_series(rng, spec.frames, reach) for _ in range(2)], axis=1)
    limit = 0.9 * _MARGIN * min(spec.size)
    return np.clip(path, -limit, limit)


def draw_background(background: NDArray[np.uint8], camera: NDArray[np.float32], spec: SceneSpec) -> NDArray[np.float32]:
    """The part of ``background`` that a camera shifted by ``camera`` pixels sees; ``(H, W, 3)`` float32, 0 to 255."""
    height, width = spec.size
    offset = camera - (_MARGIN * width, _MARGIN * height)
    affine = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
    shifted = cv2.warpAffine(
        background, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return shifted.astype(np.float32)


def random_light(spec: SceneSpec, rng: np.random.Generator) -> NDArray[np.float32]:
    """``(T, H, W, 3)`` gain: a slope across the frame, a tint, and a slow change in time."""
    height, width = spec.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    slope = (x / width - 0.5) * np.cos(direction) + (y / height - 0.5) * np.sin(direction)
    still = (1 + rng.uniform(0, 0.35) * slope)[..., None] * rng.uniform(0.9, 1.1, 3)
    change = np.exp(smooth_series(rng, spec.frames, 0.1)) * rng.uniform(0.75, 1.15)
    light: NDArray[np.float32] = (change[:, None, None, None] * still).astype(np.float32)
    return light
