"""Amodal clips by category: what Real-VAS asks, drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from robustvos.errors import UnknownName
from robustvos.scenes.containment import articulated_play, mobile_play, surface_play
from robustvos.scenes.occlusion import occlusion_play
from robustvos.scenes.stage import AmodalClip, StageSpec, perform

Choose = Callable[[NDArray[np.float64]], "Sequence[int] | NDArray[np.integer]"]

PLAYS = {
    "occlusion": occlusion_play,
    "surface": surface_play,
    "articulated": articulated_play,
    "mobile": mobile_play,
}
CATEGORIES = tuple(PLAYS)
CONTAINMENT = CATEGORIES[1:]


def render_amodal_clip(
    category: str,
    rng: np.random.Generator,
    spec: StageSpec = StageSpec(),
    choose: Choose | None = None,
) -> AmodalClip:
    """Draw one random clip of ``category``. The same generator state gives the same clip.

    In frame 0 nothing hides the query object (id 1), which is of one piece; the frame's border never cuts it. In a clip
    of ``occlusion`` it is hidden in part in at least a sixth of the frames; in the others fully, and in at least 5.

    Args:
        category: One of :data:`CATEGORIES`.
        rng: Source of all randomness.
        spec: Size and length. Below about 64 pixels or 24 frames few plays fit.
        choose: Which frames to paint and to return, from the hidden part of the object in each, ``(T,)``; None: all.

    Raises:
        UnknownName: If there is no such category.
    """
    if category not in PLAYS:
        raise UnknownName.of("category", category, CATEGORIES)

    def wanted(clip: AmodalClip) -> Sequence[int] | NDArray[np.integer] | None:
        if not _is_useful(clip):
            return None
        return np.arange(spec.frames) if choose is None else choose(clip.hidden_fraction())

    while True:
        clip = perform(PLAYS[category](spec, rng), category, spec, rng, wanted)
        if clip is not None:
            return clip


def _is_useful(clip: AmodalClip) -> bool:
    whole, frames = clip.amodal[:, 0], len(clip.amodal)
    at_border = whole[:, [0, -1]].any() or whole[:, :, [0, -1]].any()
    if at_border or not whole.any((1, 2)).all() or (clip.modal[0] != clip.amodal[0]).any():
        return False
    pieces, _ = cv2.connectedComponents(whole[0].astype(np.uint8))
    if pieces != 2:  # the background and one object
        return False
    if clip.category == "occlusion":
        return bool((clip.hidden_fraction() > 0.05).sum() >= frames / 6)
    return bool(clip.fully_hidden().sum() >= max(5, frames / 6))
