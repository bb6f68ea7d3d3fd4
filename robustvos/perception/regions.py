"""Changed pixels to regions: what motion detectors have in common."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch

from robustvos.perception.detector import MOVING, Detections

SMALLEST_SHARE = 0.0006
"""Regions below this share of the frame are noise."""
_CLOSE = 7  # pixels; gaps inside an object, e.g. where its colour is the plate's


def working_size(size: tuple[int, int], width: int) -> tuple[int, int]:
    """``(H, W)`` of a frame shrunk to at most ``width`` pixels across, never enlarged.

    >>> working_size((1080, 1920), 480), working_size((48, 64), 480)
    ((270, 480), (48, 64))
    """
    scale = min(1.0, width / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def hysteresis(strength: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Connected pixels above ``low`` of which at least one is above ``high``; ``(H, W)`` bool."""
    _, labels = cv2.connectedComponents((strength > low).astype(np.uint8), connectivity=8)
    sure = np.unique(labels[strength > high])
    return np.isin(labels, sure[sure > 0])


def cleaned(mask: np.ndarray) -> np.ndarray:
    """Specks removed (3 x 3 opening), gaps closed, enclosed holes filled, small regions dropped; ``(H, W)`` bool.

    Closing and filling matter most after a shadow test, which takes grey clothes before a grey wall for shadow.
    """
    plane: Any = mask.astype(np.uint8)
    plane = cv2.morphologyEx(plane, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    plane = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSE, _CLOSE)))
    outlines, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    smallest = SMALLEST_SHARE * plane.size
    filled = np.zeros(mask.shape, bool)
    for outline in outlines:
        one = cv2.drawContours(np.zeros_like(plane), [outline], -1, 1, cv2.FILLED) > 0
        if one.sum() >= smallest:
            filled |= one
    return filled


def detections_of(mask: np.ndarray, strong: np.ndarray, size: tuple[int, int]) -> Detections:
    """The connected regions of ``mask``, largest first, at native size.

    Args:
        mask: ``(h, w)`` bool, at the size that the detector worked at.
        strong: ``(h, w)`` bool, pixels that certainly changed; a region's score is its share of them.
        size: ``(H, W)`` of the frame.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    order = sorted(range(1, count), key=lambda label: -stats[label, cv2.CC_STAT_AREA])
    masks, boxes, scores = [], [], []
    for label in order:
        region = labels == label
        native = enlarged(region, size)
        rows, columns = np.flatnonzero(native.any(1)), np.flatnonzero(native.any(0))
        if not len(rows):
            continue
        masks.append(native)
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        scores.append(float(strong[region].mean()))
    stack = np.stack(masks) if masks else np.zeros((0, *size), dtype=bool)
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        (MOVING,) * len(masks),
        torch.from_numpy(stack),
    )


def enlarged(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A bool mask at ``size`` ``(H, W)``, its outline interpolated rather than stepped."""
    if mask.shape == tuple(size):
        return mask
    return cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
