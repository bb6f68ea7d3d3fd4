"""Stage ``composite``: clips in the native format, with exact masks of the occludee, whole and seen."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robustvos.files.stage import Item, Outcome, Record, Rejection, Result, StageResults, Work, open_results
from robustvos.realvas.amounts import amounts_of
from robustvos.realvas.combine import COMBINE, current
from robustvos.realvas.filter import FILTER
from robustvos.realvas.fronts import Front, fronts_of
from robustvos.realvas.layers import Layer, composite, cut_layer
from robustvos.realvas.matte import chosen_matte
from robustvos.realvas.native_masks import NativeMask, read_native_masks
from robustvos.realvas.pictures import ANALYSIS_SIDE
from robustvos.realvas.propagate import MASKS, PROPAGATE, masks_for
from robustvos.realvas.shots import Shot, read_shots
from robustvos.realvas.window import CLEAN_SHARE
from robustvos.video.native_writer import write_native_clip

COMPOSITE = "composite"
_SHADED = 0.97


@dataclass(frozen=True)
class CompositeSettings:
    """How clips are made.

    Attributes:
        matte: ``closed_form``, ``guided`` or ``binary``, or another matte plugin.
        effects: ``unmixed``, ``equation1`` or ``none``.
        min_occlusion: Largest share of the occludee that must be covered, as in ``filter``, now exactly.
        min_length: Frames.
        max_untrusted: Share of the frames whose amodal mask may be doubted, those not counted in which it leaves the frame.
        quality: Of the JPEGs.
    """

    matte: str = "closed_form"
    effects: str = "unmixed"
    min_occlusion: float = 0.3
    min_length: int = 14
    max_untrusted: float = 0.3
    quality: int = 95


@dataclass
class Composite:
    """One item a candidate that ``filter`` kept, or a combination of such. A clip lies in ``<root>/composite/<its key>``.

    Attributes:
        root: Folder of the run.
        settings: How clips are made.
    """

    root: Path
    settings: CompositeSettings = field(default_factory=CompositeSettings)
    name = COMPOSITE
    version = 1
    unit = "frame"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Kept candidates and combinations whose tracks have native masks."""
        several = current(inputs[COMBINE].kept, inputs[FILTER].kept) if COMBINE in inputs else ()
        for clip in (*inputs[FILTER].kept, *several):
            is_several = "fronts" in clip.figures
            tracks = [clip.figures["behind"], *(front.track for front in fronts_of(clip.figures))]
            masks = [masks_for(inputs[PROPAGATE], track, several=is_several) for track in tracks]
            held = [made for made in masks if made is not None]
            if len(held) == len(tracks):
                inside = {"candidate": clip.figures, "masks": [made.fingerprint for made in held]}
                folders = {"folders": [made.item for made in held]} if is_several else {}
                yield Item(clip.key, inside | folders, clip.figures["length"])

    def run(self, item: Item, work: Work) -> Outcome:
        """See :class:`robustvos.files.stage.Stage`."""
        figures = item.inputs["candidate"]
        shots = read_shots(self.root)
        fronts = fronts_of(figures)
        named = item.inputs.get("folders", [figures["behind"], *(front.track for front in fronts)])
        masks = [read_native_masks(self.root / PROPAGATE / name / MASKS) for name in named]
        occluders = [
            Occluder(front, replace(shots[front.shot]), held, self.settings.matte)
            for front, held in zip(fronts, masks[1:], strict=True)
        ]  # each with a decoder of its own: places of one file are read in turn
        made = Clip(shots[figures["behind_shot"]], masks[0], tuple(occluders), self.settings)
        start, stop = made.trim(figures["start"], figures["start"] + figures["length"])
        length = {"frames": stop - start, "at_least": self.settings.min_length}
        if stop - start < self.settings.min_length:
            return Rejection("no clean start at native rate", length)
        truth = Truth()
        target = work.folder / "clip"
        write_native_clip(
            target,
            made.frames(range(start, stop), truth, work, stop - start),
            truth.taken("modal"),
            truth.taken("amodal"),
            category="occlusion",
            quality=self.settings.quality,
            **self._details(figures, made, start, truth),
        )
        for entry in list(target.iterdir()):
            entry.rename(work.folder / entry.name)
        target.rmdir()
        outcome = self._judge(figures, made, start, truth)
        if isinstance(outcome, Rejection):
            for entry in list(work.folder.iterdir()):
                _remove(entry)
        return outcome

    def _details(self, figures: Mapping[str, Any], made: Clip, start: int, truth: Truth) -> dict[str, Any]:
        """Entries of ``annos.json``; the truth's list fills while frames are written."""
        nearest_first = enumerate(reversed(made.occluders), start=1)
        sides = {"behind": _side(figures["behind"], made.behind, start)} | {
            "front" if number == 1 else f"front_{number}": _side(o.front.track, o.shot, start - o.front.delay)
            for number, o in nearest_first
        }
        return {
            "fps": made.behind.fps,
            "camera": "static",
            "provenance": sides,
            "settings": {"matte": self.settings.matte, "effects": self.settings.effects},
            "needs_review": figures["needs_review"],
            "doubts": figures["doubts"],
            "untrusted": truth.untrusted,
        }

    def _judge(self, figures: Mapping[str, Any], made: Clip, start: int, truth: Truth) -> Outcome:
        shares = np.array(truth.shares)
        measured = {
            "start": start,
            "frames": len(shares),
            "fps": made.behind.fps,
            "size": list(made.behind.size),
            "category": "occlusion",
            **amounts_of(shares),
            "hidden_frames": int((shares >= 1.0).sum()),
            "untrusted": len(truth.untrusted),
            "object": figures["behind"],
            "occluder": made.occluders[-1].front.track,
            "delay": made.occluders[-1].front.delay,
            **_several(made.occluders),
            "needs_review": figures["needs_review"],
            "doubts": figures["doubts"],
            "rank": figures["rank"],
        }
        if shares.max() < self.settings.min_occlusion:
            return Rejection(
                "too little occlusion at native rate", measured | {"at_least": self.settings.min_occlusion}
            )
        wrong = sum(entry["why"] != "border" for entry in truth.untrusted)  # what is left of it in the frame is exact
        if wrong > self.settings.max_untrusted * len(shares):
            return Rejection(
                "truth not to be trusted", measured | {"wrong": wrong, "at_most": self.settings.max_untrusted}
            )
        met = [pair for pair in figures.get("undecided", []) if truth.met.get((pair[0], pair[1]))]
        if met:
            pixels = {"met": met, "pixels": [truth.met[a, b] for a, b in met]}
            return Rejection("occluders meet at native rate", measured | pixels)
        return Record(measured)


