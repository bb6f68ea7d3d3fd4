"""Masks on disk: indexed PNGs that hold object ids, and binary PNGs for masks that may overlap."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from robustvos.errors import BadMask, DataNotFound
from robustvos.files.atomic import atomic_path
from robustvos.video.mask_kinds import WHITE, bits_of_png, is_grey_ramp, is_soft
from robustvos.video.palette import davis_palette
from robustvos.video.pictures import UNREADABLE, upright, why_unreadable

if TYPE_CHECKING:  # files of masks are read and scored without torch
    from torch import Tensor

VOID = 255
"""The id of pixels that no score may count, in DAVIS and most sets that follow it."""

_ID_MODES = ("P", "L", "1")
BLACK_AND_WHITE = "black and white: white is object 1"
SOFT = "black and white with soft edges: what is more white than black is object 1"
_HALF = 128  # of white: half of the pixel is the object's


def read_indexed_mask(path: str | os.PathLike[str]) -> np.ndarray:
    """Read object ids from a PNG of up to 8 bits, palette or greyscale; the stored number is the id, colours play no part.

    Returns:
        ``(H, W)`` uint8, contiguous; 0 is the background.

    Raises:
        DataNotFound: If the file does not exist.
        BadMask: If it cannot be decoded, is not indexed (colour, alpha, 16-bit), or is one white object with soft edges, whose
            grey levels are no ids.
    """
    ids, mode = _read_8bit(Path(path))
    if mode == "L" and is_soft(ids):
        raise BadMask(
            f"{path}: {len(np.unique(ids)) - 1} grey levels that ring one another: a soft black-and-white mask (anti-aliased, "
            f"or through JPEG), not a map of ids; save it as 0 and {WHITE}, or in a dataset set binary: true"
        )
    return ids


def read_black_and_white(path: str | os.PathLike[str]) -> tuple[np.ndarray, bool]:
    """Read a mask of one object, however it was saved: all that is not black, or of soft edges what is more white than black.

    Returns:
        ``(H, W)`` bool, and whether the edges were soft.

    Raises:
        DataNotFound: If the file does not exist.
        BadMask: If it cannot be decoded, or holds colour, alpha or 16 bits.
    """
    values, mode = _read_8bit(Path(path))
    soft = mode == "L" and is_soft(values)
    return values >= (_HALF if soft else 1), soft


def read_objects(path: str | os.PathLike[str]) -> tuple[np.ndarray, str | None]:
    """Read the objects of a single mask, of which nothing else is known: ids, or one object in white.

    Returns:
        ``(H, W)`` uint8 ids, and a line on what was taken for what. Where white (255) is all there is, it is object 1;
        beside other ids it stays 255. Soft edges are cut at half of white.

    Raises:
        DataNotFound: If the file does not exist.
        BadMask: If it cannot be decoded, or holds colour, alpha or 16 bits.
    """
    values, mode = _read_8bit(Path(path))
    if mode == "L" and is_soft(values):
        return (values >= _HALF).astype(np.uint8), SOFT
    inside = values > 0
    if inside.any() and bool((values[inside] == WHITE).all()):
        return inside.astype(np.uint8), BLACK_AND_WHITE
    return values, None


def write_indexed_mask(masks: Tensor, object_ids: Sequence[int], path: str | os.PathLike[str]) -> None:
    """Write masks as one indexed PNG with the DAVIS palette, in one step.

    Args:
        masks: ``(O, H, W)`` bool, on any device. Where masks overlap, the object listed last keeps the pixel. ``O`` may
            be 0, which writes pure background.
        object_ids: ``O`` different ids, each from 1 to 255. Readers of DAVIS's sets take 255 for void.
        path: The file; missing folders are made.

    Raises:
        BadMask: If an id does not fit, ids repeat, or their number is not that of the masks.
        UserError: If the file cannot be written.
    """
    _check_ids(masks, object_ids, path)
    ids = np.zeros(masks.shape[-2:], dtype=np.uint8)
    for mask, object_id in zip(masks.cpu().numpy(), object_ids, strict=True):
        ids[mask] = object_id
    image = Image.fromarray(ids)
    image.putpalette([channel for colour in davis_palette() for channel in colour])
    _save_png(image, path)


def masks_from_ids(ids: np.ndarray | Tensor, object_ids: Sequence[int]) -> Tensor:
    """Separate a map of ids into one mask per object.

    Args:
        ids: ``(H, W)`` integers.
        object_ids: ``O`` ids; one that does not occur gives an empty mask.

    Returns:
        ``(O, H, W)`` bool on the device of ``ids``.

    >>> masks_from_ids(np.array([[0, 2], [7, 2]], dtype=np.uint8), (2, 5)).int().tolist()
    [[[0, 1], [0, 1]], [[0, 0], [0, 0]]]
    """
    import torch

    plane = torch.as_tensor(ids)
    masks = torch.empty((len(object_ids), *plane.shape), dtype=torch.bool, device=plane.device)
    for mask, object_id in zip(masks, object_ids, strict=True):
        if plane.device.type == "cpu":  # many times faster than torch's
            np.equal(plane.numpy(), object_id, out=mask.numpy())
        else:
            torch.eq(plane, object_id, out=mask)
    return masks


def read_binary_mask(path: str | os.PathLike[str]) -> Tensor:
    """Read one object's mask from an 8-bit PNG.

    Greyscale pixels of 128 and above are inside; if none exceeds 1, those that are 1. In a palette image every index
    but 0 is inside.

    Returns:
        ``(H, W)`` bool.

    Raises:
        DataNotFound: If the file does not exist.
        BadMask: See :func:`read_indexed_mask`.
    """
    import torch

    return torch.from_numpy(read_binary_plane(path))


def read_binary_plane(path: str | os.PathLike[str]) -> np.ndarray:
    """The same as an array."""
    values, mode = _read_8bit(Path(path))
    threshold = _HALF if mode == "L" and values.max(initial=0) > 1 else 1
    return values >= threshold


def write_binary_mask(mask: Tensor, path: str | os.PathLike[str]) -> None:
    """Write ``(H, W)`` bool as a greyscale PNG of 0 and 255, in one step.

    Raises:
        BadMask: If the mask is not a bool plane.
        UserError: If the file cannot be written.
    """
    if mask.ndim != 2 or str(mask.dtype) != "torch.bool":
        raise BadMask(f"{path}: a binary mask is bool (H, W), got {mask.dtype} {tuple(mask.shape)}")
    _save_png(Image.fromarray(mask.cpu().numpy().astype(np.uint8) * np.uint8(255)), path)


def write_overlapping_masks(
    masks: Tensor, object_ids: Sequence[int], folder: str | os.PathLike[str], frame_name: str
) -> None:
    """Write one frame's ``(O, H, W)`` bool masks, which may overlap, as ``folder/<id>/<frame_name>.png``.

    Raises:
        BadMask: See :func:`write_indexed_mask`.
        UserError: If a file cannot be written.
    """
    _check_ids(masks, object_ids, folder)
    for mask, object_id in zip(masks, object_ids, strict=True):
        write_binary_mask(mask, Path(folder) / str(object_id) / f"{frame_name}.png")


def read_overlapping_masks(folder: str | os.PathLike[str], object_ids: Sequence[int], frame_name: str) -> Tensor:
    """Read back what :func:`write_overlapping_masks` wrote for one frame.

    Returns:
        ``(O, H, W)`` bool.

    Raises:
        DataNotFound: If an object's file is missing.
        BadMask: If a file is not a mask, sizes differ, or no object is asked for.
    """
    import torch

    if not object_ids:
        raise BadMask(f"{folder}: no object ids given; the size of a frame without objects is unknown")
    masks = [read_binary_mask(Path(folder) / str(object_id) / f"{frame_name}.png") for object_id in object_ids]
    sizes = {tuple(mask.shape) for mask in masks}
    if len(sizes) > 1:
        raise BadMask(f"{folder}: masks of frame {frame_name} differ in size: {sorted(sizes)}; write them anew")
    return torch.stack(masks)


def _read_8bit(path: Path) -> tuple[np.ndarray, str]:
    """Numbers as stored, and Pillow's mode; a palette of greys counts as greyscale, numbers of 2 or 4 bits as a palette's."""
    try:
        with Image.open(path) as image:
            if image.mode not in _ID_MODES:
                raise BadMask(
                    f"{path}: expected an 8-bit palette or greyscale PNG that stores object ids, got mode {image.mode} "
                    f"({_describe(image.mode)}); save the ids themselves, e.g. as a palette PNG"
                )
            values = np.array(upright(image), dtype=np.uint8)
            bits = bits_of_png(path) if image.mode == "L" else 8
            if bits < 8:
                return values // np.uint8(255 // (2**bits - 1)), "P"
            return values, "L" if is_grey_ramp(image) else image.mode
    except FileNotFoundError as error:
        raise DataNotFound(f"mask {path} does not exist; check the path or copy the annotations again") from error
    except IsADirectoryError as error:
        raise DataNotFound(f"mask {path} is a folder; give one PNG file") from error
    except UNREADABLE as error:
        raise BadMask(f"{path}: cannot be decoded ({why_unreadable(error)}); copy or export the file again") from error


def _describe(mode: str) -> str:
    if mode.startswith(("I", "F")):
        return "16 bits or more"
    return "alpha channel" if mode in ("LA", "PA", "La") else "colour"


def _check_ids(masks: Tensor, object_ids: Sequence[int], path: str | os.PathLike[str]) -> None:
    if masks.ndim != 3 or str(masks.dtype) != "torch.bool":
        raise BadMask(f"{path}: masks are bool (O, H, W), got {masks.dtype} {tuple(masks.shape)}")
    if len(masks) != len(object_ids) or len(set(object_ids)) != len(object_ids):
        raise BadMask(f"{path}: {len(masks)} masks need as many different ids, got {list(object_ids)}")
    wrong = [object_id for object_id in object_ids if not 1 <= object_id <= 255]
    if wrong:
        raise BadMask(f"{path}: object ids {wrong} do not fit an indexed PNG, which holds 1 to 255; renumber them")


def _save_png(image: Image.Image, path: str | os.PathLike[str]) -> None:
    with atomic_path(path) as temporary:
        # Level 3 takes half the time of the default 6 and masks stay at a few kilobytes.
        image.save(temporary, format="PNG", compress_level=3)
