"""Controls: clips whose masks carry a known fault, hidden among the others, to see whether reviewers notice.

Nothing is written: the masks of a clip are changed as they are read, by what the seed and the clip's key say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from robustvos.realvas.pictures import box_of
from robustvos.seeding import numpy_rng
from robustvos.video.native import NativeClip

PREFIX = "control."
Pair = tuple[np.ndarray, np.ndarray]  # amodal, modal


@dataclass(frozen=True)
class Control:
    """A clip with a fault.

    Attributes:
        clip: Key of the clip it is made of.
        fault: One of :data:`FAULTS`.
    """

    clip: str
    fault: str

    @property
    def key(self) -> str:
        """Of its verdicts; no clip has such a key."""
        return f"{PREFIX}{self.fault}.{self.clip}"


def choose_controls(clips: Sequence[str], count: int, seed: int) -> list[Control]:
    """Draw clips and faults; as many of each fault as can be.

    Args:
        clips: Keys.
        count: How many; at most as many as there are clips.
        seed: Of the draw.
    """
    rng = numpy_rng("controls", seed)
    chosen = [sorted(clips)[i] for i in rng.permutation(len(clips))[:count]]
    faults = [list(FAULTS)[i] for i in rng.permutation(len(FAULTS))]
    return [Control(clip, faults[k % len(faults)]) for k, clip in enumerate(chosen)]


def masks_of(clip: NativeClip, t: int, fault: str = "") -> Pair:
    """Amodal and modal mask of frame ``t``, ``(H, W)`` bool, with a fault if one is named."""
    if fault:
        return FAULTS[fault](clip, t)
    modal = clip.modal[t]
    amodal = modal if clip.amodal is None else clip.amodal[t]
    empty = np.zeros(tuple(clip.frames.size), bool)
    whole, seen = (empty if mask is None else mask[0].numpy() for mask in (amodal, modal))
    return whole, seen


def _drifting(clip: NativeClip, t: int) -> Pair:
    """The masks slide off the object, by six tenths of its width over the clip."""
    amodal, modal = masks_of(clip, t)
    box = box_of(amodal)
    by = 0 if box is None else round(0.6 * (box[2] - box[0]) * (t + 1) / len(clip.frames))
    return _moved(amodal, by), _moved(modal, by)


def _stuck(clip: NativeClip, t: int) -> Pair:
    """From the first third on, the masks stay where they are."""
    return masks_of(clip, min(t, len(clip.frames) // 3))


def _swollen(clip: NativeClip, t: int) -> Pair:
    """The masks are wider than the object by an eighth of its longer side, all around."""
    amodal, modal = masks_of(clip, t)
    box = box_of(amodal)
    radius = 0 if box is None else max(2, round(max(box[2] - box[0], box[3] - box[1]) / 8))
    return _grown(amodal, radius), _grown(modal, radius)


def _late(clip: NativeClip, t: int) -> Pair:
    """The masks are those of a quarter of the clip before."""
    return masks_of(clip, max(0, t - max(2, len(clip.frames) // 4)))


FAULTS: dict[str, Callable[[NativeClip, int], Pair]] = {
    "drifting": _drifting,
    "stuck": _stuck,
    "swollen": _swollen,
    "late": _late,
}
"""Known faults by name."""


def _moved(mask: np.ndarray, by: int) -> np.ndarray:
    """Shift to the right; what enters is empty."""
    out = np.zeros_like(mask)
    out[:, by:] = mask[:, : mask.shape[1] - by]
    return out


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    """Dilate by a disc; by distances, which are as quick for a large one."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) <= radius
