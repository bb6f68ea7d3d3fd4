"""Pictures laid over one another: a base that fills the frame, cut-out objects above it; masks say what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from robustvos.corruptions import Layers
from robustvos.datasets.pasted.paths import pixel_map

_MOST_THINGS = 256  # that fit into uint8
_EDGE = 0.7  # standard deviation of the blur of pasted edges, pixels


@dataclass(frozen=True)
class Layer:
    """What one piece of footage adds to a clip of ``T`` frames.

    Attributes:
        images: ``T`` pictures ``(H, W, 3)`` uint8; the same array may stand for several frames.
        ids: ``T`` maps ``(H, W)`` uint8 of object ids.
        path: ``(T, 3, 3)`` from the picture's unit square to that of the clip.
        cut: Only the object of this id is laid on; None: the whole picture, which fills the frame.
        footage: Name of what it is of.
    """

    images: Sequence[np.ndarray]
    ids: Sequence[np.ndarray]
    path: np.ndarray
    cut: int | None = None
    footage: str = ""


def compose(layers: Sequence[Layer], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a clip.

    Args:
        layers: The base first, then what lies on it, from the lowest to the topmost.
        size: Side ``S`` of the frames.

    Returns:
        ``(T, S, S, 3)`` uint8 frames, and ``(T, S, S)`` int16 labels: ``256 * layer + id`` where object ``id`` of that
        layer is seen, 0 elsewhere.
    """
    length = len(layers[0].path)
    frames = np.empty((length, size, size, 3), dtype=np.uint8)
    labels = np.zeros((length, size, size), dtype=np.int16)
    for t in range(length):
        for number, layer in enumerate(layers):
            image, ids = layer.images[t], layer.ids[t]
            matrix = pixel_map(layer.path[t], ids.shape, size)
            if layer.cut is None:
                frames[t] = _warp(image, matrix, size, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
                seen = _warp(ids, matrix, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
                labels[t] = np.where(seen > 0, 256 * number + seen.astype(np.int16), 0)
            else:
                _lay_on(frames[t], labels[t], image, ids == layer.cut, matrix, 256 * number + layer.cut)
    return frames, labels


def whole_masks(layer: Layer, size: int) -> np.ndarray:
    """``(T, S, S)`` bool, where the object of a layer that is cut out lies, whatever is laid on it; cut by the frame."""
    masks = np.empty((len(layer.path), size, size), dtype=bool)
    for t, ids in enumerate(layer.ids):
        masks[t] = _matte(ids == layer.cut, pixel_map(layer.path[t], ids.shape, size), size) > 127
    return masks


def _matte(mask: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """``(S, S)`` uint8, 255 inside; labels are of the pixels above 127."""
    return _warp(mask.astype(np.uint8) * 255, matrix, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)


def layers_of_labels(labels: np.ndarray) -> Layers:
    """How far the things of a composed clip are: the lower a layer, the farther.

    Each object is a thing of its own. The base's background is farthest, at depth 1; its objects and the layers above
    follow at equal steps towards the camera, objects of one layer at the same depth.

    Args:
        labels: ``(T, S, S)`` as :func:`compose` gives them.

    >>> layers = layers_of_labels(np.array([[[0, 1, 2, 258]]], np.int16))
    >>> layers.labels.tolist(), (3 * layers.depth).tolist()
    ([[[0, 1, 2, 3]]], [3.0, 2.0, 2.0, 1.0])
    """
    things = np.concatenate([[0], np.unique(labels[labels > 0])])[:_MOST_THINGS]
    place = np.full(
        int(labels.max(initial=0)) + 1, len(things) - 1, dtype=np.uint8
    )  # more than fit are one with the last
    place[things] = np.arange(len(things))
    tiers = np.unique(things[1:] // 256, return_inverse=True)
    steps = np.concatenate([[0], tiers[1] + 1])
    depth = 1.0 - steps / (len(tiers[0]) + 1)
    return Layers(place[labels], depth.astype(np.float32))


def _lay_on(
    frame: np.ndarray, labels: np.ndarray, image: np.ndarray, mask: np.ndarray, matrix: np.ndarray, label: int
) -> None:
    """Lay one object on a frame, in place; nothing is drawn where it lies outside."""
    size = len(frame)
    matte = _matte(mask, matrix, size)
    box = cv2.boundingRect(matte)
    if not box[2]:
        return
    margin = 3
    x0, y0 = max(0, box[0] - margin), max(0, box[1] - margin)
    x1, y1 = min(size, box[0] + box[2] + margin), min(size, box[1] + box[3] + margin)
    inner = np.s_[y0:y1, x0:x1]
    moved = matrix - np.array([[0, 0, x0], [0, 0, y0]])
    pixels = cv2.warpAffine(image, moved, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.GaussianBlur(matte[inner], (5, 5), _EDGE).astype(np.float32)[..., None] / 255
    frame[inner] = frame[inner] + alpha * (pixels.astype(np.float32) - frame[inner]) + 0.5
    labels[inner][matte[inner] > 127] = label


def _warp(picture: np.ndarray, matrix: np.ndarray, size: int, flags: int, border: int) -> np.ndarray:
    return cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=border)
