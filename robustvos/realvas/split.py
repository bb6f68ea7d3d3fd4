"""Object or effect? A changed region holds the object, its shadow and its reflection; GrabCut tells them apart."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from robustvos.realvas.difference import difference, fill_but_shadows, is_shadow, keep_components
from robustvos.realvas.pictures import box_of, disc, grey, grow_box

_SURE, _LIKELY = 60.0, 30.0
"""Differences from the plate that make a pixel surely, and probably, the object's."""
_SAME_TEXTURE = 0.6
_TEXTURE_WINDOW = 9
_PLAIN = 25.0
"""Mean squared gradient of the plate below which it has no texture to be recognised by."""
_MIN_PART = 0.1
_ITERATIONS = 2
_THREADED = 2000
_BREAK, _CHANGED = 0.04, 10.0
"""Breaks in the frame of a window are narrower than twice this share of the object's size; what it shows differs from the plate
by this much at least."""
_SMALLEST_BAY, _ENCLOSED, _GOES_ON, _UNDER = 0.005, 0.6, 0.4, 0.9
"""A window that is open to one side: at least this share of the object, of its outline the object's, at most this share of its
difference beyond the hull, and in this share of its columns the object below it. A car's rear window had .71
to .78, .12 to .16 and 1.0 in eleven frames, the shadow at its wheels .52 to .55, .57 to .63 and 0 to .02."""
_LEAST_KEPT = 0.5
"""Of what has changed and is no shadow; a split that leaves less has not understood the colours."""


def split_object(
    frame: np.ndarray, plate: np.ndarray, region: np.ndarray, seed: int, *, by_edges: bool = False
) -> np.ndarray:
    """The object within a changed region.

    What differs much from the plate is the object, what shows the plate's own texture or is the plate darkened is probably an
    effect, and colours decide the rest.

    Args:
        frame: ``(H, W, 3)`` uint8, in the plate's exposure.
        plate: The same size.
        region: ``(H, W)`` bool, object and effects.
        seed: Of GrabCut's clusters; equal seeds give equal masks (on one thread).
        by_edges: Do not ask the colours: the object is all that has changed and is no shadow.

    Returns:
        ``(H, W)`` bool, part of ``region`` but for windows, without small parts and enclosed holes; the region itself where
        nothing in it tells object from effect.

    Source: Rother et al., GrabCut, SIGGRAPH 2004.
    """
    box = box_of(region)
    if box is None:
        return region.copy()
    margin = max(8, round(0.15 * max(box[2] - box[0], box[3] - box[1])))
    x0, y0, x1, y1 = grow_box(box, margin, region.shape)
    window = np.s_[y0:y1, x0:x1]
    inside = _grab(frame[window], plate[window], region[window], seed, by_edges)
    whole = np.zeros_like(region)
    whole[window] = inside
    return whole


def without_shadows(whole: np.ndarray, region: np.ndarray, frame: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """What of a region with its effects may be the object: all of it but the shadows outside the hull of the region itself.

    Within it what looks like a shadow may be grey clothes before a white wall, or the door of a grey car on asphalt; outside it
    hardly ever is. Without this GrabCut takes dark shadows for parts of dark objects.

    Args:
        whole: ``(H, W)`` bool, of :func:`robustvos.realvas.discover.with_effects`.
        region: ``(H, W)`` bool, as detected, without shadows.
        frame: ``(H, W, 3)`` uint8, in the plate's exposure.
        plate: The same size.
    """
    lit: np.ndarray = whole & (_hull(region) | ~is_shadow(frame, plate))
    return lit


def _grab(frame: np.ndarray, plate: np.ndarray, region: np.ndarray, seed: int, by_edges: bool) -> np.ndarray:
    apart, shadow = difference(frame, plate), is_shadow(frame, plate)
    effect = same_texture(frame, plate) | shadow
    labels = np.full(region.shape, cv2.GC_BGD, np.uint8)
    labels[region] = cv2.GC_PR_BGD
    labels[region & (apart > _LIKELY)] = cv2.GC_PR_FGD
    labels[region & (apart > _SURE)] = cv2.GC_FGD
    labels[region & effect] = cv2.GC_PR_BGD
    foreground = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    # Each of GrabCut's two models has five components, and it fails on fewer samples.
    if foreground.sum() < 20 or (~foreground).sum() < 20:
        return region.copy()
    cv2.setRNGSeed(seed & 0x7FFFFFFF)
    models = np.zeros((2, 1, 65), np.float64)
    pixels: Any = np.ascontiguousarray(frame)
    whole: Any = None  # the mask, not a rectangle, says where the object is
    cv2.grabCut(pixels, labels, whole, models[0], models[1], _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)) & region
    if not found.any():
        return region.copy()
    solid = region & ~shadow
    if solid.any() and (by_edges or (found & ~shadow).sum() < _LEAST_KEPT * solid.sum()):
        return with_windows(_without_colours(solid, shadow) & region, apart, effect)
    found = without_hangers_on(found)
    largest = _largest_part(found)
    return with_windows(keep_components(found, min_area=round(_MIN_PART * largest)), apart, effect)


