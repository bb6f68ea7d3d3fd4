"""Paint a transparent container opaque along its own track, so that its contents are hidden and their truth is still known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustvos.containment.container_motion import Matrix, PartMotion, PartTracker, Points, matrix_between
from robustvos.containment.follow import gray_reader
from robustvos.containment.mask_warp import Mask
from robustvos.containment.rigid_body import fit_body
from robustvos.seeding import numpy_rng

_FEATHER = 1.0
_RIGID = 0.8
_LEAST_POINTS, _AGREE, _ALIKE, _GAP = 12, 6, 0.6, 12


def container_track(
    frames: Sequence[Tensor],
    containers: Sequence[Mask],
    contents: Sequence[Mask],
    rest: int,
    focal: float | None = None,
) -> tuple[list[Matrix], float]:
    """How the container moves, from its own surface: what is seen through it plays no part.

    Args:
        frames: ``T`` frames ``(3, H, W)`` uint8.
        containers: ``T`` masks of the container.
        contents: ``T`` masks of what is in it, which no point may lie on.
        rest: Frame to which homographies refer.
        focal: Focal length, in longer sides of the frame; None: not known.

    Returns:
        ``T`` homographies from frame ``rest``; and the share of frames whose homography comes from points of the surface.
        The others are between their neighbours or, where many frames in a row show too little of the glass, come from the
        container's mask: its middle and size.
    """
    read = gray_reader(frames)
    near = cv2.dilate(contents[rest].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    found: dict[int, PartMotion] = {}
    points = np.zeros((0, 2), np.float32)
    for order in (range(rest + 1, len(frames)), range(rest - 1, -1, -1)):
        tracker = PartTracker(read(rest), containers[rest] & ~near)
        if len(tracker.points) < _LEAST_POINTS:
            continue
        for t in order:
            motion = tracker.step(read(t))
            if motion.inliers.sum() >= _AGREE and motion.likeness >= _ALIKE:
                found[t] = motion
        points = tracker.points
    known = {rest: np.eye(3), **_steadied(points, found, containers[rest].shape, focal)}
    matrices = [matrix_between(known, t, _GAP) for t in range(len(frames))]
    filled = [_by_mask(containers[rest], containers[t]) if m is None else m for t, m in enumerate(matrices)]
    return filled, (len(known) - 1) / max(len(frames) - 1, 1)


def _steadied(
    points: Points, found: Mapping[int, PartMotion], size: tuple[int, ...], focal: float | None
) -> dict[int, Matrix]:
    """Homographies of one rigid body's face, where the tracks are those of one: the rim alone leaves each frame's loose."""
    measured = {t: motion.matrix for t, motion in found.items()}
    if len(found) < 3:
        return measured
    body = fit_body(points, list(found.values()), (size[0], size[1]), focal)
    if body.residual > _RIGID or body.agreeing < 0.5:
        return measured
    return dict(zip(found, body.motion.homographies(0.0), strict=True))


def paint_opaque(
    frames: Sequence[Tensor], containers: Sequence[Mask], matrices: Sequence[Matrix], rest: int, seed: object = 0
) -> list[Tensor]:
    """Frames with the container covered by a printed surface that moves with it, under the light that falls on it.

    Args:
        frames: ``T`` frames ``(3, H, W)`` uint8.
        containers: ``T`` masks of the container: where it is painted.
        matrices: ``T`` homographies from frame ``rest``, which carry the print.
        rest: That frame.
        seed: Of the print.
    """
    height, width = containers[rest].shape
    surface = _print(height, width, seed)
    painted = []
    for frame, mask, matrix in zip(frames, containers, matrices, strict=True):
        picture = frame.permute(1, 2, 0).numpy().astype(np.float32)
        moved = cv2.warpPerspective(surface, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        light = cv2.GaussianBlur(picture.mean(2), (0, 0), max(height, width) / 16)
        shade = np.clip(light / max(float(light[mask].mean()) if mask.any() else 1.0, 1.0), 0.5, 1.5)
        cover = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _FEATHER)
        # Inside of the mask nothing shines through, however soft the rim.
        cover = np.where(mask, 1.0, cover)[..., None]
        mixed = (1 - cover) * picture + cover * moved * shade[..., None]
        painted.append(torch.from_numpy(np.clip(mixed, 0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous())
    return painted


def _by_mask(source: Mask, target: Mask) -> Matrix:
    """The shift and scale between two masks; no motion if one of them is empty."""
    if not source.any() or not target.any():
        return np.eye(3)
    first, last = (np.argwhere(mask)[:, ::-1].mean(0) for mask in (source, target))
    scale = float(np.sqrt(target.sum() / source.sum()))
    shift = last - scale * first
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1.0]])


def _print(height: int, width: int, seed: object) -> NDArray[np.float32]:
    """Patches of several sizes; ``(H, W, 3)`` float32."""
    rng = numpy_rng("opaque", seed)
    surface = np.full((height, width, 3), 128, np.float32)
    for cell in (48, 20, 9):
        grid = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        large = cv2.resize(grid, None, fx=cell, fy=cell, interpolation=cv2.INTER_NEAREST)
        surface += 38 * large[:height, :width]
    return np.asarray(cv2.GaussianBlur(np.clip(surface, 10, 245), (0, 0), 0.7), np.float32)
