"""Stage ``propagate``: masks at the native rate and size, in crops that follow the object.

Crops follow the boxes of the low-rate masks, linearly interpolated, with padding for the motion; from the first mask a backward
pass finds the frame in which the object really appears, and a forward pass the one in which it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from robustvos.errors import UserError
from robustvos.files.stage import Item, Outcome, Record, Rejection, Result, StageResults, Work
from robustvos.realvas.align import sample_step, shot_of_track
from robustvos.realvas.combine import COMBINE, current
from robustvos.realvas.depth_refinement import DEPTH_PICTURE, DepthRefiner
from robustvos.realvas.difference import DifferenceSettings, changed_with_effects, keep_components
from robustvos.realvas.discover import with_effects
from robustvos.realvas.filter import FILTER
from robustvos.realvas.fronts import fronts_of
from robustvos.realvas.motion import track_path
from robustvos.realvas.native_masks import Box, NativeMask, write_native_masks
from robustvos.realvas.pictures import box_of, disc, grow_box, resize_mask, shrink
from robustvos.realvas.plugins import EMBEDDED
from robustvos.realvas.shots import Shot, read_shots
from robustvos.realvas.split import kept_share, split_object, without_shadows
from robustvos.realvas.tracks import Track, correction_digest, read_track, touches_border
from robustvos.seeding import derive_seed

PROPAGATE = "propagate"
SEVERAL = "~several"
"""Ends the key of a track's masks of the frames that only combinations need."""
MASKS = "masks.npz"
_OUTLINE_DOUBT = 6.0
_SPLIT_SIDE = 360
"""Crops are split into object and effect at most at this size; the outline is then taken at the full one."""


@dataclass(frozen=True)
class PropagateSettings:
    """How native masks are made.

    Attributes:
        padding: Of the boxes, as a share of their longer side.
        jump: Change of area against the neighbours' median above which a mask is not trusted.
        difference: When a pixel counts as changed.
        seed: Of the split into object and effect.
        depth: Plugin whose maps take the scene behind out of the masks (A.3); ``contact_order`` has none.
    """

    padding: float = 0.2
    jump: float = 0.25
    difference: DifferenceSettings = field(default_factory=DifferenceSettings)
    seed: int = 0
    depth: str = EMBEDDED["depth"]


@dataclass
class Propagate:
    """One item a track that a kept candidate uses; and one more if combinations need frames of it that no candidate does.

    Attributes:
        root: Folder of the run.
        settings: How native masks are made.
    """

    root: Path
    settings: PropagateSettings = field(default_factory=PropagateSettings)
    name = PROPAGATE
    version = 3
    unit = "frame"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Every track that is to be behind or in front of another, with the frames for which it is needed.

        Raises:
            UserError: If ``discover`` was run again and has other tracks.
        """
        single = _spans(inputs[FILTER].kept)
        several = _spans(current(inputs[COMBINE].kept, inputs[FILTER].kept)) if COMBINE in inputs else {}
        tracks = {track.key: track.fingerprint for track in inputs["discover"].kept}
        for key, needed in single.items():
            if key not in tracks:
                raise UserError(
                    f"the candidates of 'filter' need track {key} that 'discover' does not have any more; run the stages from "
                    "'motion' and 'align' to 'filter' again"
                )
            held = {"track": tracks[key], "corrected": correction_digest(self.root, key)}
            yield Item(key, {**held, "spans": joined(needed)}, _length(needed))
            # Masks depend on which frames are asked for, so that those of single occluders stay what they are.
            if joined([*needed, *several.get(key, [])]) != joined(needed):
                yield Item(key + SEVERAL, {**held, "spans": joined(several[key])}, _length(several[key]))

    def run(self, item: Item, work: Work) -> Outcome:
        """See :class:`robustvos.files.stage.Stage`."""
        key = item.key.removesuffix(SEVERAL)
        shot = read_shots(self.root)[shot_of_track(key)]
        track = read_track(self.root, track_path(self.root, shot.key, key), key)
        if not len(track.frames):
            return Rejection("deleted", {})
        guide = Guide(track, shot, self.settings.padding)
        step = sample_step(self.root, shot.key)
        wanted = [t for start, stop in item.inputs["spans"] for t in range(max(0, start), min(shot.length, stop))]
        masks: dict[int, NativeMask] = {}
        kept: dict[int, float] = {}
        for t in guide.order(wanted, step):
            found = self._frame(shot, guide, t, key)
            if found is not None:
                masks[t], kept[t] = found
            elif not guide.covers(t):
                guide.end(t)
            work.advance(1 / max(1, len(wanted)))
        for t in misunderstood(kept):
            again = self._frame(shot, guide, t, key, by_edges=True)
            masks[t] = masks[t] if again is None else again[0]
        refiner = DepthRefiner.of(self.settings.depth, shot)
        if refiner is not None:
            masks = {t: refiner.refine(mask, t) for t, mask in masks.items()}
        masks = doubt_jumps(masks, self.settings.jump)
        if not masks:
            return Rejection("lost at native rate", {"frames": len(wanted)})
        write_native_masks(masks, work.folder / MASKS)
        if refiner is not None:
            refiner.write_picture(work.folder / DEPTH_PICTURE)
        return Record(
            {
                **({} if refiner is None else {"behind_removed": refiner.removed}),
                "frames": len(masks),
                "first": min(masks),
                "last": max(masks),
                "untrusted": sum(bool(mask.doubt) for mask in masks.values()),
            }
        )

    def _frame(
        self, shot: Shot, guide: Guide, t: int, key: str, *, by_edges: bool = False
    ) -> tuple[NativeMask, float] | None:
        """The mask, and the share of what has changed that it keeps."""
        box = guide.box(t)
        window = np.s_[box[1] : box[3], box[0] : box[2]]
        picture, plate, noise = shot.even(t)[window], shot.plate[window], shot.noise[window]
        settings = replace(self.settings.difference, min_share=self.settings.difference.min_share / 4)
        objects, everything = changed_with_effects(picture, plate, noise, settings)
        hint = guide.mask(t)[window]
        near = cv2.dilate(hint.astype(np.uint8), disc(max(3, 0.08 * max(hint.shape)))).astype(bool)
        merged = guide.is_merged(t)
        region = keep_components(objects, touching=hint) & (near if merged else True)
        if not region.any() or region.sum() < 0.15 * hint.sum():
            return None
        whole = with_effects(region, everything & near if merged else everything)
        seed = derive_seed(self.settings.seed, key, t)
        lit = without_shadows(whole, region, picture, plate)
        obj = split_at_full_size(picture, plate, lit, seed, by_edges=by_edges)
        if not obj.any():
            return None
        mask = NativeMask(box, obj, whole | obj)
        doubt = "merged" if merged else "border" if touches_border(mask.full(shot.size)) else ""
        return replace(mask, doubt=doubt), kept_share(obj, lit, picture, plate)


def masks_for(results: StageResults, track: str, *, several: bool) -> Result | None:
    """What there is of a track's masks: for combinations, those that were made for them, if they needed any; None: nothing."""
    found = {result.key: result for result in results.results}
    made = found.get(track + SEVERAL, found.get(track)) if several else found.get(track)
    return made if made is not None and made.kept else None


