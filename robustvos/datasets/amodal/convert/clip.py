"""One object of a foreign dataset as a clip in Real-VAS's native form."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustvos.datasets.amodal.object_mask import object_mask
from robustvos.errors import BadMask, BadVideo, DataNotFound
from robustvos.files.atomic import atomic_write_json
from robustvos.files.atomic_folder import atomic_folder
from robustvos.video.frames import read_frame
from robustvos.video.masks import write_binary_mask
from robustvos.video.native_tree import AMODAL, ANNOTATED, ANNOTATIONS, FRAMES, MODAL, SOME_FRAMES
from robustvos.video.occlusion_levels import NO_MORE_THAN, occlusion_of
from robustvos.video.pictures import UNREADABLE, shown_size, why_unreadable
from robustvos.video.video_file import VideoFile

Masks = Callable[[int], np.ndarray | None]
"""``(H, W)`` bool of a frame; None where nobody has annotated it."""
_KEPT = (".jpg", ".jpeg")


@dataclass(frozen=True)
class ForeignClip:
    """An object and the frames of its video.

    Attributes:
        name: Of the clip to be written.
        frames: An image a frame, or a video.
        modal: Visible masks.
        amodal: Whole masks.
        category: Results are grouped by it; None: nothing.
        details: Further entries of ``annos.json``; lists as long as the clip are cut as it is.
    """

    name: str
    frames: Sequence[Path] | VideoFile
    modal: Masks
    amodal: Masks
    category: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Frames:
    """Writes frames, those of several objects of one video once: other clips have links to the same files."""

    def __init__(self) -> None:
        self._written: dict[Path, tuple[Path, tuple[int, int]]] = {}

    def write(self, source: Sequence[Path] | VideoFile, index: int, stem: Path, final: Path) -> tuple[int, int]:
        """Frame ``index`` as ``stem`` with a suffix; JPEGs as they are, others as PNGs.

        Args:
            source: Of the frames.
            index: Which.
            stem: Where it is to be written.
            final: Where it will be once its clip is whole.

        Returns:
            ``(H, W)`` of the frame.
        """
        if isinstance(source, VideoFile):
            return _save(source[index], stem.with_suffix(".png"))
        file = source[index]
        suffix = ".jpg" if file.suffix.lower() in _KEPT else ".png"
        target, former = stem.with_suffix(suffix), self._written.get(file)
        if former is not None and former[0].is_file():
            _link(former[0], target)
            return former[1]
        if suffix == ".jpg":
            size = _size_of(_there(file))
            shutil.copyfile(file, target)
        else:
            size = _save(read_frame(_there(file)), target)
        self._written.setdefault(file, (final.with_suffix(suffix), size))
        return size


def write_clip(clip: ForeignClip, root: Path, frames: Frames, clean_start: bool = False) -> str:
    """Write ``root/<clip>``, from the first frame on that can be the query.

    Args:
        clip: What to write.
        root: Of the tree; the clip must not be there.
        frames: Shared by all clips of one conversion.
        clean_start: Begin where the object is seen whole (at most 0.5 % hidden), instead of where it is seen at all.

    Returns:
        Why there is no such clip; empty if it was written.

    Raises:
        DataNotFound: If a frame is missing.
        BadMask: If a mask is broken or has another size than its frame.
        BadVideo: If a frame cannot be read.
    """
    masks = [(clip.modal(t), clip.amodal(t)) for t in range(len(clip.frames))]
    start = next((t for t, (seen, whole) in enumerate(masks) if _may_be_query(seen, whole, clean_start)), None)
    if start is None:
        return "is never seen whole" if clean_start else "is never seen"
    count = len(masks) - start
    whole_clip = all(seen is not None and whole is not None for seen, whole in masks[start:])
    with atomic_folder(root / clip.name) as temporary:
        (temporary / FRAMES).mkdir()
        occlusion = []
        for t, (seen, whole) in enumerate(masks[start:]):
            final = root / clip.name / FRAMES / f"{t:05d}"
            size = frames.write(clip.frames, start + t, temporary / FRAMES / f"{t:05d}", final)
            for mask, folder, kind in ((seen, MODAL, "visible"), (whole, AMODAL, "whole")):
                if mask is not None:
                    _check_size(mask, size, f"{clip.name}, frame {start + t}: its {kind}")
                    write_binary_mask(torch.from_numpy(np.ascontiguousarray(mask)), temporary / folder / f"{t:05d}.png")
            if whole_clip:
                occlusion.append(_level(seen, whole))  # type: ignore[arg-type]
        details = {
            key: value[start:] if isinstance(value, list) and len(value) == len(masks) else value
            for key, value in clip.details.items()
        }
        told: dict[str, Any] = {"category": clip.category} if clip.category else {}
        told |= {"occlusion": occlusion} if whole_clip else {ANNOTATED: SOME_FRAMES}
        atomic_write_json(temporary / ANNOTATIONS, {**told, "first_frame": start, "frames": count, **details})
    return ""


def _may_be_query(seen: np.ndarray | None, whole: np.ndarray | None, clean: bool) -> bool:
    if seen is None or not seen.any():
        return False
    return not clean or whole is None or (whole & ~seen).sum() <= NO_MORE_THAN * whole.sum()


def _level(seen: np.ndarray, whole: np.ndarray) -> dict[str, Any]:
    hidden = occlusion_of(torch.from_numpy(seen), torch.from_numpy(whole))
    return {"level": hidden.level, "amount": hidden.amount}


def mask_of(path: Path) -> np.ndarray:
    """An image as ``(H, W)`` bool: see :func:`robustvos.datasets.amodal.object_mask.object_mask`.

    Raises:
        DataNotFound: If there is no such file.
        BadMask: If it cannot be read, or is no mask of one object.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return object_mask(image, str(path))
    except FileNotFoundError as error:
        raise DataNotFound(f"mask {path} does not exist; copy the dataset again") from error
    except UNREADABLE as error:
        raise BadMask(f"{path}: {why_unreadable(error)}; copy the dataset again") from error


def _there(file: Path) -> Path:
    if not file.is_file():
        raise DataNotFound(f"frame {file} does not exist; copy the dataset again, or check the folder of its frames")
    return file


def _size_of(file: Path) -> tuple[int, int]:
    """``(H, W)`` as shown, from a picture's header."""
    try:
        with Image.open(file) as image:
            return shown_size(image)
    except UNREADABLE as error:
        raise BadVideo(f"{file}: cannot be decoded ({why_unreadable(error)}); copy the dataset again") from error


def _check_size(mask: np.ndarray, size: tuple[int, int], where: str) -> None:
    if mask.shape != size:
        (rows, columns), (height, width) = mask.shape, size
        raise BadMask(
            f"{where} mask is {columns}x{rows}, the frame {width}x{height}; give frames of the size that was annotated"
        )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _save(frame: Tensor, target: Path) -> tuple[int, int]:
    """Write ``(3, H, W)`` uint8 and give ``(H, W)``."""
    Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy()).save(target, compress_level=1)
    return (frame.shape[1], frame.shape[2])
