"""Order and plausibility of a pair, by where both stand: who is in front, and could they stand so?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from robustvos.realvas.ground import Horizon
from robustvos.realvas.placed import Pairing, Placed

FOCAL = (0.7, 1.4)
"""Focal lengths that cameras have, in widths of the frame."""
_STEEPEST, _FLATTEST = 1.2, 0.05
"""Tangents of the angle at which a camera may look down on the ground, where the horizon says nothing."""
_DEPTH_UPRIGHT, _DEPTH_WIDE = (0.4, 1.2), (0.4, 2.5)
"""How deep an object may be, in its own widths: one that is taller than wide (a person), and any other (a car)."""
_UPRIGHT = 1.5

Verdict = Literal["clear", "on top", "undecidable"]


@dataclass(frozen=True)
class Order:
    """Who is in front.

    Attributes:
        front: ``first`` or ``second``; None: undecided.
        reason: Why it is undecided, in a word or two; or ``contact``, ``hidden contact``.
        figures: The gap between their contacts as a share of the frame's height, and how often it has its sign.
    """

    front: Literal["first", "second"] | None
    reason: str
    figures: dict[str, Any]


def contact_order(pairing: Pairing, dead_zone: float, agreement: float, height: int) -> Order:
    """Decide by the rows of contact where the two overlap.

    Args:
        pairing: The first track as the occludee, the second as the occluder.
        dead_zone: Share of the frame's height within which a gap decides nothing.
        agreement: Share of the overlap, weighted by pixels, in which the nearer one must be the nearer.
        height: Of the frame.
    """
    first, second = pairing.behind, pairing.front
    weight = pairing.hidden.astype(float)
    gap = np.nan_to_num((pairing.front_at(second.rows, np.nan) - first.rows) / height)
    if weight.sum() == 0:
        return Order(None, "no overlap", {})
    middle = _weighted_median(gap, weight)
    agree = float(weight[np.sign(gap) == np.sign(middle)].sum() / weight.sum())
    figures = {"gap": round(middle, 4), "agree": round(agree, 3), "dead_zone": dead_zone}
    if first.hidden or second.hidden:
        # A hidden contact is somewhere below what is seen: it can only be nearer than it looks.
        if middle > dead_zone and not first.hidden and agree >= agreement:
            return Order("second", "contact", figures)
        if middle < -dead_zone and not second.hidden and agree >= agreement:
            return Order("first", "contact", figures)
        return Order(None, "hidden contact", figures)
    if abs(middle) <= dead_zone:
        return Order(None, "order undecided", figures)
    if agree < agreement:
        return Order(None, "order changes", figures)
    return Order("second" if middle > 0 else "first", "contact", figures)


def size_order(pairing: Pairing, ratio: float) -> Literal["first", "second"]:
    """Whom to take for the nearer one where nothing says: the larger by ``ratio``, else the second."""
    weight = pairing.hidden > 0
    first = float(np.median(pairing.behind.areas[weight]))
    second = float(np.median(pairing.front_at(pairing.front.areas, 0)[weight]))
    return "first" if first > ratio * second else "second"


def on_top(pairing: Pairing, horizon: Horizon, size: tuple[int, int], samples: int) -> tuple[Verdict, dict[str, Any]]:
    """Would the two stand in one place?

    The ground that the occluder stands on reaches from its contact upwards by its depth, seen at the camera's steepness. Where
    the occludee stands within it, and in the same columns, they collide.

    Args:
        pairing: Occludee and occluder.
        horizon: Of the occludee's shot.
        size: ``(H, W)`` of the frame.
        samples: This many colliding samples make a collision.

    Returns:
        ``clear`` if they do not collide however deep the occluder and steep the camera may be, ``on top`` if they do even at
        the least, ``undecidable`` between; and the figures.
    """
    behind, front = pairing.behind, pairing.front
    together = np.flatnonzero((pairing.shares > 0.02) & ~np.isnan(pairing.front_at(front.rows, np.nan)))
    rows, widths, heights = (pairing.front_at(v, np.nan) for v in (front.rows, front.widths, front.heights))
    least = most = 0
    margins = []
    for t in together:
        if not _share_columns(pairing, int(t)):
            continue
        gap = rows[t] - behind.rows[t]
        flat, steep = steepness(rows[t], horizon, size)
        shallow, deep = _DEPTH_UPRIGHT if heights[t] > _UPRIGHT * widths[t] else _DEPTH_WIDE
        low = min(shallow * widths[t] * flat, heights[t])
        high = min(deep * widths[t] * steep, heights[t])
        least += gap < low
        most += gap < high
        margins.append(gap / max(1.0, high))
    figures = {
        "together": len(margins),
        "colliding_at_least": int(least),
        "colliding_at_most": int(most),
        "margin": round(float(np.median(margins)), 3) if margins else None,
        "horizon": [horizon.low, horizon.high],
    }
    if least >= samples:
        return "on top", figures
    return ("clear" if most < samples else "undecidable"), figures


def relative_speed(pairing: Pairing, start: int, stop: int) -> float:
    """How fast the two pass each other while one covers the other: median over samples, in pixels a sample."""
    apart = pairing.front_at(pairing.front.centres, np.nan) - pairing.behind.centres
    steps = np.linalg.norm(np.diff(apart[start:stop], axis=0), axis=1)
    during = steps[(pairing.shares[start:stop] > 0.05)[1:] & ~np.isnan(steps)]
    return float(np.median(during)) if len(during) else 0.0


def steepness(row: float, horizon: Horizon, size: tuple[int, int]) -> tuple[float, float]:
    """Least and greatest tangent of the angle at which the camera may look down on what stands at ``row``."""
    width = size[1]
    flat = _FLATTEST if horizon.high is None else max(_FLATTEST, (row - horizon.high) / (FOCAL[1] * width))
    steep = _STEEPEST if horizon.low is None else min(_STEEPEST, (row - horizon.low) / (FOCAL[0] * width))
    return flat, max(flat, steep)


def _share_columns(pairing: Pairing, t: int) -> bool:
    """Whether the columns on which both stand meet, by the lowest fifths of their masks."""
    first = _base_columns(pairing.behind, t)
    second = _base_columns(pairing.front, t + pairing.behind.start - pairing.shift - pairing.front.start)
    common = min(first[1], second[1]) - max(first[0], second[0])
    return common > 0.1 * min(first[1] - first[0], second[1] - second[0])


def _base_columns(track: Placed, t: int) -> tuple[float, float]:
    rows = np.flatnonzero(track.masks[t].any(1))
    base = track.masks[t][rows[-1] - max(1, (rows[-1] - rows[0]) // 5) : rows[-1] + 1]
    columns = np.flatnonzero(base.any(0))
    return float(columns[0]), float(columns[-1] + 1)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