def with_windows(mask: np.ndarray, apart: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """An object with what it encloses: the rear window of a car, in which the street seems to go on.

    Also where the frame around it is broken in places, if what it encloses has changed; not a gap between arm and body through
    which the scene is seen, nor a shadow between two wheels.

    Args:
        mask: ``(H, W)`` bool.
        apart: ``(H, W)`` float32, of :func:`robustvos.realvas.difference.difference`.
        effect: ``(H, W)`` bool, where the frame may be the plate in another light.
    """
    whole = fill_but_shadows(mask, effect)
    radius = round(_BREAK * float(np.sqrt(whole.sum())))
    margin = radius + 1
    padded = np.pad(whole.astype(np.uint8), margin)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc(radius))[margin:-margin, margin:-margin].astype(bool)
    filled = fill_but_shadows(closed, effect)
    count, labels = cv2.connectedComponents((filled & ~closed).astype(np.uint8), connectivity=4)
    for label in range(1, count):
        window = labels == label
        if apart[window].mean() > _CHANGED:
            whole |= cv2.dilate(window.astype(np.uint8), disc(margin)).astype(bool) & filled
    whole |= _open_windows(whole, apart)
    return whole


def _open_windows(mask: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Changed bays of an object that end where its hull ends: a rear window whose far edge is the street's grey.

    A shadow goes on beyond the hull of what casts it, or has nothing of it below.
    """
    hull = _hull(mask)
    bays = hull & ~mask & (apart > _CHANGED / 2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bays.astype(np.uint8), connectivity=4)
    lowest = np.where(mask.any(0), mask.shape[0] - 1 - mask[::-1].argmax(0), -1)
    found = np.zeros_like(mask)
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < _SMALLEST_BAY * mask.sum():
            continue
        bay = labels == label
        around = _grown(bay, 1) & ~bay
        enclosed = (around & _grown(mask, 1)).sum() / max(1, around.sum())
        beyond = _grown(bay, 6) & ~_grown(bay, 2) & ~hull
        difference_here = float(apart[bay].mean())
        goes_on = float(apart[beyond].mean()) > _GOES_ON * difference_here if beyond.any() else False
        columns = np.flatnonzero(bay.any(0))
        under = (lowest[columns] > bay.shape[0] - 1 - bay[::-1, columns].argmax(0)).mean()
        if enclosed >= _ENCLOSED and not goes_on and under >= _UNDER and difference_here > _CHANGED:
            found |= _grown(bay, 1) & hull
    return found


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    side = 2 * radius + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)


def _hull(mask: np.ndarray) -> np.ndarray:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(mask.shape, np.uint8)
    if outlines:
        cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(outlines)), 1)
    return hull.astype(bool)


def kept_share(obj: np.ndarray, region: np.ndarray, frame: np.ndarray, plate: np.ndarray) -> float:
    """Share of what has changed in a region, and is no shadow, that a split has given to the object; 1 if there is nothing."""
    solid = region & ~is_shadow(frame, plate)
    return float((obj & solid).sum() / solid.sum()) if solid.any() else 1.0


def _without_colours(solid: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """What has changed and is no shadow, where colours would leave the legs of a man whose shirt is as grey as the street."""
    whole = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_CLOSE, disc(2)).astype(bool)
    return fill_but_shadows(keep_components(whole, min_area=round(_MIN_PART * _largest_part(whole))), shadow)


def without_hangers_on(mask: np.ndarray) -> np.ndarray:
    """A mask without small parts that hang on by a thread of one or two pixels: a ball, joined by the table's white line.

    Args:
        mask: ``(H, W)`` bool, not empty; left as it is below 2000 pixels, where arms and legs are as thin.
    """
    if mask.sum() < _THREADED:
        return mask
    thick = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc(1)).astype(bool)
    if not thick.any():
        return mask
    small = thick & ~keep_components(thick, min_area=round(_MIN_PART * _largest_part(thick)))
    kept: np.ndarray = mask & ~cv2.dilate(small.astype(np.uint8), disc(2)).astype(bool)
    return kept


def same_texture(frame: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Where the plate has texture and the frame's gradients follow it: ``(H, W)`` bool."""
    planes = [cv2.GaussianBlur(grey(p), (0, 0), 0.8).astype(np.float32) for p in (frame, plate)]
    (ax, ay), (bx, by) = ((cv2.Sobel(p, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(p, cv2.CV_32F, 0, 1) / 4) for p in planes)
    window = (_TEXTURE_WINDOW, _TEXTURE_WINDOW)
    cross, own, other = (cv2.blur(v, window) for v in (ax * bx + ay * by, ax * ax + ay * ay, bx * bx + by * by))
    same: np.ndarray = (other > _PLAIN) & (cross > _SAME_TEXTURE * np.sqrt(np.maximum(own * other, 1e-6)))
    return same


def _largest_part(mask: np.ndarray) -> int:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max())
