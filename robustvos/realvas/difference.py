"""What has changed against the clean plate: objects, and the shadows and reflections they cast."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from robustvos.realvas.pictures import disc, fill_holes


@dataclass(frozen=True)
class DifferenceSettings:
    """When a pixel counts as changed. Differences are steps of 0 to 255, the largest of the three channels.

    Attributes:
        low_noise: A region may consist of pixels that differ by this many times the noise there ...
        low: ... and by at least this much;
        high_noise: it must hold a pixel that differs by this many times the noise ...
        high: ... and by at least this much.
        shadow: Leave out pixels that are merely darker, by one factor for all channels and without texture of their own.
        min_share: Regions smaller than this share of the frame are dropped.
    """

    low_noise: float = 4.0
    low: float = 10.0
    high_noise: float = 9.0
    high: float = 24.0
    shadow: bool = True
    min_share: float = 0.0006


_BLUR = 0.8
_RATIO_OFFSET = 3.0
_SHADOW_RATIO = (0.45, 0.97)
_SHADOW_TEXTURE = 0.05
_RIM = 4
"""Pixels; a rim is at most twice as wide."""
_HOLE_SHARE, _FOOT = 0.01, 0.1
"""Of an object's area, above which a hole may be a shadow; and of its height, the lowest part, which it then reaches."""


