"""Stage ``contain``: clips of objects inside containers, from videos and a prompt file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from robustvos.containment.contain_clip import ContainSources, contain_clip
from robustvos.containment.contain_prompts import ContainPrompts, group_prompts
from robustvos.containment.containment import Contained, ContainmentSettings, NotContained
from robustvos.containment.follow import FollowLimits
from robustvos.containment.region_tracking import FlowRegions, RegionSource
from robustvos.errors import BadPrompt, DataNotFound
from robustvos.files.stage import Item, Outcome, Record, Rejection, StageResults, Work
from robustvos.realvas.amounts import amounts_of, hidden_shares
from robustvos.realvas.ingest import FALLBACK_FPS
from robustvos.realvas.item_clip import write_item_clip
from robustvos.realvas.pictures import evenly, shrink, to_array
from robustvos.realvas.plugins import EMBEDDED, plugin
from robustvos.realvas.sources import content_digest, safe_key
from robustvos.realvas.static_camera import CameraLimits, measure_camera
from robustvos.video.frames import Frames, open_frames
from robustvos.video.prompt_file import read_prompt_lines

CONTAIN = "contain"
_SAMPLES = 24
REASONS = (
    "one frame",
    "prompt outside the video",
    "rest frame outside the video",
    "prompt does not fit",
    "object not found",
    "never fully hidden",
    "object cut by the frame",
    "not hidden at rest",
    "carrier lost before rest",
    "camera lost before rest",
    "too short",
    "unreadable",
)
"""Why an item is rejected. A clip that ends early is kept, with the reason in ``stop``."""


@dataclass(frozen=True)
class ContainSettings:
    """How contained objects are carried.

    Attributes:
        masks: How masks are made.
        limits: When a container counts as lost.
        source: Name of the region source, for the record; the source itself is given to the stage.
        points: Plugin that follows the carrier's points.
    """

    masks: ContainmentSettings = field(default_factory=ContainmentSettings)
    limits: FollowLimits = field(default_factory=FollowLimits)
    source: str = "flow"
    points: str = EMBEDDED["points"]


@dataclass
class Contain:
    """One item a video and object of the prompt files. A clip lies in ``<root>/contain/<video>.o<object>``.

    Attributes:
        prompts: The prompt files; lines of all of them on one object of one video belong together.
        video: For prompts that name no video.
        settings: How objects are carried.
        regions: Makes the source of tracked masks; by default the mask is carried by optical flow, which needs mask prompts.
    """

    prompts: tuple[Path, ...]
    video: Path | None = None
    settings: ContainSettings = field(default_factory=ContainSettings)
    regions: Callable[[], RegionSource] = FlowRegions
    name = CONTAIN
    version = 4
    unit = "clip"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Every object of the prompt files.

        Raises:
            BadPrompt: If a file cannot be read, or names no video and none was given.
            DataNotFound: If a video or a mask is missing.
        """
        groups = self._groups()
        digests = {path: content_digest(path) for path in sorted({path for path, _ in groups.values()})}
        return [
            Item(key, {"video": digests[path], "prompts": _described(prompts)})
            for key, (path, prompts) in groups.items()
        ]

    def run(self, item: Item, work: Work) -> Outcome | Sequence[Outcome]:
        """See :class:`robustvos.files.stage.Stage`."""
        path, prompts = self._groups()[item.key]
        frames = open_frames(path)
        points = plugin("points", self.settings.points)
        sources = ContainSources(self.regions(), self.settings.masks, self.settings.limits, points)
        shared = {"category": prompts.category, "video": path.name, "object": item.key, "digest": item.inputs["video"]}
        try:
            found = contain_clip(frames, prompts, sources)
        except NotContained as error:
            return Rejection(error.reason, shared | error.figures)
        except BadPrompt as error:
            return Rejection("prompt does not fit", shared | {"detail": str(error)})
        work.advance(0.8)
        write_contained(work.folder, frames, found, prompts.category, {"source": path.name, "fps": frames.fps})
        camera = {"camera": _camera_of(frames, found), "fps": frames.fps or FALLBACK_FPS, "size": list(frames.size)}
        advice = how_to_go_on(prompts, found)
        return Record(shared | camera | amounts(found) | describe(found) | ({"to_go_on": advice} if advice else {}))

    def _groups(self) -> dict[str, tuple[Path, ContainPrompts]]:
        """Path and prompts of each item, by key."""
        found: dict[str, tuple[Path, ContainPrompts]] = {}
        for group in group_prompts((line for path in self.prompts for line in read_prompt_lines(path)), self.video):
            path, named = group.video, ", ".join(map(str, self.prompts))
            if path is None:
                raise BadPrompt(f'{named} names no video for object {group.object_id}; add "video", or give one VIDEO')
            if not path.exists():
                raise DataNotFound(f"video {path} of {named} does not exist; paths are relative to the prompt file")
            key = f"{safe_key(path.name if path.is_dir() else path.stem)}.o{group.object_id}"
            if key in found:
                key = f"{key}-{content_digest(path)[:8]}"
            if key in found:
                raise BadPrompt(f"{found[key][0]} and {path} of {named} are the same video; name one of them alone")
            found[key] = (path, group)
        return found


