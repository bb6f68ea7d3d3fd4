"""Visible masks that SAM 2 tracks from the query, for systems that want one on every frame."""

from __future__ import annotations

import numpy as np

from robustvos.external.export import Masks
from robustvos.systems.system import System
from robustvos.video.native import NativeClip
from robustvos.video.native_tree import QUERY_ID
from robustvos.video.prompts import prompt_from_mask


def tracked_masks(system: System, clip: NativeClip) -> Masks:
    """Track the query of a clip, whose first visible mask is not empty; masks are kept packed, a bit a pixel."""
    query = clip.modal[0]
    if query is None:
        raise ValueError(f"{clip.name} has no query mask")
    prompt = prompt_from_mask(query[0], QUERY_ID)
    packed = [np.packbits(found.masks[0].cpu().numpy()) for found in system.track(clip.frames, [prompt])]
    height, width = clip.frames.size

    def read(t: int) -> np.ndarray:
        return np.unpackbits(packed[t], count=height * width).reshape(height, width).astype(bool)

    return read
