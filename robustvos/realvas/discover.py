"""Stage ``discover``: what moves in a shot, as tracks of masks at a few frames a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robustvos.files.stage import Item, Outcome, Record, Rejection, StageResults, Work
from robustvos.realvas.association import AssociationSettings, Associator, RawTrack
from robustvos.realvas.clean_plate import outline_ownership
from robustvos.realvas.difference import DifferenceSettings, changed_with_effects, effect_share
from robustvos.realvas.fragments import join_fragments
from robustvos.realvas.named_objects import detect, detected_objects, name_of
from robustvos.realvas.plugins import EMBEDDED, plugin
from robustvos.realvas.shots import INGEST, Shot, SmallFrames, shot_of
from robustvos.realvas.split import split_object, without_shadows
from robustvos.realvas.tracks import Track, touches_border, write_track
from robustvos.seeding import derive_seed

DISCOVER = "discover"


@dataclass(frozen=True)
class DiscoverSettings:
    """What counts as an object.

    Attributes:
        fps: Samples per second; the paper has 1 to 3, fast movers need more.
        min_seconds: Shorter tracks are left out.
        min_area: So are objects whose median area is below this, in pixels of the video.
        min_revealed: Share of the pixels under a track's masks that must be seen without any object ...
        revealed_in: ... in this many samples, so that the plate can be right there.
        max_effect: Share of a track's pixels, in its median frame, that may be the scene in another light.
        max_ghosts: Share of a track's frames in which the edges along its outline may be the plate's.
        difference: When a pixel counts as changed.
        association: Who is who.
        seed: Of the split into object and effect.
        detector: Plugin that says where objects are; ``plate_difference``: whatever differs from the plate.
    """

    fps: float = 6.0
    min_seconds: float = 1.0
    min_area: int = 300
    min_revealed: float = 0.9
    revealed_in: int = 5
    max_effect: float = 0.6
    max_ghosts: float = 0.5
    difference: DifferenceSettings = field(default_factory=DifferenceSettings)
    association: AssociationSettings = field(default_factory=AssociationSettings)
    seed: int = 0
    detector: str = EMBEDDED["detector"]


@dataclass(frozen=True)
class _Doubts:
    """Share of frames in which the outline's edges are the plate's; share of pixels that may be the scene in another light.

    ``label`` is what a detector that knows names calls the track, else empty.
    """

    ghosts: float
    effect: float
    label: str = ""


@dataclass
class _Parts:
    """What is known of a track, sample by sample."""

    objects: list[np.ndarray] = field(default_factory=list)
    regions: list[np.ndarray] = field(default_factory=list)
    ghosts: int = 0
    effects: list[float] = field(default_factory=list)

    def add(self, obj: np.ndarray, region: np.ndarray, ghost: bool, effect: float) -> None:
        self.objects.append(obj)
        self.regions.append(region)
        self.ghosts += ghost
        self.effects.append(effect)

    def joined(self, raw: RawTrack, frames: list[int]) -> tuple[Track, _Doubts]:
        track = Track(
            np.array([frames[s] for s in raw.samples]),
            np.stack(self.objects),
            np.stack(self.regions),
            np.array(raw.merged),
            np.array([touches_border(mask) for mask in self.objects]),
        )
        return track, _Doubts(self.ghosts / len(raw.samples), float(np.median(self.effects)))


@dataclass
class Discover:
    """One item a shot, one outcome a track.

    Attributes:
        root: Folder of the run.
        settings: What counts as an object.
    """

    root: Path
    settings: DiscoverSettings = field(default_factory=DiscoverSettings)
    name = DISCOVER
    version = 4
    unit = "frame"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Every shot that ``ingest`` kept."""
        return [
            Item(shot.key, {"shot": shot.fingerprint}, shot.figures["frames"] / shot.figures["fps"] * self.settings.fps)
            for shot in inputs[INGEST].kept
        ]

    def run(self, item: Item, work: Work) -> Sequence[Outcome]:
        """See :class:`robustvos.files.stage.Stage`."""
        from robustvos.files.stage import open_results

        (record,) = [r for r in open_results(self.root, INGEST, complete=False).kept if r.key == item.key]
        shot = shot_of(record, self.root)
        frames = sample_frames(shot, self.settings.fps)
        tracks, free = self._follow(shot, frames, work)
        outcomes: list[Outcome] = []
        for number, (track, doubts) in enumerate(tracks):
            key = f"{shot.key}.t{number:03d}"
            outcome = self._judge(shot, track, doubts, free, key)
            if isinstance(outcome, Record):
                write_track(track, work.folder / f"{key}.npz")
            outcomes.append(outcome)
        return outcomes

    def _follow(self, shot: Shot, frames: list[int], work: Work) -> tuple[list[tuple[Track, _Doubts]], np.ndarray]:
        """The tracks with what speaks against them, and in how many samples each pixel is free."""
        associator = Associator(self.settings.association)
        everything: list[np.ndarray] = []
        free = np.zeros(shot.small_size, np.int32)
        detector, detections = plugin("detector", self.settings.detector), []
        if detector is not None:
            detections = detect(detector, SmallFrames(shot, frames))
        for sample, picture in enumerate(shot.small(frames)):
            objects, effects = changed_with_effects(
                picture, shot.small_plate, shot.small_noise, self.settings.difference
            )
            associator.add(sample, detected_objects(detections[sample], objects) if detections else objects)
            free += ~(objects | effects)
            everything.append(np.packbits(objects | effects, axis=-1))
            work.advance(0.5 / len(frames))
        least = max(3, round(self.settings.min_seconds * self.settings.fps))
        long = [track for track in join_fragments(associator.tracks) if len(track.samples) >= least]
        found = []
        for raw, (track, doubts) in zip(long, self._refine(shot, long, frames, everything, work), strict=True):
            label = name_of(raw.regions, [detections[s] for s in raw.samples]) if detections else ""
            found.append((track, replace(doubts, label=label)))
        return found, free

    def _refine(
        self, shot: Shot, tracks: list[RawTrack], frames: list[int], everything: list[np.ndarray], work: Work
    ) -> list[tuple[Track, _Doubts]]:
        """Split object and effects in each sample of some tracks; pictures are read again, one at a time."""
        at: dict[int, list[tuple[int, np.ndarray]]] = {}
        for number, raw in enumerate(tracks):
            for sample, region in zip(raw.samples, raw.regions, strict=True):
                at.setdefault(sample, []).append((number, region))
        parts = [_Parts() for _ in tracks]
        samples, scene = sorted(at), shot.small_plate
        for sample, picture in zip(samples, shot.small(frames[s] for s in samples), strict=True):
            changed = np.unpackbits(everything[sample], axis=-1, count=shot.small_size[1]).astype(bool)
            for number, region in at[sample]:
                whole = with_effects(region, changed)
                seed = derive_seed(self.settings.seed, shot.key, number, frames[sample])
                obj = split_object(picture, scene, without_shadows(whole, region, picture, scene), seed)
                ghost = outline_ownership(picture, scene, region) < 1.0
                parts[number].add(obj, whole, ghost, effect_share(picture, scene, obj))
            work.advance(0.5 / len(samples))
        return [made.joined(raw, frames) for made, raw in zip(parts, tracks, strict=True)]

    def _judge(self, shot: Shot, track: Track, doubts: _Doubts, free: np.ndarray, key: str) -> Outcome:
        areas = track.objects.sum(axis=(1, 2)) / shot.factor**2
        seen = np.broadcast_to(free >= self.settings.revealed_in, track.objects.shape)[track.objects]
        figures: dict[str, Any] = {
            "shot": shot.key,
            "camera": shot.camera,
            "role": shot.role,
            "samples": len(track.frames),
            "first": int(track.frames[0]),
            "last": int(track.frames[-1]),
            "seconds": round(float(track.frames[-1] - track.frames[0]) / shot.fps, 2),
            "area": round(float(np.median(areas)), 1),
            "revealed": round(float(seen.mean()) if len(seen) else 0.0, 3),
            "ghosts": round(doubts.ghosts, 3),
            "effect": round(doubts.effect, 3),
            "merged": int(track.merged.sum()),
            "border": int(track.border.sum()),
            **({"label": doubts.label} if doubts.label else {}),
        }
        if figures["area"] < self.settings.min_area:
            return Rejection("small object", figures | {"at_least": self.settings.min_area}, key)
        if figures["revealed"] < self.settings.min_revealed:
            return Rejection("never reveals the scene", figures | {"at_least": self.settings.min_revealed}, key)
        if figures["ghosts"] > self.settings.max_ghosts:
            return Rejection("burnt into the plate", figures | {"at_most": self.settings.max_ghosts}, key)
        if figures["effect"] > self.settings.max_effect:
            return Rejection("shadow without object", figures | {"at_most": self.settings.max_effect}, key)
        return Record(figures, key)


def sample_frames(shot: Shot, fps: float) -> list[int]:
    """Frames of the shot at about ``fps`` a second, evenly spaced."""
    return list(range(0, shot.length, max(1, round(shot.fps / fps))))


def with_effects(region: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """A region with the changed pixels that hang together with it: shadows and reflections.

    Args:
        region: ``(H, W)`` bool.
        changed: ``(H, W)`` bool, everything that differs from the plate.

    Returns:
        ``(H, W)`` bool; nothing farther than half the region's width to the sides, or a quarter of its height up and down.
    """
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    near = np.zeros_like(region)
    near[
        max(0, rows[0] - height // 4) : rows[-1] + 1 + height // 4,
        max(0, columns[0] - width // 2) : columns[-1] + 1 + width // 2,
    ] = True
    _, labels = cv2.connectedComponents((changed & near).astype(np.uint8) | region.astype(np.uint8), connectivity=8)
    return np.isin(labels, np.unique(labels[region]))
