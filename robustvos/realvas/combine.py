"""Stage ``combine``: several occluders that pass in front of one occludee in the same clip, where that is asked for.

The candidates that ``filter`` kept say that each occluder is in front of the occludee. What is left to be judged is whether
they share enough frames, and how they stand to one another.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.files.stage import Item, Outcome, Record, Rejection, Result, StageResults, Work
from robustvos.realvas.align import sample_step, shot_of_track
from robustvos.realvas.discover import DISCOVER
from robustvos.realvas.filter import FILTER, FilterSettings, measured_order, standing_apart
from robustvos.realvas.fronts import Front, fronts_of
from robustvos.realvas.placed import Pairing
from robustvos.realvas.scene import Scene
from robustvos.realvas.tracks import correction_digest
from robustvos.realvas.window import NoWindow, Window, covered_by_all, find_common_window

COMBINE = "combine"
MOST = 4
"""Occluders of a clip that may be asked for."""
_LONGEST_KEY = 180
_COVERED = 0.05


@dataclass(frozen=True)
class CombineSettings:
    """Which candidates are put together; each occluder of a combination, and any two of them, must hold what ``filter`` asks.

    Attributes:
        occluders: Most of a clip; with 1 nothing is put together.
        among: Best candidates of an occludee that are tried with each other: 8 make 28 pairs.
        per_occludee: Clips kept of an occludee.
    """

    occluders: int = 1
    among: int = 8
    per_occludee: int = 4


@dataclass
class Combine:
    """One item an occludee, one outcome a combination of its candidates.

    Attributes:
        root: Folder of the run.
        settings: Which candidates are put together.
    """

    root: Path
    settings: CombineSettings = field(default_factory=CombineSettings)
    name = COMBINE
    version = 1
    unit = "combination"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Occludees with two candidates or more."""
        by_occludee: dict[str, list[Result]] = {}
        for candidate in inputs[FILTER].kept:
            by_occludee.setdefault(candidate.figures["behind"], []).append(candidate)
        for behind, candidates in by_occludee.items():
            if len(candidates) < 2 or self.settings.occluders < 2:
                continue
            shots = {shot_of_track(behind), *(c.figures["front_shot"] for c in candidates)}
            held = {
                track.key: [track.fingerprint, correction_digest(self.root, track.key)]
                for track in inputs[DISCOVER].kept
                if track.figures["shot"] in shots
            }
            chosen = sorted(candidates, key=_surest)[: self.settings.among]
            inside: dict[str, Any] = {
                "candidates": {candidate.key: candidate.figures for candidate in chosen},
                "of": len(candidates),
                "rules": inputs[FILTER].settings,
                "tracks": held,
            }
            yield Item(behind, inside, sum(1 for _ in self._groups(list(inside["candidates"]))))

    def _groups(self, keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
        for count in range(2, self.settings.occluders + 1):
            yield from itertools.combinations(keys, count)

    def run(self, item: Item, work: Work) -> Sequence[Outcome]:
        """See :class:`robustvos.files.stage.Stage`."""
        candidates = item.inputs["candidates"]
        rules = FilterSettings(**item.inputs["rules"])
        scene = Scene.load(self.root, sorted(item.inputs["tracks"]), rules.depth)
        step = sample_step(self.root, shot_of_track(item.key))
        groups = list(self._groups(list(candidates)))
        judged: list[_Combination | Rejection] = []
        for keys in groups:
            judged.append(judge({key: candidates[key] for key in keys}, scene, step, rules))
            work.advance(1 / len(groups))
        outcomes = self._choose(judged, rules.same_interval)
        left = item.inputs["of"] - len(candidates)
        if left:
            more = {"candidates_not_tried": left, "among": self.settings.among}
            outcomes.append(Rejection("beyond the number", more, f"{item.key}~others"))
        return outcomes

    def _choose(self, judged: Sequence[_Combination | Rejection], same_interval: float) -> list[Outcome]:
        """The best, each unlike a better one; different objects come before one that passes twice."""
        outcomes: list[Outcome] = [verdict for verdict in judged if isinstance(verdict, Rejection)]
        found = [verdict for verdict in judged if isinstance(verdict, _Combination)]
        kept: list[_Combination] = []
        for one in sorted(found, key=lambda c: (bool(c.doubts), c.repeats, -c.interest, c.key)):
            like = next((other.key for other in kept if _alike(one, other, same_interval)), None)
            if like is not None:
                outcomes.append(Rejection("like another", one.figures | {"like": like}, one.key))
            elif len(kept) >= self.settings.per_occludee:
                outcomes.append(Rejection("beyond the number", one.figures | {"per_occludee": len(kept)}, one.key))
            else:
                outcomes.append(Record(one.figures | {"rank": len(kept)}, one.key))
                kept.append(one)
        return outcomes


@dataclass(frozen=True)
class _Combination:
    """One that has passed.

    Attributes:
        key: Of the combination.
        figures: What later stages need, and what was measured.
        doubts: Of its members, and of how they stand to one another.
        interest: As of a candidate: how much is hidden for how long, by all of them.
        event: First frame that is occluded, and the frame after the last.
    """

    key: str
    figures: dict[str, Any]
    doubts: tuple[str, ...]
    interest: float
    event: tuple[int, int]

    @property
    def repeats(self) -> int:
        """Occluders that are one object again."""
        fronts = self.figures["fronts"]
        return len(fronts) - len(set(fronts))


def _alike(one: _Combination, other: _Combination, same_interval: float) -> bool:
    """Whether they have the same occluders at the same time of the occludee's."""
    if sorted(one.figures["fronts"]) != sorted(other.figures["fronts"]):
        return False
    common = max(0, min(one.event[1], other.event[1]) - max(one.event[0], other.event[0]))
    either = one.event[1] - one.event[0] + other.event[1] - other.event[0] - common
    return common > same_interval * either


def judge(
    members: Mapping[str, Mapping[str, Any]], scene: Scene, step: int, rules: FilterSettings
) -> _Combination | Rejection:
    """Whether candidates of one occludee make one clip.

    Args:
        members: Figures of the candidates by key, as ``filter`` recorded them.
        scene: Their shots and tracks.
        step: Frames from sample to sample.
        rules: What every two must hold.
    """
    candidates = list(members.values())
    behind = candidates[0]["behind"]
    fronts = sorted(front for candidate in candidates for front in fronts_of(candidate))
    key = combination_key(behind, fronts)
    about: dict[str, Any] = {
        "behind": behind,
        "fronts": [front.track for front in fronts],
        "delays": [f.delay for f in fronts],
    }
    deleted = sorted({track for track in (behind, *about["fronts"]) if track not in scene.tracks})
    if deleted:
        return Rejection("deleted", about | {"tracks": ", ".join(deleted)}, key)
    spans = [(c["start"], c["start"] + c["length"]) for c in candidates]
    if max(start for start, _ in spans) >= min(stop for _, stop in spans):
        return Rejection("no frames in common", about | {"spans": spans}, key)
    placed = scene.tracks[behind]
    pairings = [Pairing.of(placed, scene.tracks[front.track], front.delay // step) for front in fronts]
    window = find_common_window(pairings, scene.others(placed), [scene.others(p.front) for p in pairings])
    if isinstance(window, NoWindow):
        return Rejection(window.reason, about | window.figures, key)
    enough = _covered_enough(pairings, window, step, rules)
    if isinstance(enough, NoWindow):
        return Rejection(enough.reason, about | enough.figures, key)
    doubts = tuple(dict.fromkeys(doubt for candidate in candidates for doubt in candidate["doubts"]))
    ordered = stand_in_order(pairings, window, scene, rules, step)
    if isinstance(ordered, NoWindow):
        return Rejection(ordered.reason, about | enough.figures | ordered.figures, key)
    doubts = tuple(dict.fromkeys((*doubts, *ordered.doubts)))
    shares = covered_by_all(pairings)[window.span] / np.maximum(1, placed.areas[window.span])
    start = (placed.start + window.start) * step
    in_order = [fronts[k] for k in ordered.farthest_first]
    during = np.flatnonzero(shares > _COVERED) * step
    figures = {
        "behind": behind,
        "fronts": [front.track for front in in_order],
        "delays": [front.delay for front in in_order],
        "behind_shot": placed.shot,
        "front_shots": [front.shot for front in in_order],
        "members": list(members),
        "start": start,
        "length": (window.stop - window.start - 1) * step + 1,
        "max_occlusion": round(float(shares.max()), 3),
        **{name: [enough.figures[name][k] for k in ordered.farthest_first] for name in enough.figures},
        **ordered.figures,
        "undecided": ordered.undecided,
        "doubts": list(doubts),
        "needs_review": bool(doubts),
    }
    interest = float(shares.max() + 0.5 * np.mean(shares > _COVERED))
    return _Combination(key, figures, doubts, interest, (start + int(during[0]), start + int(during[-1]) + step))


@dataclass(frozen=True)
class _Enough:
    """What each occluder covers, in the order of the pairings."""

    figures: dict[str, Any]


def _covered_enough(
    pairings: Sequence[Pairing], window: Window, step: int, rules: FilterSettings
) -> _Enough | NoWindow:
    """Whether each of the occluders covers as much within the window as it must by itself."""
    shares = [pairing.shares[window.span] for pairing in pairings]
    figures: dict[str, Any] = {
        "occlusions": [round(float(share.max()), 3) for share in shares],
        "occluded_frames": [int((share > _COVERED).sum() * step) for share in shares],
    }
    frames = (window.stop - window.start - 1) * step + 1
    if frames < rules.min_length:
        return NoWindow("short", figures | {"length": frames, "at_least": rules.min_length})
    if min(figures["occlusions"]) < rules.min_occlusion or min(figures["occluded_frames"]) < rules.min_frames:
        least = {"min_occlusion": rules.min_occlusion, "min_frames": rules.min_frames}
        return NoWindow("too little occlusion", figures | least)
    return _Enough(figures)


@dataclass(frozen=True)
class Ranks:
    """How occluders stand to one another.

    Attributes:
        farthest_first: Positions of the pairings.
        undecided: Pairs of positions in that order of which nobody knows who is nearer; no sample shows them overlap.
        doubts: What is left to the review.
        figures: What was measured.
    """

    farthest_first: list[int]
    undecided: list[list[int]]
    doubts: tuple[str, ...]
    figures: dict[str, Any]


def stand_in_order(
    pairings: Sequence[Pairing], window: Window, scene: Scene, rules: FilterSettings, step: int
) -> Ranks | NoWindow:
    """Who of the occluders is nearer, by the order that ``filter`` uses for occludee and occluder.

    Those that overlap must have an order, and must not stand in one place. Of two that were filmed together, in the same
    frames, the place is what it was.
    """
    nearer: dict[tuple[int, int], bool | None] = {}
    measured: dict[str, Any] = {}
    doubts: list[str] = []
    for i, j in itertools.combinations(range(len(pairings)), 2):
        pair, span = _between(pairings[i], pairings[j], window)
        if not pair.hidden.any():
            nearer[i, j] = None
            continue
        order = measured_order(pair, scene, rules)
        who = {"occluders": [pairings[i].front.key, pairings[j].front.key]}
        if order.front is None:
            reason = "order of occluders changes" if order.reason == "order changes" else "order of occluders undecided"
            return NoWindow(reason, who | order.figures | {"by": order.reason})
        nearer[i, j] = order.front == "second"
        measured |= {f"order_{i}_{j}": order.figures}
        filmed_together = pair.behind.shot == pair.front.shot and pair.shift == 0
        if filmed_together:
            continue
        if not nearer[i, j]:
            pair, span = _between(pairings[j], pairings[i], window)
        rate = scene.shots[pair.behind.shot].fps / step
        apart = standing_apart(pair, span, scene, rules, rate)
        if isinstance(apart, NoWindow):
            return NoWindow("occluders on top", who | apart.figures)
        doubts += [f"occluders: {doubt}" for doubt in apart.doubts]
    ranks = _farthest_first(_by_contact(pairings, window), nearer)
    if ranks is None:
        return NoWindow("order of occluders undecided", measured | {"by": "each is nearer than the next, in a circle"})
    places = {position: place for place, position in enumerate(ranks)}
    undecided = sorted(sorted(places[k] for k in pair) for pair, answer in nearer.items() if answer is None)
    return Ranks(ranks, undecided, tuple(doubts), measured)


def _by_contact(pairings: Sequence[Pairing], window: Window) -> list[int]:
    """Positions by the rows on which the occluders stand, the highest in the picture first."""
    rows = [np.nan_to_num(p.front_at(p.front.rows, np.nan)[window.span]) for p in pairings]
    return sorted(range(len(pairings)), key=lambda k: (float(np.median(rows[k][rows[k] > 0])), k))


def _farthest_first(positions: Sequence[int], nearer: Mapping[tuple[int, int], bool | None]) -> list[int] | None:
    """The first order of all positions that every decision agrees with; None if there is none."""
    for ranks in itertools.permutations(positions):
        place = {position: k for k, position in enumerate(ranks)}
        if all(answer is None or (place[j] > place[i]) == answer for (i, j), answer in nearer.items()):
            return list(ranks)
    return None


def _between(first: Pairing, second: Pairing, window: Window) -> tuple[Pairing, Window]:
    """One occluder laid over another, as both are in the clip; only what is in the window overlaps."""
    pair = Pairing.of(first.front, second.front, second.shift - first.shift)
    offset = first.behind.start - first.shift - first.front.start
    inside = np.zeros(len(pair.hidden), bool)
    inside[max(0, window.start + offset) : max(0, window.stop + offset)] = True
    span = Window(max(0, window.start + offset), max(0, window.stop + offset))
    return replace(pair, hidden=pair.hidden * inside), span


def current(combinations: Iterable[Result], candidates: Iterable[Result]) -> list[Result]:
    """The combinations all of whose members are still candidates; ``filter`` may have run again since."""
    known = {candidate.key for candidate in candidates}
    return [one for one in combinations if known.issuperset(one.figures["members"])]


def combination_key(behind: str, fronts: Sequence[Front]) -> str:
    """Key of an occludee with several occluders; of those in the occludee's own shot the short name is enough.

    >>> fronts = [Front("street.t001", "street", -60), Front("yard.t000", "yard", 5)]
    >>> combination_key("street.t004", fronts)
    'street.t004~t001~-60~yard.t000~5'
    """
    shot = shot_of_track(behind)
    names = [f.track.removeprefix(f"{shot}.") if f.shot == shot else f.track for f in fronts]
    key = "~".join([behind, *(f"{name}~{front.delay}" for name, front in zip(names, fronts, strict=True))])
    if len(key.encode()) <= _LONGEST_KEY:
        return key
    return f"{behind}~{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}"


def _surest(candidate: Result) -> tuple[bool, int, str]:
    return candidate.figures["needs_review"], candidate.figures["rank"], candidate.key