def difference(frame: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """The largest difference of the three channels, lightly smoothed.

    Args:
        frame: ``(H, W, 3)`` uint8.
        plate: The same size.

    Returns:
        ``(H, W)`` float32, 0 to 255.
    """
    apart = cv2.absdiff(_smooth(frame), _smooth(plate))
    largest: np.ndarray = apart.max(axis=2).astype(np.float32)
    return largest


def noise_map(pairs: list[tuple[np.ndarray, np.ndarray]], frames: list[np.ndarray], plate: np.ndarray) -> np.ndarray:
    """The noise of each pixel, from neighbouring frames and from the plate.

    Args:
        pairs: Some frames and the next one of each. In order: frames far apart would take movement for noise.
        frames: Some frames of the shot.
        plate: Their clean plate.

    Returns:
        ``(H, W)`` float32, at least 1: 1.05 times the median difference of neighbours, or the deviation from the plate by its
        median (which slow movers raise, hence at most 4).
    """
    steps = np.median(np.stack([cv2.absdiff(a, b).max(axis=2) for a, b in pairs]), axis=0)
    deviation = np.median(np.stack([cv2.absdiff(frame, plate).max(axis=2) for frame in frames]), axis=0)
    noise: np.ndarray = np.maximum(1.0, np.maximum(1.05 * steps, np.minimum(4.0, 1.48 * deviation))).astype(np.float32)
    return noise


def changed_regions(
    frame: np.ndarray, plate: np.ndarray, noise: np.ndarray, settings: DifferenceSettings = DifferenceSettings()
) -> np.ndarray:
    """The regions in which a frame differs from the plate.

    Args:
        frame: ``(H, W, 3)`` uint8, in the plate's exposure.
        plate: ``(H, W, 3)`` uint8.
        noise: ``(H, W)`` float32 of :func:`noise_map`.
        settings: When a pixel counts as changed.

    Returns:
        ``(H, W)`` bool; opened, closed and without enclosed holes.
    """
    shadow = is_shadow(frame, plate) if settings.shadow else None
    return _regions(difference(frame, plate), shadow, noise, settings)


def changed_with_effects(
    frame: np.ndarray, plate: np.ndarray, noise: np.ndarray, settings: DifferenceSettings = DifferenceSettings()
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`changed_regions` without and with what is merely darker: ``(H, W)`` bool each."""
    apart = difference(frame, plate)
    return (
        _regions(apart, is_shadow(frame, plate), noise, settings),
        _regions(apart, None, noise, settings),
    )


def _regions(
    apart: np.ndarray, shadow: np.ndarray | None, noise: np.ndarray, settings: DifferenceSettings
) -> np.ndarray:
    low = apart > np.maximum(settings.low_noise * noise, settings.low)
    high = apart > np.maximum(settings.high_noise * noise, settings.high)
    if shadow is not None:
        low &= ~shadow
        high &= ~shadow
    low = cv2.morphologyEx(low.astype(np.uint8), cv2.MORPH_OPEN, disc(1)).astype(bool)
    strong = keep_components(low, touching=high)
    closing = 2 if max(apart.shape) <= 640 else 4
    closed = cv2.morphologyEx(strong.astype(np.uint8), cv2.MORPH_CLOSE, disc(closing)).astype(bool)
    # Clothes of the wall's colour are darker by one factor, too: what is enclosed belongs to the object.
    filled = fill_holes(closed) if shadow is None else fill_but_shadows(closed, shadow)
    return keep_components(filled, min_area=round(settings.min_share * closed.size))


def fill_but_shadows(mask: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Fill what a mask encloses, but for shadows that lie at its foot: between two wheels, between two legs.

    Args:
        mask: ``(H, W)`` bool.
        effect: ``(H, W)`` bool, where the frame may be the plate in another light.
    """
    filled = fill_holes(mask)
    count, holes, stats, _ = cv2.connectedComponentsWithStats((filled & ~mask).astype(np.uint8), connectivity=4)
    if count == 1:
        return filled
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8), connectivity=8)
    for hole in range(1, count):
        inside = holes == hole
        part = int(parts[inside][0])
        top, height, area = (boxes[part, k] for k in (cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        large = stats[hole, cv2.CC_STAT_AREA] > _HOLE_SHARE * area
        bottom = stats[hole, cv2.CC_STAT_TOP] + stats[hole, cv2.CC_STAT_HEIGHT]
        if large and bottom > top + (1 - _FOOT) * height and effect[inside].mean() > 0.7:
            filled[inside] = False
    return filled


def is_shadow(frame: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Where the frame is the plate, darkened smoothly and alike in all channels: ``(H, W)`` bool."""
    ratio = light_ratio(frame, plate)
    mean = ratio.mean(axis=2)
    spread = ratio.max(axis=2) - ratio.min(axis=2)
    texture = np.sqrt(np.maximum(0.0, cv2.blur(mean * mean, (5, 5)) - cv2.blur(mean, (5, 5)) ** 2))
    darker = (mean > _SHADOW_RATIO[0]) & (mean < _SHADOW_RATIO[1]) & (spread < 0.06 + 0.1 * (1 - mean))
    core = darker & (texture < _SHADOW_TEXTURE)
    # The rim of a shadow, where it fades, is darker by a factor that changes: between two places where it does not.
    shadow: np.ndarray = core | (
        darker & cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, disc(_RIM)).astype(bool)
    )
    return shadow


def effect_share(frame: np.ndarray, plate: np.ndarray, mask: np.ndarray) -> float:
    """Share of a mask in which the frame may be no more than the plate in another light: smoothly and a little darker.

    More lenient than :func:`is_shadow`, for it judges whole regions: a shadow on a wall, not a pixel of a coat.

    Args:
        frame: ``(H, W, 3)`` uint8.
        plate: The same size.
        mask: ``(H, W)`` bool, not empty.
    """
    ratio = light_ratio(frame, plate, sigma=2.0)
    mean, spread = ratio.mean(axis=2), ratio.max(axis=2) - ratio.min(axis=2)
    texture = np.sqrt(np.maximum(0.0, cv2.blur(mean * mean, (5, 5)) - cv2.blur(mean, (5, 5)) ** 2))
    light = (mean > 0.6) & (mean < 0.99) & (spread < 0.12) & (texture < 0.04)
    return float(light[mask].mean())


def light_ratio(frame: np.ndarray, plate: np.ndarray, sigma: float = 1.2) -> np.ndarray:
    """By what factor each channel is brighter than the plate: ``(H, W, 3)`` float32, smoothed by ``sigma`` pixels."""
    above, below = (cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32) for picture in (frame, plate))
    return (above + _RATIO_OFFSET) / (below + _RATIO_OFFSET)


def keep_components(mask: np.ndarray, *, touching: np.ndarray | None = None, min_area: int = 0) -> np.ndarray:
    """The connected parts of a mask that are large enough and hold a pixel of another mask.

    Args:
        mask: ``(H, W)`` bool.
        touching: ``(H, W)`` bool; None: anything.
        min_area: In pixels.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= max(1, min_area)
    if touching is not None:
        kept &= np.bincount(labels[touching], minlength=count) > 0
    kept[0] = False
    chosen: np.ndarray = kept[labels]
    return chosen


def _smooth(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), _BLUR)
