"""Tracks that were one thing all along: a swan whose head comes into the frame before its neck does is first seen as two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustvos.realvas.association import RawTrack
from robustvos.realvas.pictures import box_of

_FEWEST_SHARED, _SHARED = 3, 0.5
"""Samples, and share of the shorter track, in which two must hang together to be one. People who pass each other hang together
for a few; who never comes off cannot be told apart anyhow."""
_APART = 1.0
"""Distance of their boxes before they met, as a share of the larger one's diagonal, above which they were two."""


def join_fragments(tracks: Sequence[RawTrack]) -> list[RawTrack]:
    """Put tracks together that share one region in most of the samples in which the shorter one is seen.

    Args:
        tracks: All of a shot, as :class:`robustvos.realvas.association.Associator` has left them.

    Returns:
        Fewer tracks, in the order of their first samples; what a track shared with its own parts is not said any more.
    """
    groups = list(range(len(tracks)))
    for one in sorted(range(len(tracks)), key=lambda k: len(tracks[k].samples)):
        for other in sorted(frozenset[int]().union(*tracks[one].sharing)):
            if _are_one(tracks, one, other):
                old, new = sorted((groups[one], groups[other]), reverse=True)
                groups = [new if group == old else group for group in groups]
    members = {group: [k for k, g in enumerate(groups) if g == group] for group in sorted(set(groups))}
    return [_union([tracks[k] for k in parts], frozenset(parts)) for parts in members.values()]


def _are_one(tracks: Sequence[RawTrack], one: int, other: int) -> bool:
    track = tracks[one]
    shared = [k for k, others in enumerate(track.sharing) if other in others]
    if len(shared) < max(_FEWEST_SHARED, _SHARED * len(track.samples)):
        return False
    together = dict(zip(tracks[other].samples, tracks[other].regions, strict=True))
    before = [k for k in range(shared[0]) if track.samples[k] in together]
    return all(_near(track.regions[k], together[track.samples[k]]) for k in before)


def _near(first: np.ndarray, second: np.ndarray) -> bool:
    boxes = box_of(first), box_of(second)
    if boxes[0] is None or boxes[1] is None:
        return True
    a, b = (np.array(box, float) for box in boxes)
    gap = np.maximum(0, np.maximum(a[:2], b[:2]) - np.minimum(a[2:], b[2:]))
    return bool(np.linalg.norm(gap) <= _APART * max(np.linalg.norm(a[2:] - a[:2]), np.linalg.norm(b[2:] - b[:2])))


def _union(parts: list[RawTrack], places: frozenset[int]) -> RawTrack:
    if len(parts) == 1:
        return parts[0]
    regions: dict[int, np.ndarray] = {}
    sharing: dict[int, frozenset[int]] = {}
    for part in parts:
        for sample, region, others in zip(part.samples, part.regions, part.sharing, strict=True):
            regions[sample] = region | regions[sample] if sample in regions else region
            sharing[sample] = sharing.get(sample, frozenset()) | (others - places)
    samples = sorted(regions)
    return RawTrack(samples, [regions[s] for s in samples], [sharing[s] for s in samples])
