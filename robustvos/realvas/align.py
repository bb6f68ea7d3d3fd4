"""Stage ``align``: at which shift in time does one object pass in front of another? Every pair, every shift."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.files.stage import Item, Outcome, Record, Rejection, Result, StageResults, Work
from robustvos.realvas.discover import DISCOVER
from robustvos.realvas.motion import MOTION, track_path
from robustvos.realvas.overlap import PackedMasks, overlap_scores, pack_masks
from robustvos.realvas.shots import INGEST, Shot, read_shots
from robustvos.realvas.tracks import Track, correction_digest, read_track

ALIGN = "align"


@dataclass(frozen=True)
class AlignSettings:
    """Which alignments become candidates.

    Attributes:
        per_pair: At most this many shifts for each pair of tracks, each the best for ``apart`` around.
        per_shots: At most this many candidates for each pair of shots.
        apart: Seconds between two shifts of one pair.
        min_delay: Seconds of shift at least where both are of one shot: the clip cannot be longer, or frames would serve twice.
        allow_same_object: A track may pass in front of itself, at another time.
        shift: Seconds by which the occluder is delayed, where it is known; None: search.
    """

    per_pair: int = 12
    per_shots: int = 400
    apart: float = 0.34
    min_delay: float = 1.2
    allow_same_object: bool = True
    shift: float | None = None


@dataclass
class Align:
    """One item a pair of shots of one camera, one outcome a candidate: a pair of tracks and a shift.

    Attributes:
        root: Folder of the run.
        settings: Which alignments become candidates.
    """

    root: Path
    settings: AlignSettings = field(default_factory=AlignSettings)
    name = ALIGN
    version = 1
    unit = "pair"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Pairs of shots of one camera, and each shot with itself, that hold dynamic tracks."""
        tracks = dynamic_tracks(inputs)
        shots = {r.key: r for r in inputs[INGEST].kept if r.key in tracks}
        for first, second in itertools.combinations_with_replacement(sorted(shots), 2):
            a, b = (tracks[key][0].figures for key in (first, second))
            fixed = "any" not in (a["role"], b["role"])
            if a["camera"] != b["camera"] or (fixed and a["role"] == b["role"]):
                continue
            held = {
                track.key: [track.fingerprint, correction_digest(self.root, track.key)]
                for key in {first, second}
                for track in tracks[key]
            }
            shown = {key: shots[key].fingerprint for key in {first, second}}
            pairs = len(tracks[first]) * len(tracks[second])
            yield Item(
                pair_key(first, second), {"first": first, "second": second, "tracks": held, "shots": shown}, pairs
            )

    def run(self, item: Item, work: Work) -> Sequence[Outcome]:
        """See :class:`robustvos.files.stage.Stage`."""
        first, second = item.inputs["first"], item.inputs["second"]
        shots = read_shots(self.root)
        problem = differing_views(shots[first], shots[second], sample_rate(self.root))
        if problem is not None:
            return [Rejection("not one view", {"first": first, "second": second, **problem})]
        step, held = sample_step(self.root, first), sorted(item.inputs["tracks"])
        packed = {key: masks for key in held if (masks := self._pack(key, step)) is not None}
        deleted = [key for key in held if key not in packed]
        found = []
        pairs = [pair for pair in self._pairs(item) if not set(pair) & set(deleted)]
        for a, b in pairs:
            found += self._candidates(packed, a, b, step, shots[first].fps)
            work.advance(1 / len(pairs))
        found.sort(key=lambda figures: (-figures["score"], figures["first"], figures["second"], figures["shift"]))
        kept = [
            Record({**figures, "rank": rank}, f"{figures['first']}~{figures['second']}~{figures['shift']}")
            for rank, figures in enumerate(found[: self.settings.per_shots])
        ]
        return [*kept, *([Rejection("deleted", {"tracks": ", ".join(deleted)})] if deleted else [])]

    def _pairs(self, item: Item) -> Iterable[tuple[str, str]]:
        first, second = (
            sorted(key for key in item.inputs["tracks"] if shot_of_track(key) == item.inputs[side])
            for side in ("first", "second")
        )
        if item.inputs["first"] == item.inputs["second"]:
            pairs = itertools.combinations_with_replacement(first, 2)
            return (pair for pair in pairs if self.settings.allow_same_object or pair[0] != pair[1])
        return itertools.product(first, second)

    def _pack(self, key: str, step: int) -> tuple[int, PackedMasks] | None:
        """First sample of a track, and its masks at every sample from there on; None if a person has deleted it."""
        track = read_track(self.root, track_path(self.root, shot_of_track(key), key), key)
        return (int(track.frames[0]) // step, pack_masks(on_grid(track, step))) if len(track.frames) else None

    def _candidates(
        self, packed: Mapping[str, tuple[int, PackedMasks]], a: str, b: str, step: int, fps: float
    ) -> list[dict[str, Any]]:
        (start_a, masks_a), (start_b, masks_b) = packed[a], packed[b]
        shifts, scores = overlap_scores(masks_a, masks_b)
        # The shift of whole shots: frame t of the first falls together with frame t - shift of the second.
        whole = (shifts + start_a - start_b) * step
        if shot_of_track(a) == shot_of_track(b):
            scores = np.where(np.abs(whole) >= self.settings.min_delay * fps, scores, 0)
        if a == b:
            scores = np.where(whole > 0, scores, 0)  # the other half says the same
        if self.settings.shift is not None:
            scores = np.where(np.abs(whole - round(self.settings.shift * fps)) <= step // 2, scores, 0)
        kept = best_apart(scores, self.settings.per_pair, max(1, round(self.settings.apart * fps / step)))
        return [{"first": a, "second": b, "shift": int(whole[k]), "score": int(scores[k]), "step": step} for k in kept]


def dynamic_tracks(inputs: Mapping[str, StageResults]) -> dict[str, list[Result]]:
    """The records of ``discover`` whose tracks move, by shot."""
    moving = {result.key for result in inputs[MOTION].kept}
    found: dict[str, list[Result]] = {}
    for track in inputs[DISCOVER].kept:
        if track.key in moving:
            found.setdefault(track.figures["shot"], []).append(track)
    return found


def pair_key(first: str, second: str) -> str:
    """Key of two shots: of one with itself, its own."""
    return first if first == second else f"{first}~{second}"


def shot_of_track(key: str) -> str:
    """Key of the shot that a track is in."""
    return key.rpartition(".")[0]


def sample_step(root: Path, shot: str) -> int:
    """Frames from one sample of ``discover`` to the next."""
    return step_at(read_shots(root)[shot].fps, sample_rate(root))


def sample_rate(root: Path) -> float:
    """Samples a second that ``discover`` took."""
    from robustvos.files.stage import open_results

    return float(open_results(root, DISCOVER, complete=False).settings["fps"])


def step_at(fps: float, rate: float) -> int:
    """Frames from one sample to the next, at ``rate`` samples a second of a video.

    >>> step_at(24.3, 7), step_at(24.7, 7)
    (3, 4)
    """
    return max(1, round(fps / rate))


def on_grid(track: Track, step: int, name: str = "objects") -> np.ndarray:
    """Masks of a track at every sample from its first to its last, empty where it was not seen: ``(T, H, W)`` bool."""
    places = (track.frames - track.frames[0]) // step
    masks = np.zeros((int(places[-1]) + 1, *track.objects.shape[1:]), bool)
    masks[places] = getattr(track, name)
    return masks


def best_apart(scores: np.ndarray, count: int, apart: int) -> list[int]:
    """Indices of the highest scores above 0, each at least ``apart`` from a better one; ties: the earlier.

    >>> best_apart(np.array([0, 3, 4, 3, 0, 2]), 2, 2)
    [2, 5]
    """
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(kept) == count or scores[index] <= 0:
            break
        if all(abs(int(index) - other) >= apart for other in kept):
            kept.append(int(index))
    return kept


_SAME_VIEW_PX = 1.5
_SAME_LIGHT = 0.15


def differing_views(first: Shot, second: Shot, rate: float) -> dict[str, object] | None:
    """Why two shots cannot be put together: their sizes, frame rates, places or light; None if they can.

    Args:
        first: A shot.
        second: Another.
        rate: Samples a second that both were searched at: the same frames from one to the next, or they do not meet.
    """
    if first.key == second.key:
        return None
    from robustvos.realvas.clean_plate import exposure_gain
    from robustvos.realvas.static_camera import Registration

    if first.size != second.size:
        return {"sizes": [list(first.size), list(second.size)]}
    if abs(first.fps - second.fps) > 0.02 * first.fps or step_at(first.fps, rate) != step_at(second.fps, rate):
        return {"fps": [first.fps, second.fps]}
    _, share, moved = Registration(first.small_plate).similarity(second.small_plate)
    gain = exposure_gain(second.small_plate, first.small_plate)
    figures = {"inliers": round(share, 3), "moved": round(moved, 2), "light": [round(float(g), 3) for g in gain]}
    if share < 0.15 or moved > _SAME_VIEW_PX or np.abs(gain - 1).max() > _SAME_LIGHT:
        return {**figures, "limits": {"moved": _SAME_VIEW_PX, "light": _SAME_LIGHT}}
    return None
