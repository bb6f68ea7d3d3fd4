"""Stage ``filter``: which candidates are plausible, worth while, and new. Each rejection says why, with figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robustvos.files.stage import Item, Outcome, Record, Rejection, Result, StageResults, Work, open_results
from robustvos.realvas.align import ALIGN, shot_of_track
from robustvos.realvas.depth_order import depth_on_top, depth_order
from robustvos.realvas.discover import DISCOVER
from robustvos.realvas.order import Order, contact_order, on_top, relative_speed, size_order
from robustvos.realvas.placed import Pairing
from robustvos.realvas.plugins import EMBEDDED
from robustvos.realvas.scene import Scene
from robustvos.realvas.tracks import correction_digest
from robustvos.realvas.window import NoWindow, Window, find_window

FILTER = "filter"


@dataclass(frozen=True)
class FilterSettings:
    """What a candidate must hold.

    Attributes:
        dead_zone: Gap between the two contacts that decides nothing, as a share of the frame's height.
        agreement: Share of the overlap in which the order must be the same.
        order: ``contact``, or ``given`` by the roles of the two recordings.
        depth: Plugin that says who is nearer; ``contact_order``: where both stand on the ground.
        hidden_contact: What becomes of pairs whose contacts the scene hides: ``review`` or ``reject``.
        collisions: Samples in which the two may stand in one place.
        min_passing: Where it is not known whether they do: speed at least at which they pass each other, in frame diagonals a
            second. Cars that drive through each other and things put down at one spot had .04 to .10, passes that look right
            .11 to .33 (19 pairs of four videos, judged by eye; the limit was set on the same). Below one and a half times this
            no pair is clear, whatever the contacts say: one car close behind another on one path had .081.
        min_occlusion: Largest share of the occludee that must be covered at least.
        min_frames: Frames in which more than a twentieth of it is covered.
        min_length: Frames of the clip.
        same_interval: Overlap (IoU) in time of two occlusions of one pair above which they are one; of the occlusions alone,
            which are shorter than the clips, hence above the usual .5.
        same_look: Cosine of the masks during both, of occludees and occluders each, above which they are one.
        per_shots: Clips kept of a pair of shots.
    """

    dead_zone: float = 0.017
    agreement: float = 0.9
    order: str = "contact"
    depth: str = EMBEDDED["depth"]
    hidden_contact: str = "review"
    collisions: int = 2
    min_passing: float = 0.08
    min_occlusion: float = 0.3
    min_frames: int = 5
    min_length: int = 14
    same_interval: float = 0.7
    same_look: float = 0.95
    per_shots: int = 20


@dataclass
class Filter:
    """One item a pair of shots, one outcome a candidate.

    Attributes:
        root: Folder of the run.
        settings: What a candidate must hold.
    """

    root: Path
    settings: FilterSettings = field(default_factory=FilterSettings)
    name = FILTER
    version = 3
    unit = "candidate"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Pairs of shots with candidates."""
        by_item: dict[str, list[Result]] = {}
        for candidate in inputs[ALIGN].kept:
            by_item.setdefault(candidate.item, []).append(candidate)
        found = inputs[DISCOVER]
        for key, candidates in by_item.items():
            shots = {shot_of_track(candidates[0].figures[side]) for side in ("first", "second")}
            tracks = [track for track in found.kept if track.figures["shot"] in shots]
            held = {track.key: [track.fingerprint, correction_digest(self.root, track.key)] for track in tracks}
            yield Item(key, {"candidates": candidates[0].fingerprint, "tracks": held}, len(candidates))

    def run(self, item: Item, work: Work) -> Sequence[Outcome]:
        """See :class:`robustvos.files.stage.Stage`."""
        candidates = [r for r in open_results(self.root, ALIGN, complete=False).kept if r.item == item.key]
        scene = Scene.load(self.root, sorted(item.inputs["tracks"]), self.settings.depth)
        judged: list[tuple[Result, _Clip | NoWindow]] = []
        for candidate in candidates:
            judged.append((candidate, self._judge(candidate, scene)))
            work.advance(0.9 / len(candidates))
        return self._choose(judged)

    def _judge(self, candidate: Result, scene: Scene) -> _Clip | NoWindow:
        keys = [candidate.figures[side] for side in ("first", "second")]
        deleted = sorted(key for key in set(keys) if key not in scene.tracks)
        if deleted:
            return NoWindow("deleted", {"tracks": ", ".join(deleted)})
        first, second = (scene.tracks[key] for key in keys)
        step, shift = candidate.figures["step"], candidate.figures["shift"] // candidate.figures["step"]
        shot = scene.shots[first.shot]
        ordered = self._order(Pairing.of(first, second, shift), scene)
        if isinstance(ordered, NoWindow):
            return ordered
        front, figures, doubts = ordered
        pairing = Pairing.of(first, second, shift) if front == "second" else Pairing.of(second, first, -shift)
        behind_others, front_others = (scene.others(track) for track in (pairing.behind, pairing.front))
        window = find_window(pairing, behind_others, front_others, first.shot == second.shot, step / shot.fps)
        if isinstance(window, NoWindow):
            return replace(window, figures=figures | window.figures)
        clip = _Clip(pairing, window, figures, tuple(doubts), step, shot.fps)
        return self._enough(clip, scene)

    def _order(self, pairing: Pairing, scene: Scene) -> tuple[str, dict[str, Any], list[str]] | NoWindow:
        """Who is in front, what was measured, and what is left to the review."""
        roles = (pairing.behind.role, pairing.front.role)
        order = measured_order(pairing, scene, self.settings)
        if self.settings.order == "given" or "any" not in roles:
            front = "first" if roles[0] == "occluder" or roles[1] == "occludee" else "second"
            contradicted = order.front not in (None, front)
            return front, order.figures, [f"order against {order.reason}"] if contradicted else []
        if order.front is not None:
            return order.front, order.figures, []
        if order.reason == "hidden contact" and self.settings.hidden_contact == "review":
            return size_order(pairing, 1.1), order.figures, ["contact hidden by the scene"]
        return NoWindow(order.reason, order.figures)

    def _enough(self, clip: _Clip, scene: Scene) -> _Clip | NoWindow:
        """Checks that need the window."""
        shares = clip.pairing.shares[clip.window.span]
        frames, covered = clip.frames, int((shares > 0.05).sum() * clip.step)
        figures = clip.figures | {
            "max_occlusion": round(float(shares.max()), 3),
            "occluded_frames": covered,
            "frames": frames,
        }
        if frames < self.settings.min_length:
            return NoWindow("short", figures | {"at_least": self.settings.min_length})
        if shares.max() < self.settings.min_occlusion or covered < self.settings.min_frames:
            least = {"min_occlusion": self.settings.min_occlusion, "min_frames": self.settings.min_frames}
            return NoWindow("too little occlusion", figures | least)
        apart = standing_apart(clip.pairing, clip.window, scene, self.settings, clip.fps / clip.step, clip.doubts)
        if isinstance(apart, NoWindow):
            return replace(apart, figures=figures | apart.figures)
        return replace(clip, figures=figures | apart.figures, doubts=apart.doubts)

    def _choose(self, judged: Sequence[tuple[Result, _Clip | NoWindow]]) -> list[Outcome]:
        """Turn verdicts into outcomes; those that pass are compared with better ones."""
        clips = [(candidate, clip) for candidate, clip in judged if isinstance(clip, _Clip)]
        outcomes: list[Outcome] = [
            Rejection(verdict.reason, {**candidate.figures, **verdict.figures}, candidate.key)
            for candidate, verdict in judged
            if isinstance(verdict, NoWindow)
        ]
        clips.sort(key=lambda pair: (bool(pair[1].doubts), -pair[1].interest, pair[0].key))
        kept: list[tuple[Result, _Clip]] = []
        for candidate, clip in clips:
            like = next((other.key for other, made in kept if self._alike(clip, made)), None)
            figures = {**candidate.figures, **clip.figures}
            if like is not None:
                outcomes.append(Rejection("like another", figures | {"like": like}, candidate.key))
            elif len(kept) >= self.settings.per_shots:
                outcomes.append(Rejection("beyond the number", figures | {"per_shots": len(kept)}, candidate.key))
            else:
                kept.append((candidate, clip))
                outcomes.append(Record(figures | clip.description | {"rank": len(kept) - 1}, candidate.key))
        return outcomes

    def _alike(self, one: _Clip, other: _Clip) -> bool:
        pairs = [{clip.pairing.behind.key, clip.pairing.front.key} for clip in (one, other)]
        if pairs[0] == pairs[1] and one.interval_iou(other) > self.settings.same_interval:
            return True
        return one.behind_shot == other.behind_shot and one.look_like(other) > self.settings.same_look


