"""Tracks on the grid of samples of their shot, so that two can be laid over each other at a shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustvos.realvas.ground import Standing
from robustvos.realvas.overlap import PackedMasks, overlap_areas, pack_masks
from robustvos.realvas.tracks import Track


@dataclass(frozen=True)
class Placed:
    """One track at every sample from its first to its last.

    Attributes:
        key: Of the track.
        shot: Key of its shot.
        role: Of its source.
        start: Position of its first sample among those of the shot.
        masks: ``(T, H, W)`` bool, the object; empty where it was not seen.
        packed: The same, packed.
        areas: ``(T,)`` pixels.
        merged: ``(T,)`` bool.
        border: ``(T,)`` bool.
        rows: ``(T,)`` float64, contact with the ground; NaN where it was not seen.
        below: ``(T,)`` bool, it reaches below the frame.
        widths: ``(T,)`` float64.
        heights: ``(T,)`` float64.
        centres: ``(T, 2)`` float64, mean of its pixels, ``(x, y)``; NaN where it was not seen.
        hidden: The scene hides its contact.
        at_start: Its first sample is the shot's first, so that it was there before.
        at_end: Its last is the shot's last.
    """

    key: str
    shot: str
    role: str
    start: int
    masks: np.ndarray
    packed: PackedMasks
    areas: np.ndarray
    merged: np.ndarray
    border: np.ndarray
    rows: np.ndarray
    below: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    centres: np.ndarray
    hidden: bool
    at_start: bool
    at_end: bool

    @property
    def stop(self) -> int:
        """Position after its last sample."""
        return self.start + len(self.masks)

    def has(self, sample: int) -> bool:
        """Whether it was seen at a sample of the shot."""
        return self.start <= sample < self.stop and self.areas[sample - self.start] > 0


def place(key: str, shot: str, role: str, track: Track, standing: Standing, step: int, last_sample: int) -> Placed:
    """Lay a track out on the samples of its shot.

    Args:
        key: Of the track.
        shot: Of its shot.
        role: Of its source.
        track: As ``discover`` left it.
        standing: Where it stands.
        step: Frames from sample to sample.
        last_sample: Position of the last sample of the shot.
    """
    places = track.frames // step - track.frames[0] // step
    length, start = int(places[-1]) + 1, int(track.frames[0]) // step

    def spread(values: np.ndarray, empty: float | bool) -> np.ndarray:
        out = np.full((length, *values.shape[1:]), empty, values.dtype)
        out[places] = values
        return out

    masks = spread(track.objects, False)
    return Placed(
        key,
        shot,
        role,
        start,
        masks,
        pack_masks(masks),
        masks.sum(axis=(1, 2)),
        spread(track.merged, False),
        spread(track.border, False),
        spread(standing.rows, np.nan),
        spread(standing.below, False),
        spread(standing.widths, np.nan),
        spread(standing.heights, np.nan),
        spread(np.array([np.argwhere(mask).mean(axis=0)[::-1] for mask in track.objects]), np.nan),
        standing.hidden,
        start == 0,
        start + length - 1 >= last_sample,
    )


@dataclass(frozen=True)
class Pairing:
    """An occludee and an occluder at a shift, sample by sample of the occludee.

    Attributes:
        behind: The occludee (BG).
        front: The occluder (FG).
        shift: Samples: sample ``t`` of the occludee's shot goes with sample ``t - shift`` of the occluder's.
        hidden: ``(T,)`` int64 pixels of the occludee that the occluder covers.
    """

    behind: Placed
    front: Placed
    shift: int
    hidden: np.ndarray

    @classmethod
    def of(cls, behind: Placed, front: Placed, shift: int) -> Pairing:
        """Lay ``front`` over ``behind``."""
        local = shift + front.start - behind.start
        return cls(behind, front, shift, overlap_areas(behind.packed, front.packed, local))

    @property
    def shares(self) -> np.ndarray:
        """``(T,)`` share of the occludee that is covered; 0 where it is not seen."""
        shares: np.ndarray = self.hidden / np.maximum(1, self.behind.areas)
        return shares

    def front_at(self, values: np.ndarray, empty: float | bool) -> np.ndarray:
        """Values of the occluder at the occludee's samples, ``empty`` where it is not in its track."""
        out = np.full((len(self.behind.masks), *values.shape[1:]), empty, dtype=values.dtype)
        offset = self.behind.start - self.shift - self.front.start
        first, last = max(0, -offset), min(len(out), len(values) - offset)
        if last > first:
            out[first:last] = values[first + offset : last + offset]
        return out

    @property
    def front_seen(self) -> np.ndarray:
        """``(T,)`` bool: the occluder is there."""
        return self.front_at(self.front.areas, 0) > 0