def _spans(clips: Iterable[Result]) -> dict[str, list[tuple[int, int]]]:
    """Frames of each track's shot that clips are made of."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for clip in clips:
        start, length = clip.figures["start"], clip.figures["length"]
        spans.setdefault(clip.figures["behind"], []).append((start, start + length))
        for front in fronts_of(clip.figures):
            spans.setdefault(front.track, []).append((start - front.delay, start - front.delay + length))
    return spans


def _length(spans: Iterable[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in joined(spans))


def misunderstood(kept: Mapping[int, float]) -> list[int]:
    """Frames whose split has lost much more than those around them: a man whose shirt, as grey as the street, is gone in some.

    Args:
        kept: Of each frame, the share of what has changed that was given to the object.

    Returns:
        Those below three quarters of the median of the twelve frames before and after.
    """
    frames = sorted(kept)
    shares = np.array([kept[t] for t in frames])
    return [t for k, t in enumerate(frames) if shares[k] < 0.75 * np.median(shares[max(0, k - 12) : k + 13])]


def split_at_full_size(
    frame: np.ndarray, plate: np.ndarray, region: np.ndarray, seed: int, *, by_edges: bool = False
) -> np.ndarray:
    """Split a large crop at a smaller size, and let the changed region draw the outline where they nearly agree.

    Returns:
        ``(H, W)`` bool, the object.
    """
    small, scene = shrink(frame, _SPLIT_SIDE), shrink(plate, _SPLIT_SIDE)
    if small.shape == frame.shape:
        return split_object(frame, plate, region, seed, by_edges=by_edges)
    coarse = split_object(small, scene, resize_mask(region, small.shape[:2]), seed, by_edges=by_edges)
    obj = resize_mask(coarse, region.shape)
    factor = max(frame.shape) / max(small.shape)
    rim = cv2.dilate(obj.astype(np.uint8), disc(1.5 * factor)).astype(bool) & region
    outside = cv2.erode((region & ~obj).astype(np.uint8), disc(1.5 * factor)).astype(bool)
    effect = cv2.dilate(outside.astype(np.uint8), disc(2.5 * factor)).astype(bool)
    whole: np.ndarray = (obj & region) | (rim & ~effect)
    return whole


class Guide:
    """Where a track is at any native frame, from its low-rate masks.

    Args:
        track: At the analysis size.
        shot: Its shot.
        padding: Of the boxes, as a share of their longer side.
    """

    def __init__(self, track: Track, shot: Shot, padding: float) -> None:
        self._track, self._shot, self._padding = track, shot, padding
        boxes = [box_of(region | obj) for region, obj in zip(track.regions, track.objects, strict=True)]
        self._boxes = np.array([box or (0, 0, 1, 1) for box in boxes], np.float64) / shot.factor
        self._ended: set[bool] = set()

    def covers(self, t: int) -> bool:
        """Whether ``t`` lies between two low-rate masks."""
        return bool(self._track.frames[0] <= t <= self._track.frames[-1])

    def order(self, wanted: list[int], step: int) -> Iterator[int]:
        """The wanted frames: forwards from the first mask, then backwards from it.

        Beyond the masks at most two samples, and no further once the object is gone.
        """
        first, last = int(self._track.frames[0]), int(self._track.frames[-1])
        for t in [t for t in wanted if t >= first] + [t for t in reversed(wanted) if t < first]:
            if (t > last and True in self._ended) or (t < first and False in self._ended):
                continue
            if first - 2 * step <= t <= last + 2 * step:
                yield t

    def end(self, t: int) -> None:
        """Note that the object is gone at ``t``, before or after its masks."""
        self._ended.add(bool(t > self._track.frames[-1]))

    def box(self, t: int) -> Box:
        """The crop at frame ``t``."""
        frames = self._track.frames
        values = [float(np.interp(t, frames, self._boxes[:, k])) for k in range(4)]
        if not self.covers(t):
            values = list(np.array(values) + np.tile(self._drift(t) / self._shot.factor, 2))
        width, height = values[2] - values[0], values[3] - values[1]
        k = int(np.clip(np.searchsorted(frames, t), 1, max(1, len(frames) - 1)))
        speed = np.abs(self._boxes[min(k, len(frames) - 1)] - self._boxes[k - 1]).max()
        margin = round(max(12.0, self._padding * max(width, height), 0.5 * speed))
        x0, y0 = int(np.floor(values[0])), int(np.floor(values[1]))
        grown = grow_box((x0, y0, int(np.ceil(values[2])), int(np.ceil(values[3]))), margin, self._shot.size)
        # A drifting box may have left the frame.
        return (min(grown[0], grown[2] - 1), min(grown[1], grown[3] - 1), max(grown[2], 1), max(grown[3], 1))

    def mask(self, t: int) -> np.ndarray:
        """The nearest low-rate masks, moved to where the object should be: ``(H, W)`` bool at the shot's size."""
        k = int(np.clip(np.searchsorted(self._track.frames, t), 0, len(self._track.frames) - 1))
        sides = {k, max(0, k - 1)} if self.covers(t) and self._track.frames[k] != t else {k}
        moved = [self._moved(side, t) for side in sides]
        return resize_mask(np.logical_or.reduce(moved), self._shot.size)

    def is_merged(self, t: int) -> bool:
        """Whether a low-rate mask next to ``t`` was cut out of a region shared with another track."""
        k = int(np.clip(np.searchsorted(self._track.frames, t), 0, len(self._track.frames) - 1))
        near = [k] if self._track.frames[k] == t else [max(0, k - 1), k]
        return bool(self._track.merged[near].any())

    def _moved(self, k: int, t: int) -> np.ndarray:
        here = self._centre(t)
        shift = here - self._centre(int(self._track.frames[k]))
        mask = self._track.objects[k].astype(np.uint8)
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        return cv2.warpAffine(mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST).astype(bool)

    def _centre(self, t: int) -> np.ndarray:
        """At the analysis size, extrapolated beyond the masks."""
        frames, boxes = self._track.frames, self._boxes * self._shot.factor
        centres = np.stack([boxes[:, [0, 2]].mean(1), boxes[:, [1, 3]].mean(1)], axis=1)
        inside = np.array([np.interp(t, frames, centres[:, k]) for k in range(2)])
        return inside if self.covers(t) else inside + self._drift(t)

    def _drift(self, t: int) -> np.ndarray:
        """Movement beyond the masks, at the speed of the outermost two: ``(2,)`` at the analysis size."""
        frames = self._track.frames
        if len(frames) < 2:
            return np.zeros(2)
        ends = (0, 1) if t < frames[0] else (-2, -1)
        centres = self._boxes[list(ends)].reshape(2, 2, 2).mean(axis=1) * self._shot.factor
        speed = (centres[1] - centres[0]) / (frames[ends[1]] - frames[ends[0]])
        drift: np.ndarray = speed * (t - frames[0] if t < frames[0] else t - frames[-1])
        return drift


def joined(spans: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Intervals with those that meet made one.

    >>> joined([(5, 9), (0, 3), (2, 4)])
    [[0, 4], [5, 9]]
    """
    made: list[list[int]] = []
    for start, stop in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1][1] = max(made[-1][1], stop)
        else:
            made.append([start, stop])
    return made


def doubt_jumps(masks: dict[int, NativeMask], jump: float) -> dict[int, NativeMask]:
    """Mark masks whose area differs from the median of their neighbours by more than ``jump``."""
    frames = sorted(masks)
    areas = np.array([masks[t].obj.sum() for t in frames], float)
    marked = dict(masks)
    for k, t in enumerate(frames):
        around = np.median(areas[max(0, k - 4) : k + 5])
        # The outline of a small object changes its area more than that of a large one.
        if not masks[t].doubt and abs(areas[k] - around) > jump * around + _OUTLINE_DOUBT * around**0.5:
            marked[t] = replace(masks[t], doubt="area jumps")
    return marked
