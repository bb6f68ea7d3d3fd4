"""Write amodal clips in the native format that :mod:`robustvos.video.native` reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from robustvos.errors import BadMask, BadVideo, UserError
from robustvos.files.atomic import atomic_write_json
from robustvos.files.atomic_folder import atomic_folder
from robustvos.video.masks import write_binary_mask
from robustvos.video.native_tree import AMODAL, ANNOTATIONS, FRAMES, MODAL
from robustvos.video.occlusion_levels import occlusion_of


def write_native_clip(
    folder: str | os.PathLike[str],
    frames: Iterable[Tensor],
    modal: Iterable[Tensor],
    amodal: Iterable[Tensor],
    *,
    category: str | None = None,
    quality: int = 95,
    **details: Any,
) -> None:
    """Write one clip frame by frame; it appears under its name when all of it is written.

    Args:
        folder: ``<root>/<clip>``; must not exist.
        frames: Each ``(3, H, W)`` uint8 RGB.
        modal: As many ``(H, W)`` bool masks, what is seen of the object.
        amodal: As many ``(H, W)`` bool masks, the whole object.
        category: Kept in ``annos.json``, if given.
        quality: Of the JPEGs, up to 100.
        **details: Further entries of ``annos.json``: fps, source, camera, seeds, ...

    Raises:
        UserError: If the folder exists or cannot be written.
        BadMask: If a mask is not a bool plane of its frame's size.
        BadVideo: If there is no frame.
        ValueError: If the three differ in length.
    """
    path = Path(folder)
    if path.exists():
        raise UserError(f"{path} exists already; delete it, or give another name")
    occlusion = []
    with atomic_folder(path) as temporary:
        (temporary / FRAMES).mkdir()
        for t, (frame, seen, whole) in enumerate(zip(frames, modal, amodal, strict=True)):
            _check(frame, seen, whole, f"{path}, frame {t}")
            pixels = frame.permute(1, 2, 0).contiguous().cpu().numpy()
            # Full colour resolution: at small sizes halved chroma would blur objects into each other.
            Image.fromarray(pixels).save(temporary / FRAMES / f"{t:05d}.jpg", quality=quality, subsampling=0)
            write_binary_mask(seen, temporary / MODAL / f"{t:05d}.png")
            write_binary_mask(whole, temporary / AMODAL / f"{t:05d}.png")
            hidden = occlusion_of(seen, whole)
            occlusion.append({"level": hidden.level, "amount": hidden.amount})
        if not occlusion:
            raise BadVideo(f"{path}: no frame was given, so there is no clip to write")
        named = {} if category is None else {"category": category}
        atomic_write_json(temporary / ANNOTATIONS, {"occlusion": occlusion, **named, **details})


def _check(frame: Tensor, modal: Tensor, amodal: Tensor, where: str) -> None:
    for name, mask in (("modal", modal), ("amodal", amodal)):
        if mask.shape != frame.shape[-2:]:
            seen = f"{tuple(mask.shape)}, the frame {tuple(frame.shape[-2:])}"
            raise BadMask(f"{where}: the {name} mask is {seen}; give masks of the frames' size")