def measured_order(pairing: Pairing, scene: Scene, settings: FilterSettings) -> Order:
    """Who of a pair is in front, by the chosen depth plugin or by where both stand."""
    if scene.nearness:
        return depth_order(pairing, scene.nearness_of(pairing), settings.agreement)
    height = scene.shots[pairing.behind.shot].small_size[0]
    return contact_order(pairing, settings.dead_zone, settings.agreement, height)


@dataclass(frozen=True)
class Apart:
    """A pair that need not stand in one place.

    Attributes:
        figures: What was measured.
        doubts: Those that there were, and one more if only a person can tell.
    """

    figures: dict[str, Any]
    doubts: tuple[str, ...]


def standing_apart(
    pairing: Pairing,
    window: Window,
    scene: Scene,
    settings: FilterSettings,
    samples_per_second: float,
    doubts: tuple[str, ...] = (),
) -> Apart | NoWindow:
    """Would the two stand in one place? A pair of which something else is doubted is left to the review, too."""
    size = scene.shots[pairing.behind.shot].small_size
    verdict, measured = on_top(pairing, scene.horizons[pairing.behind.shot], size, settings.collisions)
    passing = relative_speed(pairing, window.start, window.stop) * samples_per_second / np.hypot(*size)
    if scene.nearness:
        verdict = depth_on_top(pairing, scene.nearness_of(pairing), settings.collisions)
    if verdict == "clear" and passing < 1.5 * settings.min_passing:
        verdict = "undecidable"
    figures = {"on_top": verdict, **measured, "passing": round(float(passing), 4)}
    if verdict != "clear" and passing < settings.min_passing:
        return NoWindow("on top", figures | {"at_least": settings.min_passing})
    if verdict == "on top" and not doubts:
        return NoWindow("on top", figures)
    return Apart(figures, doubts if verdict == "clear" else (*doubts, "on top not decidable without depth"))


