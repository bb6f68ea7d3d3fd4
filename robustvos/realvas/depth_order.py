"""Order and plausibility of a pair by a network's depth: the paper's checks, where a depth plugin is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from robustvos.realvas.order import Order, Verdict
from robustvos.realvas.placed import Pairing
from robustvos.realvas.plugins import plugin, to_tensor
from robustvos.realvas.shots import Shot
from robustvos.realvas.tracks import Track

_ONE_PLACE = 0.02
"""Nearness, in ranges of the scene's, within which two objects stand in one place; not measured yet, as the weights could
not be had."""


def set_scene(depth: Any, shot: Shot) -> None:
    """Bring later maps of a shot's frames to one scale, by its plate."""
    if hasattr(depth, "set_reference"):
        depth.set_reference(to_tensor(shot.small_plate))


def nearness_of(choice: str, shot: Shot, tracks: Mapping[str, Track]) -> dict[str, np.ndarray]:
    """Nearness of each track at each of its frames, in ranges (5th to 95th percentile) of the plate's; NaN where unknown.

    Args:
        choice: Of the depth plugin.
        shot: The tracks' shot.
        tracks: By key.
    """
    depth = plugin("depth", choice)
    set_scene(depth, shot)
    span = _range_of(depth, shot)
    found = {key: np.full(len(track.frames), np.nan) for key, track in tracks.items()}
    for t in sorted({int(t) for track in tracks.values() for t in track.frames}):
        there = [(key, int(np.flatnonzero(track.frames == t)[0])) for key, track in tracks.items() if t in track.frames]
        masks = torch.from_numpy(np.stack([tracks[key].objects[k] for key, k in there]))
        (picture,) = shot.small([t])
        for (key, k), value in zip(there, depth.objects(to_tensor(picture), masks).tolist(), strict=True):
            found[key][k] = value / span
    return found


def depth_order(pairing: Pairing, nearness: tuple[np.ndarray, np.ndarray], agreement: float) -> Order:
    """Who is nearer where the two overlap.

    Args:
        pairing: The first track as the occludee, the second as the occluder.
        nearness: ``(T,)`` of the first and of the second track, at the samples of the first.
        agreement: Share of the overlap in which the nearer one must be the nearer; the paper rejects a *reverse occlusion*
            where any pixel contradicts.
    """
    gap = (nearness[1] - nearness[0])[(pairing.hidden > 0) & ~np.isnan(nearness[0]) & ~np.isnan(nearness[1])]
    if not len(gap):
        return Order(None, "order undecided", {"depth_gap": None})
    middle = float(np.median(gap))
    agree = float((np.sign(gap) == np.sign(middle)).mean())
    figures = {"depth_gap": round(middle, 4), "agree": round(agree, 3)}
    if abs(middle) <= _ONE_PLACE:
        return Order(None, "on top", figures)
    if agree < agreement:
        return Order(None, "order changes", figures)
    return Order("second" if middle > 0 else "first", "depth", figures)


def depth_on_top(pairing: Pairing, nearness: tuple[np.ndarray, np.ndarray], samples: int) -> Verdict:
    """``on top`` if the two are at one depth in at least so many samples of their overlap, else ``clear``."""
    gap = np.abs(nearness[1] - nearness[0])[pairing.hidden > 0]
    return "on top" if int((gap <= _ONE_PLACE).sum()) >= samples else "clear"


def refine_mask(mask: np.ndarray, nearness: np.ndarray, scene: np.ndarray) -> np.ndarray:
    """A mask without the pixels that show the scene behind, as between the leaves of a plant.

    Pixels farther than the mask's mean are looked at, as in the paper; they go if their depth is closer to the scene's own
    there than to that mean, for otherwise half of any object would go.

    Args:
        mask: ``(H, W)`` bool.
        nearness: ``(H, W)`` float, larger is closer.
        scene: ``(H, W)`` float, the same of the clean plate.

    Source: appendix A.3 of the Real-VAS paper.
    """
    if not mask.any():
        return mask
    mean = float(nearness[mask].mean())
    behind = (nearness < mean) & (np.abs(nearness - scene) < np.abs(nearness - mean))
    refined: np.ndarray = mask & ~behind
    return refined


def _range_of(depth: Any, shot: Shot) -> float:
    low, high = np.quantile(depth.nearness_map(to_tensor(shot.small_plate)).numpy(), [0.05, 0.95])
    return max(float(high - low), 1e-6)