def _several(occluders: Sequence[Occluder]) -> dict[str, Any]:
    """All occluders where there are several, the farthest first."""
    if len(occluders) == 1:
        return {}
    return {"occluders": [o.front.track for o in occluders], "delays": [o.front.delay for o in occluders]}


def _side(track: str, shot: Shot, first: int) -> dict[str, Any]:
    """Where an object was taken from; ``first``: the clip's first frame, in its shot."""
    return {
        "track": track,
        "shot": shot.key,
        "source": shot.source.name,
        "first_frame": shot.view.start + first,
        "crop": shot.view.crop and list(shot.view.crop),
    }


@dataclass
class Truth:
    """What is known of the frames that were written, in order.

    Attributes:
        masks: The last frame's masks by name, ``(H, W)`` bool tensors.
        shares: Share of the occludee that is covered, a frame each.
        untrusted: ``{"frame": ..., "why": ...}`` for each frame whose amodal mask is not to be trusted.
        met: Pixels, of all frames, that two occluders both cover, by their positions.
    """

    masks: dict[str, torch.Tensor] = field(default_factory=dict)
    shares: list[float] = field(default_factory=list)
    untrusted: list[dict[str, Any]] = field(default_factory=list)
    met: dict[tuple[int, int], int] = field(default_factory=dict)

    def taken(self, name: str) -> Iterator[torch.Tensor]:
        """A mask of each frame, asked for after the frame itself."""
        while self.masks:
            yield self.masks[name]

    def note_meetings(self, laid: Sequence[np.ndarray]) -> None:
        """Count what the occluders of a frame, ``(H, W)`` bool each, cover of one another."""
        for a, b in itertools.combinations(range(len(laid)), 2):
            self.met[a, b] = self.met.get((a, b), 0) + int((laid[a] & laid[b]).sum())