def _camera_of(frames: Frames, found: Contained) -> str:
    """Whether the clip's camera is static, as stage ``ingest`` judges it."""
    span = [found.first + t for t in evenly(len(found.amodal), _SAMPLES)]
    return measure_camera([shrink(to_array(frames[t])) for t in span]).verdict(CameraLimits())


def describe(found: Contained) -> dict[str, Any]:
    """Figures of a clip for its record: when things happen, how sure it is, why it ends."""
    hidden = found.phases.hidden - found.first
    stop = (
        None if found.stop is None else {"frame": found.stop.frame, "reason": found.stop.reason, **found.stop.figures}
    )
    out = ~found.amodal.any((1, 2))
    return {
        "first": found.first,
        "frames": len(found.amodal),
        "phases": asdict(found.phases),
        "hidden_frames": len(found.amodal) - hidden,
        "outside_frames": int(out.sum()),
        "confidence": [
            round(float(found.confidence[hidden:].min()), 3),
            round(float(found.confidence[hidden:].mean()), 3),
        ],
        "depth": round(found.depth, 4),
        "stop": stop,
    }


def amounts(found: Contained) -> dict[str, Any]:
    """How much of the object is hidden, as the records of composites have it."""
    return {**amounts_of(hidden_shares(found.amodal, found.modal)), "needs_review": False, "doubts": []}


def how_to_go_on(prompts: ContainPrompts, found: Contained) -> str:
    """The line to add to the prompt file so that a clip goes on whose container was lost; empty if it was not."""
    if found.stop is None or found.stop.reason != "container lost":
        return ""
    like = prompts.carriers[0]
    video = "" if like.video is None else f'"video": "{like.video.name}", '
    line = f'{{{video}"frame": N, "object": {prompts.object_id}, "role": "{like.role}", "mask": "FILE.png"}}'
    return f"to go on, mark the {like.role} on a frame N after {found.stop.frame}, and run again: {line}"


def write_contained(
    folder: Path, frames: Frames, found: Contained, category: str, details: Mapping[str, Any] | None = None
) -> None:
    """Write the clip in the native format into ``folder``, the confidence of each frame in its ``annos.json``.

    Raises:
        UserError: If it cannot be written.
    """
    span = range(found.first, found.first + len(found.amodal))
    write_item_clip(
        folder,
        (frames[t] for t in span),
        (torch.from_numpy(mask) for mask in found.modal),
        (torch.from_numpy(mask) for mask in found.amodal),
        category=category,
        confidence=[round(float(value), 3) for value in found.confidence],
        containment=describe(found),
        **(details or {}),
    )


def _described(prompts: ContainPrompts) -> dict[str, Any]:
    """What decides the result, with digests in place of paths."""
    lines = {*prompts.objects, *prompts.containers, *prompts.carriers}
    return {
        "object": prompts.object_id,
        "rest_frame": prompts.rest_frame,
        "category": prompts.category,
        "depth": prompts.depth,
        "ends": prompts.ends,
        "marks": sorted(
            [line.role, line.frame, [list(p) for p in line.points], list(line.box or ()), _digest(line.mask)]
            for line in lines
        ),
    }


def _digest(path: Path | None) -> str:
    if path is None:
        return ""
    if not path.is_file():
        raise DataNotFound(f"mask {path} does not exist; paths of a prompt file are relative to it")
    return content_digest(path)
