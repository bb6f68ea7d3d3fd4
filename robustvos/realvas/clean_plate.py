"""The scene without movers: the median of the frames, freed of what stood still for long, in one exposure.

What stops and goes is burnt into a median. *Edge ownership* finds it: along the outline of a changed region the frame has
edges if the object is in the frame, the plate if it is in the plate. Where enough frames show the plate to be wrong, they make
it anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from robustvos.realvas.difference import DifferenceSettings, changed_regions, noise_map
from robustvos.realvas.pictures import disc, grey

_OWNED_BY_PLATE = 0.8
"""The frame's mean gradient along an outline, as a share of the plate's, below which the object is in the plate."""
_ENOUGH_SHARE, _FEWEST_FRAMES = 0.04, 2
"""Of the frames must show that a pixel of the plate is wrong."""
_SEAMLESS = 1.15
"""Gradient along the outline of a repaired part, as a multiple of the frames', above which it has a seam."""
_ROUNDS = 5
_SETTLED_PX = 20


def median_of(frames: Sequence[np.ndarray]) -> np.ndarray:
    """The median of each pixel over frames, ``(H, W, 3)`` uint8; rows in turn, to bound memory."""
    rows = max(1, 2**25 // (len(frames) * frames[0].shape[1] * 3))
    bands = [
        np.median(np.stack([frame[y : y + rows] for frame in frames]), axis=0)
        for y in range(0, frames[0].shape[0], rows)
    ]
    return np.concatenate(bands).round().astype(np.uint8)


def exposure_gain(frame: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """By what factor a frame is brighter than the plate: the median ratio of each channel, ``(3,)`` float64.

    Pixels that are nearly black or white in the plate say nothing and are left out; 1 where too few remain.
    """
    frame, plate = frame[::2, ::2], plate[::2, ::2]
    usable = (plate > 16) & (plate < 240)
    gains = []
    for channel in range(3):
        chosen = usable[..., channel]
        ratio = frame[..., channel][chosen] / plate[..., channel][chosen].astype(np.float32)
        gains.append(float(np.median(ratio)) if ratio.size > 100 else 1.0)
    return np.array(gains)


def apply_gain(frame: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """A uint8 picture with each channel multiplied by ``gain``; itself where that changes less than half a step."""
    if np.abs(gain - 1.0).max() < 0.002:
        return frame
    table = np.clip(np.arange(256)[:, None] * gain[None], 0, 255).round().astype(np.uint8)
    return cv2.LUT(frame, table[:, None, :])


def find_ghosts(frames: Sequence[np.ndarray], plate: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Where each frame shows that the plate holds an object that the frame does not: ``(K, H, W)`` bool."""
    settings = DifferenceSettings(shadow=False)
    plate_edges = _edges(plate)
    ghosts = np.zeros((len(frames), *plate.shape[:2]), bool)
    for ghost, frame in zip(ghosts, frames, strict=True):
        frame_edges = _edges(frame)
        count, labels = cv2.connectedComponents(changed_regions(frame, plate, noise, settings).astype(np.uint8))
        for label in range(1, count):
            region = labels == label
            ring = _ring(region)
            if frame_edges[ring].mean() < _OWNED_BY_PLATE * plate_edges[ring].mean():
                ghost |= region
    return ghosts


def outline_ownership(frame: np.ndarray, plate: np.ndarray, region: np.ndarray) -> float:
    """The frame's mean gradient along the outline of a region, as a multiple of the plate's.

    Above 1 for an object that is in the frame, below 1 for one that is burnt into the plate.
    """
    ring = _ring(region)
    return float(_edges(frame)[ring].mean() / max(1e-3, _edges(plate)[ring].mean()))


def repair_plate(
    frames: Sequence[np.ndarray], pairs: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, int, int]:
    """The plate, and which frames it is made of where not of all.

    Args:
        frames: Some of the shot, spread over it, in one exposure, ``(H, W, 3)`` uint8.
        pairs: Neighbouring frames, for the noise.

    Returns:
        The plate; ``(K, H, W)`` bool, the frames that each pixel of it is the median of; ghost pixels found in the first
        round; and ghost pixels that are left.
    """
    use = np.ones((len(frames), *frames[0].shape[:2]), bool)
    enough = max(_FEWEST_FRAMES, round(_ENOUGH_SHARE * len(frames)))
    plate = median_of(frames)
    first = remaining = 0
    for round_number in range(_ROUNDS + 1):
        ghosts = find_ghosts(frames, plate, noise_map(pairs, list(frames), plate))
        wrong = ghosts.sum(axis=0) >= enough
        remaining = int(wrong.sum())
        first = remaining if round_number == 0 else first
        if remaining < _SETTLED_PX or round_number == _ROUNDS:
            break
        wrong = cv2.dilate(wrong.astype(np.uint8), disc(2)).astype(bool) & ghosts.any(axis=0)
        better = _where_better(plate, remake(plate, frames, ghosts, wrong), wrong, frames, ghosts)
        if not better.any():
            break
        use[:, better] = ghosts[:, better]
        plate = remake(plate, frames, use, better)
    return plate, use, first, remaining


def _where_better(
    plate: np.ndarray, made: np.ndarray, where: np.ndarray, frames: Sequence[np.ndarray], ghosts: np.ndarray
) -> np.ndarray:
    """The connected parts of ``where`` in which the new plate is the better one.

    What was burnt in is gone, and not something else come in its place: either there are fewer edges than before, or, where the
    scene itself has texture, fewer along the outline and no more than in the frames that the new plate is made of.
    """
    before, after = _edges(plate), _edges(made)
    count, labels = cv2.connectedComponents(where.astype(np.uint8))
    better = np.zeros(count, bool)
    for label in range(1, count):
        part = labels == label
        around, ring = cv2.dilate(part.astype(np.uint8), disc(2)).astype(bool), _ring(part)
        shown = [k for k in range(len(frames)) if (ghosts[k] & part).sum() > 0.5 * part.sum()][:5]
        own = np.mean([_edges(frames[k])[ring].mean() for k in shown]) if shown else 0.0
        better[label] = after[around].mean() < _OWNED_BY_PLATE * before[around].mean() or bool(
            after[ring].mean() < min(before[ring].mean(), _SEAMLESS * own)
        )
    chosen: np.ndarray = better[labels]
    return chosen


def remake(plate: np.ndarray, frames: Sequence[np.ndarray], use: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The plate with some pixels taken anew: each the median of the frames that ``use`` says.

    Args:
        plate: ``(H, W, 3)`` uint8.
        frames: ``K`` of them.
        use: ``(K, H, W)`` bool; a pixel that no frame serves stays.
        where: ``(H, W)`` bool, pixels to take anew.
    """
    rows, columns = np.nonzero(where & use.any(axis=0))
    if not len(rows):
        return plate
    values = np.stack([frame[rows, columns] for frame in frames]).astype(np.float32)
    values[~use[:, rows, columns]] = np.nan
    made = plate.copy()
    made[rows, columns] = np.nanmedian(values, axis=0).round().astype(np.uint8)
    return made


def blend_seams(repaired: np.ndarray, plain: np.ndarray, where: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    """Fade from the repaired plate to the plain one over a few pixels outside ``where``."""
    weight = cv2.GaussianBlur(cv2.dilate(where.astype(np.float32), disc(sigma)), (0, 0), sigma)[..., None]
    weight = np.maximum(weight, where[..., None].astype(np.float32))
    blended: np.ndarray = (weight * repaired + (1 - weight) * plain).round().astype(np.uint8)
    return blended


def _edges(picture: np.ndarray) -> np.ndarray:
    plane = cv2.GaussianBlur(grey(picture), (0, 0), 1.0).astype(np.float32)
    return cv2.magnitude(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))


def _ring(region: np.ndarray) -> np.ndarray:
    plane = region.astype(np.uint8)
    return (cv2.dilate(plane, disc(2)) - cv2.erode(plane, disc(2))).astype(bool)