@dataclass(frozen=True)
class Occluder:
    """What passes in front, asked for by the frames of the occludee's shot.

    Attributes:
        front: Its track, and its delay.
        shot: Of it.
        masks: By frame of its shot.
        matte: How its edges are made soft.
    """

    front: Front
    shot: Shot
    masks: Mapping[int, NativeMask]
    matte: str

    def mask(self, t: int) -> NativeMask | None:
        """None where it is not there."""
        return self.masks.get(t - self.front.delay)

    def layer(self, t: int) -> Layer | None:
        """None where it is not there."""
        mask = self.mask(t)
        if mask is None:
            return None
        frame, plate = self.shot.even(t - self.front.delay)[mask.window], self.shot.plate[mask.window]
        scale = max(1.0, max(self.shot.size) / ANALYSIS_SIDE)
        alpha = chosen_matte(frame, plate, mask.obj, self.matte, scale)
        return cut_layer(frame, plate, alpha, mask.region & ~mask.obj, mask.window, scale)


@dataclass(frozen=True)
class Clip:
    """An occludee and its occluders.

    Attributes:
        behind: Shot of the occludee.
        behind_masks: Of the occludee, by frame of its shot.
        occluders: The farthest first.
        settings: How it is made.
    """

    behind: Shot
    behind_masks: Mapping[int, NativeMask]
    occluders: tuple[Occluder, ...]
    settings: CompositeSettings

    def trim(self, start: int, stop: int) -> tuple[int, int]:
        """The frames from the first in which the occludee is whole, trusted and uncovered to the last in which it is known."""
        while start < stop and not self._is_clean(start):
            start += 1
        end = start
        while end < stop and (end in self.behind_masks or self._is_gone(end)):
            end += 1
        return start, end

    def _is_clean(self, t: int) -> bool:
        mask = self.behind_masks.get(t)
        if mask is None or mask.doubt:
            return False
        whole, over = mask.full(self.behind.size), np.zeros(self.behind.size, bool)
        for occluder in self.occluders:
            other = occluder.mask(t)
            if other is not None:
                over |= other.full(occluder.shot.size)
        return bool((whole & over).sum() <= CLEAN_SHARE * whole.sum())

    def _is_gone(self, t: int) -> bool:
        """Whether the occludee has left the frame for good."""
        last = max(self.behind_masks)
        return t > last and self.behind_masks[last].doubt == "border"

    def frames(self, times: Iterable[int], truth: Truth, work: Work, count: int) -> Iterator[torch.Tensor]:
        """Composited frames, ``(3, H, W)`` uint8; each also leaves its masks in ``truth``."""
        for number, t in enumerate(times):
            picture = self.behind.native(t)
            mask = self.behind_masks.get(t)
            amodal = mask.full(self.behind.size) if mask is not None else np.zeros(self.behind.size, bool)
            shaded = np.zeros_like(amodal) if mask is None else mask.full(self.behind.size, "region") & ~amodal
            modal, laid = amodal.copy(), []
            for occluder in self.occluders:
                layer = occluder.layer(t)
                over = np.zeros_like(amodal)
                laid.append(over)
                if layer is None:
                    continue
                gain = self._gain(t, occluder.shot)
                picture = composite(picture, layer, gain, self.settings.effects, shaded[layer.window])
                over[layer.window] = layer.hard
                modal &= ~over
                # What the next one meets is shaded by this one, and on this one it is not yet.
                shaded[layer.window] |= layer.ratio.mean(axis=2) < _SHADED
                shaded &= ~over
            truth.note_meetings(laid)
            whole = int(amodal.sum())
            truth.shares.append(1 - int(modal.sum()) / whole if whole else 0.0)
            if mask is not None and mask.doubt:
                truth.untrusted.append({"frame": number, "why": mask.doubt})
            truth.masks = {"amodal": torch.from_numpy(amodal), "modal": torch.from_numpy(modal)}
            work.advance(1 / count)
            yield torch.from_numpy(picture).permute(2, 0, 1)
        truth.masks = {}

    def _gain(self, t: int, front: Shot) -> np.ndarray:
        """From the exposure of an occluder's plate to that of the occludee's frame."""
        gain: np.ndarray = self.behind.gains[t]
        if front.key == self.behind.key:
            return gain
        from robustvos.realvas.clean_plate import exposure_gain

        between: np.ndarray = gain * exposure_gain(self.behind.small_plate, front.small_plate)
        return between


def read_clips(root: Path, stages: Sequence[str] = (COMPOSITE,)) -> list[Result]:
    """Clips that were made by some stages, the surest first; stages that have not run are passed over."""
    made = [open_results(root, stage, complete=False).kept for stage in stages if (root / stage).is_dir()]
    kept = [clip for clips in made for clip in clips]
    return sorted(kept, key=lambda clip: (clip.figures["needs_review"], clip.figures.get("rank", 0), clip.key))


def _remove(entry: Path) -> None:
    import shutil

    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
