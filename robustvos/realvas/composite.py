"""Stage ``composite``: clips in the native format, with exact masks of the occludee, whole and seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robustvos.files.stage import Item, Outcome, Record, Rejection, Result, StageResults, Work, open_results
from robustvos.realvas.filter import FILTER
from robustvos.realvas.layers import Layer, composite, cut_layer
from robustvos.realvas.matte import chosen_matte
from robustvos.realvas.native_masks import NativeMask, read_native_masks
from robustvos.realvas.pictures import ANALYSIS_SIDE
from robustvos.realvas.propagate import MASKS, PROPAGATE
from robustvos.realvas.shots import Shot, read_shots
from robustvos.realvas.window import CLEAN_SHARE
from robustvos.video.native_writer import write_native_clip

COMPOSITE = "composite"


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
    """One item a candidate that ``filter`` kept. A clip lies in ``<root>/composite/<candidate>``.

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
        """Kept candidates whose two tracks have native masks."""
        masks = {result.key: result.fingerprint for result in inputs[PROPAGATE].kept}
        for clip in inputs[FILTER].kept:
            held = [masks.get(clip.figures[side]) for side in ("behind", "front")]
            if None not in held:
                inside = {"candidate": clip.figures, "masks": held}
                yield Item(clip.key, inside, clip.figures["length"])

    def run(self, item: Item, work: Work) -> Outcome:
        """See :class:`robustvos.files.stage.Stage`."""
        figures = item.inputs["candidate"]
        shots = read_shots(self.root)
        made = Clip(
            shots[figures["behind_shot"]],
            replace(shots[figures["front_shot"]]),  # with a decoder of its own: two places of one file are read in turn
            read_native_masks(self.root / PROPAGATE / figures["behind"] / MASKS),
            read_native_masks(self.root / PROPAGATE / figures["front"] / MASKS),
            figures["delay"],
            self.settings,
        )
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
        sides = {
            name: {
                "track": figures[name],
                "shot": shot.key,
                "source": shot.source.name,
                "first_frame": shot.view.start + start - (figures["delay"] if name == "front" else 0),
                "crop": shot.view.crop and list(shot.view.crop),
            }
            for name, shot in (("behind", made.behind), ("front", made.front))
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
        occluded = shares > CLEAN_SHARE
        measured = {
            "start": start,
            "frames": len(shares),
            "fps": made.behind.fps,
            "size": list(made.behind.size),
            "category": "occlusion",
            "max_occlusion": round(float(shares.max()), 4),
            "prevalence": round(float(occluded.mean()), 4),
            "severity": round(float(shares[occluded].mean()), 4) if occluded.any() else 0.0,
            "hidden_frames": int((shares >= 1.0).sum()),
            "untrusted": len(truth.untrusted),
            "object": figures["behind"],
            "occluder": figures["front"],
            "delay": figures["delay"],
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
        return Record(measured)


@dataclass
class Truth:
    """What is known of the frames that were written, in order.

    Attributes:
        masks: The last frame's masks by name, ``(H, W)`` bool tensors.
        shares: Share of the occludee that is covered, a frame each.
        untrusted: ``{"frame": ..., "why": ...}`` for each frame whose amodal mask is not to be trusted.
    """

    masks: dict[str, torch.Tensor] = field(default_factory=dict)
    shares: list[float] = field(default_factory=list)
    untrusted: list[dict[str, Any]] = field(default_factory=list)

    def taken(self, name: str) -> Iterator[torch.Tensor]:
        """A mask of each frame, asked for after the frame itself."""
        while self.masks:
            yield self.masks[name]


@dataclass(frozen=True)
class Clip:
    """Occludee and occluder at a delay.

    Attributes:
        behind: Shot of the occludee.
        front: Shot of the occluder.
        behind_masks: Of the occludee, by frame of its shot.
        front_masks: Of the occluder.
        delay: Frame ``t`` of the one goes with ``t - delay`` of the other.
        settings: How it is made.
    """

    behind: Shot
    front: Shot
    behind_masks: Mapping[int, NativeMask]
    front_masks: Mapping[int, NativeMask]
    delay: int
    settings: CompositeSettings

    def trim(self, start: int, stop: int) -> tuple[int, int]:
        """The frames from the first in which the occludee is whole, trusted and uncovered to the last in which it is known."""
        while start < stop and not self._is_clean(start):
            start += 1
        end = start
        while end < stop and (end in self.behind_masks or self._is_gone(end, stop)):
            end += 1
        return start, end

    def _is_clean(self, t: int) -> bool:
        mask, other = self.behind_masks.get(t), self.front_masks.get(t - self.delay)
        if mask is None or mask.doubt:
            return False
        if other is None:
            return True
        whole, over = mask.full(self.behind.size), other.full(self.front.size)
        return bool((whole & over).sum() <= CLEAN_SHARE * whole.sum())

    def _is_gone(self, t: int, stop: int) -> bool:
        """Whether the occludee has left the frame for good."""
        last = max(self.behind_masks)
        return t > last and self.behind_masks[last].doubt == "border"

    def frames(self, times: Iterable[int], truth: Truth, work: Work, count: int) -> Iterator[torch.Tensor]:
        """Composited frames, ``(3, H, W)`` uint8; each also leaves its masks in ``truth``."""
        for number, t in enumerate(times):
            picture = self.behind.native(t)
            mask = self.behind_masks.get(t)
            amodal = mask.full(self.behind.size) if mask is not None else np.zeros(self.behind.size, bool)
            modal = amodal.copy()
            layer = self.layer(t - self.delay)
            if layer is not None:
                shaded = (
                    None
                    if mask is None
                    else mask.full(self.behind.size, "region")[layer.window] & ~amodal[layer.window]
                )
                picture = composite(picture, layer, self._gain(t), self.settings.effects, shaded)
                modal[layer.window] &= ~layer.hard
            whole = int(amodal.sum())
            truth.shares.append(1 - int(modal.sum()) / whole if whole else 0.0)
            if mask is not None and mask.doubt:
                truth.untrusted.append({"frame": number, "why": mask.doubt})
            truth.masks = {"amodal": torch.from_numpy(amodal), "modal": torch.from_numpy(modal)}
            work.advance(1 / count)
            yield torch.from_numpy(picture).permute(2, 0, 1)
        truth.masks = {}

    def layer(self, t: int) -> Layer | None:
        """The occluder at frame ``t`` of its shot; None where it is not there."""
        mask = self.front_masks.get(t)
        if mask is None:
            return None
        frame, plate = self.front.even(t)[mask.window], self.front.plate[mask.window]
        scale = max(1.0, max(self.front.size) / ANALYSIS_SIDE)
        alpha = chosen_matte(frame, plate, mask.obj, self.settings.matte, scale)
        return cut_layer(frame, plate, alpha, mask.region & ~mask.obj, mask.window, scale)

    def _gain(self, t: int) -> np.ndarray:
        """From the exposure of the occluder's plate to that of the occludee's frame."""
        gain: np.ndarray = self.behind.gains[t]
        if self.front.key == self.behind.key:
            return gain
        from robustvos.realvas.clean_plate import exposure_gain

        between: np.ndarray = gain * exposure_gain(self.behind.small_plate, self.front.small_plate)
        return between


def read_clips(root: Path, stages: Sequence[str] = (COMPOSITE,)) -> list[Result]:
    """Clips that were made by some stages, the surest first; stages that have not run are passed over."""
    made = [open_results(root, stage, complete=False).kept for stage in stages if (root / stage).is_dir()]
    kept = [clip for clips in made for clip in clips]
    return sorted(kept, key=lambda clip: (clip.figures["needs_review"], clip.figures.get("rank", 0), clip.key))


def _remove(entry: Path) -> None:
    import shutil

    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
