"""Stabilisation of a camera that sways or drifts a little: one similarity a frame, one resampling."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from robustvos.realvas.static_camera import Registration

_MIN_SHARE = 0.15
"""Where fewer features agree, a mover fills the view: the neighbours' similarity is taken."""


def find_similarities(frames: Iterable[np.ndarray], reference: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The similarity from each frame to the reference.

    Args:
        frames: ``(H, W, 3)`` uint8.
        reference: ``(H, W, 3)`` uint8: a frame, or better a plate.

    Returns:
        ``(T, 2, 3)`` float64, interpolated over frames where too few features agree; and the share that agrees in each.
    """
    registration = Registration(reference)
    matrices, shares = [], []
    for frame in frames:
        matrix, share, _ = registration.similarity(frame)
        matrices.append(matrix if matrix is not None and share >= _MIN_SHARE else None)
        shares.append(share)
    return _fill_gaps(matrices), shares


def _fill_gaps(matrices: list[np.ndarray | None]) -> np.ndarray:
    known = [t for t, matrix in enumerate(matrices) if matrix is not None]
    if not known:
        return np.tile(np.eye(2, 3), (len(matrices), 1, 1))
    values = np.stack([np.asarray(matrices[t]).ravel() for t in known])
    every = np.arange(len(matrices))
    return np.stack([np.interp(every, known, values[:, k]) for k in range(6)], axis=1).reshape(-1, 2, 3)


def rescale(matrices: np.ndarray, factor: float) -> np.ndarray:
    """The same similarities for pictures ``factor`` times as large."""
    scaled = matrices.copy()
    centres = np.full(2, (factor - 1) / 2)  # the middle of the first pixel moves, too
    scaled[..., 2] = factor * matrices[..., 2] + centres - matrices[..., :2] @ centres
    return scaled


def common_rectangle(matrices: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest centred-in-view rectangle that every stabilised frame covers: ``x0, y0, x1, y1``, even-sized.

    Args:
        matrices: ``(T, 2, 3)`` from frame to reference.
        size: ``(H, W)`` of frames and reference.

    Returns:
        A rectangle of the reference; without area if there is none.
    """
    height, width = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    moved = np.einsum("tij,cj->tci", matrices[..., :2], corners) + matrices[:, None, :, 2]
    x0, y0 = moved[:, [0, 3], 0].max(), moved[:, [0, 1], 1].max()
    x1, y1 = moved[:, [1, 2], 0].min(), moved[:, [2, 3], 1].min()
    left, top = max(0, int(np.ceil(x0)) + 1), max(0, int(np.ceil(y0)) + 1)
    right, bottom = min(width, int(np.floor(x1)) - 1), min(height, int(np.floor(y1)) - 1)
    return left, top, max(left, right - (right - left) % 2), max(top, bottom - (bottom - top) % 2)


def warp(frame: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A frame as the reference sees it."""
    height, width = frame.shape[:2]
    return cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
