"""What a detector plugin says about the samples of a shot, as masks at the analysis size and as names of tracks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from robustvos.perception import Detections
from robustvos.realvas.pictures import box_of
from robustvos.realvas.plugins import Pictures

_MARGIN = 0.05
_SAME_BOX = 0.3


def detect(detector: Any, pictures: Sequence[np.ndarray]) -> list[Detections]:
    """Detections on every sample, ``(H, W, 3)`` uint8 each."""
    frames = Pictures(pictures)
    prepared = detector.prepare(frames)
    return [prepared.detect(frame) for frame in frames]


def detected_objects(found: Detections, changed: np.ndarray) -> np.ndarray:
    """Object pixels of a sample: the detector's masks, or what has changed within its boxes.

    Args:
        found: On the sample.
        changed: ``(H, W)`` bool, what differs from the plate, shadows left out: a thing that never moved is no object.

    Returns:
        ``(H, W)`` bool.
    """
    if found.masks is not None:
        return found.masks.any(0).numpy() if len(found) else np.zeros_like(changed)
    inside = np.zeros_like(changed)
    for x0, y0, x1, y1 in found.boxes.tolist():
        margin = _MARGIN * max(x1 - x0, y1 - y0)
        rows = slice(max(0, int(y0 - margin)), max(0, int(np.ceil(y1 + margin))))
        inside[rows, max(0, int(x0 - margin)) : max(0, int(np.ceil(x1 + margin)))] = True
    detected: np.ndarray = changed & inside
    return detected


def name_of(regions: Sequence[np.ndarray], found: Sequence[Detections]) -> str:
    """What most detections call a track: those whose boxes meet the track's, by their scores; empty if none does.

    Args:
        regions: ``(H, W)`` bool, of the samples in which the track was seen.
        found: Detections of the same samples.
    """
    votes: Counter[str] = Counter()
    for region, detections in zip(regions, found, strict=True):
        box = box_of(region)
        if box is None:
            continue
        for other, score, label in zip(
            detections.boxes.tolist(), detections.scores.tolist(), detections.labels, strict=True
        ):
            if _iou(box, other) >= _SAME_BOX:
                votes[label] += score
    return max(sorted(votes), key=lambda label: votes[label], default="")


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return common / max(1e-9, sum(areas) - common)
