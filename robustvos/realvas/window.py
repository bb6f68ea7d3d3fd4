"""Which samples of a pairing make the clip: a clean start, nobody who pops up or vanishes, no frame used twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustvos.realvas.placed import Pairing, Placed

_PIXEL_DOUBT, _LEAST_SAMPLES = 3.0, 12
CLEAN_SHARE = 0.005
"""Most of the occludee that may be covered in the first frame."""


@dataclass(frozen=True)
class Window:
    """Samples of the occludee's track: ``start`` to ``stop``, the latter outside."""

    start: int
    stop: int

    @property
    def span(self) -> slice:
        """As an index."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class NoWindow:
    """Why there is none, and what was measured."""

    reason: str
    figures: dict[str, Any]


def find_window(
    pairing: Pairing,
    others_behind: list[Placed],
    others_front: list[Placed],
    same_shot: bool,
    seconds_per_sample: float,
) -> Window | NoWindow:
    """The samples of a clip.

    The clip is trimmed before it is rejected: to where the occludee is there without a gap, whole and alone; to where the
    occluder does not appear or vanish within the picture; to where nothing else covers either; and, if both are of one shot, to
    where no frame serves twice.

    Args:
        pairing: Occludee and occluder.
        others_behind: Further tracks of the occludee's shot.
        others_front: Further tracks of the occluder's shot.
        same_shot: Whether both are of one shot.
        seconds_per_sample: For the figures.
    """
    behind = pairing.behind
    peak = int(np.argmax(pairing.shares * (behind.areas > 0)))
    bad = blocked(pairing, others_behind, others_front)
    core = _run_around(pairing.shares > CLEAN_SHARE, peak)
    for reason, blocks in bad.items():
        inside = np.flatnonzero(blocks[core.span])
        if len(inside) and blocks[peak]:
            return NoWindow(reason, {"sample": int(behind.start + peak), "samples": len(inside)})
    free = ~np.logical_or.reduce(list(bad.values()))
    run = _run_around(free, peak)
    run = _without_pops(pairing, run)
    if same_shot and behind.key != pairing.front.key:
        run = _without_twins(pairing, run, core)
    starts = _clean_starts(behind, pairing.shares, run, peak)
    if not len(starts):
        before = {"clean_share": CLEAN_SHARE, "seconds": round((peak - run.start) * seconds_per_sample, 2)}
        return NoWindow("no clean start", before)
    start, stop = int(starts[0]), run.stop
    if same_shot and stop - start > abs(pairing.shift):
        room = abs(pairing.shift)
        # The latest start that is clean leaves most room for the occlusion.
        later = starts[starts >= min(peak + 1, stop) - room]
        if not len(later):
            return NoWindow("same frames twice", {"shift": pairing.shift, "samples": stop - start})
        start = int(later[0])
        stop = min(stop, start + room)
        if stop <= peak:
            return NoWindow("same frames twice", {"shift": pairing.shift, "samples": stop - start})
    return Window(start, stop)


def find_common_window(
    pairings: Sequence[Pairing], others_behind: list[Placed], others_front: Sequence[list[Placed]]
) -> Window | NoWindow:
    """The samples of a clip in which several occluders pass in front of one occludee; trimmed as in :func:`find_window`.

    Args:
        pairings: Of the occludee with each occluder.
        others_behind: Further tracks of the occludee's shot.
        others_front: Further tracks of each occluder's shot.
    """
    behind = pairings[0].behind
    peaks = [int(np.argmax(pairing.shares * (behind.areas > 0))) for pairing in pairings]
    first, last = min(peaks), max(peaks)
    free = np.ones(len(behind.masks), bool)
    for pairing, others in zip(pairings, others_front, strict=True):
        for reason, blocks in blocked(pairing, others_behind, others).items():
            if blocks[first : last + 1].any():
                return NoWindow(reason, {"between": [first, last], "samples": int(blocks[first : last + 1].sum())})
            free &= ~blocks
    run = _run_around(free, first)
    cores = [_run_around(p.shares > CLEAN_SHARE, peak) for p, peak in zip(pairings, peaks, strict=True)]
    core = Window(min(c.start for c in cores), max(c.stop for c in cores))
    for pairing in pairings:
        run = _without_pops(pairing, run)
        if behind.shot == pairing.front.shot and behind.key != pairing.front.key:
            run = _without_twins(pairing, run, core)
    if not run.start <= first <= last < run.stop:
        return NoWindow("no frames in common", {"between": [first, last], "usable": [run.start, run.stop]})
    shares = covered_by_all(pairings) / np.maximum(1, behind.areas)
    starts = _clean_starts(behind, shares, run, first)
    if not len(starts):
        return NoWindow("no clean start", {"clean_share": CLEAN_SHARE, "samples": first - run.start})
    start, stop = int(starts[0]), run.stop
    for room, reason in sorted(_rooms(pairings)):
        if stop - start <= room:
            continue
        starts = starts[starts >= last + 1 - room]
        if not len(starts):
            return NoWindow(reason, {"samples_apart": room, "between": [first, last]})
        start, stop = int(starts[0]), min(stop, int(starts[0]) + room)
    return Window(start, stop)


def covered_by_all(pairings: Sequence[Pairing]) -> np.ndarray:
    """``(T,)`` int64 pixels of the occludee that any of the occluders covers."""
    behind = pairings[0].behind.masks
    over = np.logical_or.reduce([pairing.front_at(pairing.front.masks, False) for pairing in pairings])
    areas: np.ndarray = (behind & over).sum(axis=(1, 2))
    return areas


def _rooms(pairings: Sequence[Pairing]) -> list[tuple[int, str]]:
    """Lengths, in samples, above which a frame would serve twice; and what that is called."""
    rooms = [(abs(p.shift), "same frames twice") for p in pairings if p.front.shot == p.behind.shot]
    for one, other in itertools.combinations(pairings, 2):
        if one.front.key == other.front.key:
            rooms.append((abs(one.shift - other.shift), "one occluder twice"))
    return rooms


def blocked(pairing: Pairing, others_behind: list[Placed], others_front: list[Placed]) -> dict[str, np.ndarray]:
    """Samples at which the truth, or the occluder, is not to be had, by reason: ``(T,)`` bool each."""
    behind, front = pairing.behind, pairing.front
    seen = pairing.front_seen
    return {
        "occludee lost": behind.areas == 0,
        "merged regions": behind.merged | (pairing.front_at(front.merged, False) & seen),
        "external occlusion": shrinks(behind)
        | _covered_by(behind, others_behind)
        | (pairing.front_at(_covered_by(front, others_front), False) & seen),
    }


def shrinks(track: Placed, ratio: float = 0.7, around: int = 5, hold: int = 15) -> np.ndarray:
    """Samples at which an object off the border has suddenly lost area: below ``ratio`` of the median of its last good ones.

    It stays lost until the area is back, or for ``hold`` samples: then it may have turned.
    """
    lost = np.zeros(len(track.areas), bool)
    good: list[float] = []
    since = 0
    for t, area in enumerate(track.areas):
        if area == 0 or track.border[t]:
            continue
        usual = float(np.median(good[-around:])) if len(good) >= 3 else 0.0
        # The steps of a walker of few pixels change its area more than those of a large one.
        small = bool(area < (ratio - _PIXEL_DOUBT / max(1.0, usual) ** 0.5) * usual)
        lost[t] = small and since < hold
        since = since + 1 if lost[t] else 0
        if not lost[t]:
            good = [float(area)] if small else [*good, float(area)]
    return lost


def _covered_by(track: Placed, others: list[Placed]) -> np.ndarray:
    """Samples at which a nearer object's box meets the track's: its region may hide part of it."""
    covered = np.zeros(len(track.masks), bool)
    for other in others:
        for t in range(len(covered)):
            s = t + track.start - other.start
            if not 0 <= s < len(other.masks) or track.areas[t] == 0 or other.areas[s] == 0:
                continue
            if other.rows[s] > track.rows[t] and _boxes_meet(track, t, other, s):
                covered[t] = True
    return covered


def _boxes_meet(first: Placed, t: int, second: Placed, s: int) -> bool:
    a, b = first.packed.boxes[t], second.packed.boxes[s]
    rows = min(a[1], b[1]) + 2 >= max(a[0], b[0])
    if not rows:
        return False
    grown = first.masks[t] | np.roll(first.masks[t], 2, 1) | np.roll(first.masks[t], -2, 1)
    grown = grown | np.roll(grown, 2, 0) | np.roll(grown, -2, 0)
    return bool((grown & second.masks[s]).any())


def _without_pops(pairing: Pairing, run: Window) -> Window:
    """Cut where the occluder would appear or vanish in mid-picture."""
    front, offset = pairing.front, pairing.behind.start - pairing.shift - pairing.front.start
    first, last = -offset, -offset + len(front.masks) - 1
    start, stop = run.start, run.stop
    if first > start and not front.border[0]:
        start = first
    if last < stop - 1 and not front.border[-1]:
        stop = last + 1
    return Window(min(start, stop), stop)


def _without_twins(pairing: Pairing, run: Window, core: Window) -> Window:
    """Cut where the occluder is in the occludee's frames by itself, before and after the occlusion, if enough is left."""
    there = np.array([pairing.front.has(pairing.behind.start + t) for t in range(len(pairing.behind.masks))])
    before = np.flatnonzero(there[run.start : core.start])
    after = np.flatnonzero(there[core.stop : run.stop])
    start = run.start + int(before[-1]) + 1 if len(before) else run.start
    stop = core.stop + int(after[0]) if len(after) else run.stop
    return Window(start, stop) if stop - start >= _LEAST_SAMPLES else run


def _clean_starts(behind: Placed, shares: np.ndarray, run: Window, peak: int) -> np.ndarray:
    """Samples before the peak at which the occludee is whole and uncovered."""
    clean = (shares <= CLEAN_SHARE) & ~behind.border & (behind.areas > 0)
    inside = np.arange(len(clean))
    starts: np.ndarray = inside[clean & (inside >= run.start) & (inside < min(peak, run.stop))]
    return starts


def _run_around(flags: np.ndarray, at: int) -> Window:
    """The unbroken run of set flags that holds ``at``; only ``at`` if its own is not set."""
    start = stop = at
    while start > 0 and flags[start - 1]:
        start -= 1
    while stop + 1 < len(flags) and flags[stop + 1]:
        stop += 1
    return Window(start, stop + 1)
