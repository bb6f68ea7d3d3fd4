"""Which virtual cameras keep what a clip is about: the object in view, and hidden about as much as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustvos.realvas.camera_paths import CameraPath

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CameraLimits:
    """What a view must keep (section 4.3 of the paper names the checks, not the figures).

    Attributes:
        visible: Least share of the whole object that is in view, in every frame in which the object is there.
        severity: Least mean hidden share over occluded frames, relative to the recorded clip's.
        occluded_above: A frame is occluded if more than this share of the object is hidden.
    """

    visible: float = 0.95
    severity: float = 0.8
    occluded_above: float = 0.005


@dataclass(frozen=True)
class CameraCheck:
    """What a view keeps.

    Attributes:
        visible: Least share of the whole object in view over the frames.
        first: That share in the first frame, the query's, which must be all.
        severity: Mean hidden share over occluded frames, relative to the recorded clip's; 1 if it has none.
        reason: Why the view is refused; empty if it is not.
    """

    visible: float
    first: float
    severity: float
    reason: str = ""


@dataclass(frozen=True)
class MaskPixels:
    """Pixels of one frame's masks: ``whole`` ``(N, 2)`` x, y of the amodal mask, ``hidden`` ``(N,)`` bool.

    Those of all frames of a clip are held, so they take two bytes a coordinate: more than any frame has pixels on a side.
    """

    whole: NDArray[np.uint16]
    hidden: NDArray[np.bool_]


def mask_pixels(amodal: Mask, modal: Mask) -> MaskPixels:
    """Of ``(H, W)`` bool masks."""
    rows, columns = np.nonzero(amodal)
    return MaskPixels(np.stack([columns, rows], axis=1).astype(np.uint16), ~modal[rows, columns])


def check_path(path: CameraPath, pixels: Sequence[MaskPixels], limits: CameraLimits | None = None) -> CameraCheck:
    """Whether a view keeps the object and its occlusion; counts pixels of the recorded masks that are in view.

    Args:
        path: The virtual camera.
        pixels: Masks of the clip's frames.
        limits: What must be kept.
    """
    limits = limits or CameraLimits()
    kept = [_in_view(frame.whole, path, t) for t, frame in enumerate(pixels)]
    shares = [float(inside.mean()) if len(inside) else 1.0 for inside in kept]
    before = [_hidden(frame.hidden) for frame in pixels]
    after = [_hidden(frame.hidden[inside]) for frame, inside in zip(pixels, kept, strict=True)]
    severity = 1.0
    if (recorded := _severity(before, limits.occluded_above)) > 0:
        severity = _severity(after, limits.occluded_above) / recorded
    visible, first = min(shares), shares[0]
    reason = ""
    if first < 1:
        reason = "query not all in view"
    elif visible < limits.visible:
        reason = "object leaves the view"
    elif severity < limits.severity:
        reason = "occlusion is lost"
    return CameraCheck(visible, first, severity, reason)


def _in_view(points: NDArray[np.uint16], path: CameraPath, t: int) -> NDArray[np.bool_]:
    height, width = path.size
    moved = np.hstack([points, np.ones((len(points), 1))]) @ path.matrices[t].T
    seen = moved[:, :2] / moved[:, 2:]
    return np.asarray(((seen > -0.5) & (seen < [width - 0.5, height - 0.5])).all(1))


def _hidden(hidden: NDArray[np.bool_]) -> float:
    return float(hidden.mean()) if len(hidden) else 0.0


def _severity(shares: Iterable[float], above: float) -> float:
    occluded = [share for share in shares if share > above]
    return float(np.mean(occluded)) if occluded else 0.0
