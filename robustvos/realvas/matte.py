"""Soft edges of the occluder: how much of each pixel is object."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import torch

from robustvos.errors import MissingExtra, UnknownName
from robustvos.realvas.pictures import disc
from robustvos.realvas.plugins import plugin, to_tensor

MATTES = ("closed_form", "guided", "binary")
_ERODE, _DILATE = 3.0, 3.0
"""Pixels of a 480-pixel frame inside and outside the mask within which a pixel may be mixed."""
_GUIDE_RADIUS, _GUIDE_EPS = 4, 1e-3
_LARGEST = 250_000
"""Pixels of a crop above which the closed form is solved at a smaller size."""


def check_matte(method: str) -> None:
    """Refuse early what :func:`chosen_matte` would refuse late.

    Raises:
        UnknownName: If there is no such method, and no such plugin.
        MissingExtra: If its package is not installed.
        CheckpointNotFound: If it is a plugin whose weights are missing.
    """
    if method not in MATTES:
        plugin("matte", method)
    if method == "closed_form" and importlib.util.find_spec("pymatting") is None:
        raise MissingExtra.of("pymatting", "matting")


def chosen_matte(frame: np.ndarray, plate: np.ndarray, mask: np.ndarray, method: str, scale: float) -> np.ndarray:
    """:func:`object_matte`, or what a matte plugin says; arguments as there, and the clean plate of the same crop."""
    if method in MATTES or not mask.any():
        return object_matte(frame, mask, method if method in MATTES else "binary", scale)
    found: np.ndarray = (
        plugin("matte", method).alpha(to_tensor(frame), torch.from_numpy(mask), to_tensor(plate)).numpy()
    )
    return found.astype(np.float32)


def object_matte(frame: np.ndarray, mask: np.ndarray, method: str, scale: float = 1.0) -> np.ndarray:
    """The opacity of an object.

    Args:
        frame: ``(H, W, 3)`` uint8, a crop around it.
        mask: ``(H, W)`` bool.
        method: ``closed_form`` (Levin et al., with a trimap around the outline; keeps hair and motion blur), ``guided`` (a
            feather that follows edges, quicker), or ``binary``.
        scale: Size of the frame as a multiple of 480 pixels: the unsure rim grows with it.

    Returns:
        ``(H, W)`` float32 in [0, 1]; the mask itself where it is too small or thin for a trimap.

    Raises:
        UnknownName: If there is no such method.
        MissingExtra: If pymatting is needed and not installed.
    """
    if method not in MATTES:
        raise UnknownName.of("matte", method, MATTES)
    check_matte(method)
    if method == "binary" or not mask.any():
        return mask.astype(np.float32)
    plane = mask.astype(np.uint8)
    inside = cv2.erode(plane, disc(max(1.0, _ERODE * scale)), borderValue=1).astype(bool)
    near = cv2.dilate(plane, disc(max(1.0, _DILATE * scale))).astype(bool)
    if method == "guided":
        soft = _guided(frame, mask, max(2, round(_GUIDE_RADIUS * scale)))
        return np.where(inside, 1.0, np.where(near, soft, 0.0)).astype(np.float32)
    if not inside.any() or near.all():
        return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7 * scale)
    trimap = np.where(inside, 1.0, np.where(near, 0.5, 0.0))
    return _closed_form(frame, trimap)


def _closed_form(frame: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    from pymatting import estimate_alpha_cf  # compiles for half a minute when first imported

    height, width = trimap.shape
    factor = min(1.0, (_LARGEST / trimap.size) ** 0.5)
    picture = frame
    if factor < 1.0:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        picture = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST)
    else:
        small = trimap
    alpha = np.clip(estimate_alpha_cf(picture / 255.0, small), 0.0, 1.0).astype(np.float32)
    if factor < 1.0:
        alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(trimap == 0.5, alpha, trimap).astype(np.float32)


def _guided(frame: np.ndarray, mask: np.ndarray, radius: int) -> np.ndarray:
    """He et al.'s guided filter of the mask by the luma, ``(H, W)`` float32 in [0, 1]."""
    guide = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0
    plane, window = mask.astype(np.float32), (2 * radius + 1, 2 * radius + 1)
    mean, target = cv2.blur(guide, window), cv2.blur(plane, window)
    slope = (cv2.blur(guide * plane, window) - mean * target) / (
        cv2.blur(guide * guide, window) - mean * mean + _GUIDE_EPS
    )
    offset = target - slope * mean
    return np.clip(cv2.blur(slope, window) * guide + cv2.blur(offset, window), 0.0, 1.0)