@dataclass(frozen=True)
class _Clip:
    """A candidate that has passed so far."""

    pairing: Pairing
    window: Window
    figures: dict[str, Any]
    doubts: tuple[str, ...]
    step: int
    fps: float

    @property
    def behind_shot(self) -> str:
        return self.pairing.behind.shot

    @property
    def start(self) -> int:
        """First frame in the occludee's shot."""
        return (self.pairing.behind.start + self.window.start) * self.step

    @property
    def frames(self) -> int:
        """The last sample's frame included."""
        return (self.window.stop - self.window.start - 1) * self.step + 1

    @property
    def interest(self) -> float:
        """How much is hidden for how long; wholly hidden counts most."""
        shares = self.pairing.shares[self.window.span]
        return float(shares.max() + 0.5 * np.mean(shares > 0.05))

    @property
    def description(self) -> dict[str, Any]:
        """What later stages need."""
        return {
            "behind": self.pairing.behind.key,
            "front": self.pairing.front.key,
            "behind_shot": self.pairing.behind.shot,
            "front_shot": self.pairing.front.shot,
            "delay": self.pairing.shift * self.step,
            "start": self.start,
            "length": self.frames,
            "doubts": list(self.doubts),
            "needs_review": bool(self.doubts),
        }

    @property
    def event(self) -> tuple[int, int]:
        """First frame of the occlusion in the occludee's shot, and the frame after the last."""
        during = np.flatnonzero(self.pairing.shares[self.window.span] > 0.05) * self.step
        return self.start + int(during[0]), self.start + int(during[-1]) + self.step

    def interval_iou(self, other: _Clip) -> float:
        """Of the frames of the occludees' shot in which they are occluded; 0 for another shot."""
        if self.behind_shot != other.behind_shot:
            return 0.0
        (a, b), (c, d) = self.event, other.event
        common = max(0, min(b, d) - max(a, c))
        return common / (b - a + d - c - common)

    def look_like(self, other: _Clip) -> float:
        """The smaller of two cosines: of occludees and of occluders, each the mean of its masks while the one is occluded."""
        pairs = zip(self._looks(), other._looks(), strict=True)
        return min(float((a * b).sum() / max(1e-9, np.sqrt((a**2).sum() * (b**2).sum()))) for a, b in pairs)

    def _looks(self) -> list[np.ndarray]:
        span = self.window.span
        during = self.pairing.shares[span] > 0.05
        front = self.pairing.front_at(self.pairing.front.masks, False)
        return [
            cv2.resize(masks[span][during].mean(axis=0, dtype=np.float32), (32, 32), interpolation=cv2.INTER_AREA)
            for masks in (self.pairing.behind.masks, front)
        ]
