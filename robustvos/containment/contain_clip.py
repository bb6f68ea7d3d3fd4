"""From a video and its prompts to the masks of a contained object: marks are tracked, the carrier is followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from robustvos.containment.contain_prompts import ContainPrompts
from robustvos.containment.container_motion import Matrix
from robustvos.containment.containment import Contained, ContainmentSettings, NotContained, Phases, contain, find_phases
from robustvos.containment.follow import Followed, FollowLimits, Stop, follow_part, gray_reader, points_of, scene_motion
from robustvos.containment.mask_warp import Mask, warp_mask
from robustvos.containment.region_tracking import RegionSource, as_mask
from robustvos.errors import BadMask
from robustvos.video.prompt_file import PromptLine


@dataclass(frozen=True)
class ContainSources:
    """Who gives the masks.

    Attributes:
        regions: Masks of the object while it is seen, and of whatever is prompted by points or a box.
        settings: How masks of the contained object are made.
        limits: When the carrier counts as lost.
        points: Plugin that follows the carrier's points; None: Lucas and Kanade's, found from the rest frame.
    """

    regions: RegionSource
    settings: ContainmentSettings = field(default_factory=ContainmentSettings)
    limits: FollowLimits = field(default_factory=FollowLimits)
    points: Any = None


def contain_clip(frames: Sequence[Tensor], prompts: ContainPrompts, sources: ContainSources) -> Contained:
    """The masks of one contained object.

    Args:
        frames: The video; item ``t`` is ``(3, H, W)`` uint8.
        prompts: What a person said.
        sources: Who gives the masks.

    Raises:
        NotContained: If the video does not show it, or not for long enough; says why.
        BadPrompt: If a mark lies outside of the frame.
        BadMask: If a mask does not fit, or its carrier cannot be followed.
        DataNotFound: If a mask's file is missing.
    """
    _check_frames(frames, prompts)
    size = (frames[0].shape[-2], frames[0].shape[-1])
    last = min(len(frames), prompts.ends or len(frames)) - 1
    visible = _visible(frames, prompts, sources, size, last)
    phases = find_phases(visible, prompts.objects[0].frame, prompts.category, prompts.rest_frame, sources.settings)
    if phases.rest > last:
        raise NotContained("rest frame outside the video", rest_frame=phases.rest, frames=len(frames))
    again = prompts.seen_again(phases.rest)
    last = last if again is None else min(last, again - 1)
    part = _part_at(frames, prompts, sources, phases.rest, size)
    corrections = [
        (line.frame, as_mask(line.as_prompt(size), frames, sources.regions))
        for line in prompts.carriers
        if line.frame > phases.rest and line != prompts.reference(phases.rest)
    ]
    followed = follow_part(
        gray_reader(frames),
        part,
        phases.rest,
        phases.rest,
        last,
        limits=sources.limits,
        corrections=corrections,
        points=None if sources.points is None else points_of(sources.points, frames),
    )
    mark = prompts.rest_mark(phases.rest)
    container = _container(frames, prompts, sources, phases, size)
    found = contain(
        visible,
        phases,
        followed,
        size,
        container=container,
        rest_mask=None if mark is None else as_mask(mark.as_prompt(size), frames, sources.regions),
        camera=_camera(frames, [part, *container.values()], visible, phases),
        depth=prompts.depth,
        settings=sources.settings,
    )
    return found if found.stop or again is None else _ending(found, again)


def _check_frames(frames: Sequence[Tensor], prompts: ContainPrompts) -> None:
    if len(frames) < 2:
        raise NotContained("one frame", frames=len(frames))
    marks = (*prompts.objects, *prompts.containers, *prompts.carriers)
    beyond = sorted({line.frame for line in marks if line.frame >= len(frames)})
    if beyond:
        raise NotContained("prompt outside the video", prompt_frames=beyond, frames=len(frames))


def _visible(
    frames: Sequence[Tensor], prompts: ContainPrompts, sources: ContainSources, size: tuple[int, int], last: int
) -> list[Mask]:
    """Masks of the object from its first mark on: until it has been gone for a while, or to its rest."""
    first, rest = prompts.objects[0].frame, prompts.rest_frame
    marks = [line.as_prompt(size) for line in prompts.objects if rest is None or line.frame < max(rest, first + 1)]
    until, masks, gone = (last if rest is None else min(rest, last)), [], 0
    for mask in sources.regions.masks(frames, marks, until):
        masks.append(mask)
        largest = max(float(m.sum()) for m in masks[-8:])
        gone = gone + 1 if mask.sum() < max(1.0, sources.settings.hidden_below * largest) else 0
        if rest is None and gone >= 8:
            break
    return masks


def _part_at(
    frames: Sequence[Tensor], prompts: ContainPrompts, sources: ContainSources, rest: int, size: tuple[int, int]
) -> Mask:
    """The carrier in the frame of rest: as marked there, or brought there from the nearest frame in which it is marked."""
    line = prompts.reference(rest)
    mask = as_mask(line.as_prompt(size), frames, sources.regions)
    if line.frame == rest:
        return mask
    followed = follow_part(
        gray_reader(frames), mask, line.frame, min(line.frame, rest), max(line.frame, rest), limits=sources.limits
    )
    if rest not in followed.motions:
        why = followed.stop or followed.start or Stop(rest, "container lost")
        raise NotContained("carrier lost before rest", frame=why.frame, because=why.reason, rest_frame=rest)
    return warp_mask(mask, followed.motions[rest].matrix)


def _container(
    frames: Sequence[Tensor], prompts: ContainPrompts, sources: ContainSources, phases: Phases, size: tuple[int, int]
) -> Mapping[int, Mask]:
    """What hides the object while it goes in: the marked container, moved as it moves; empty where it cannot be followed."""
    if phases.hidden - phases.whole < 2:
        return {}
    line = _nearest(prompts.containers, phases.hidden)
    mask = as_mask(line.as_prompt(size), frames, sources.regions)
    first, last = min(phases.whole + 1, line.frame), max(phases.hidden - 1, line.frame)
    try:
        followed: Followed = follow_part(gray_reader(frames), mask, line.frame, first, last, limits=sources.limits)
    except BadMask:  # a plain container: anything may hide the object
        return {}
    return {t: warp_mask(mask, motion.matrix) for t, motion in followed.motions.items()}


def _camera(
    frames: Sequence[Tensor], parts: Sequence[Mask], visible: Sequence[Mask], phases: Phases
) -> Mapping[int, Matrix]:
    """How the camera moves while the object is out of sight and not yet at rest."""
    things = [*parts, visible[phases.whole - phases.first]]
    return scene_motion(gray_reader(frames), things, phases.hidden - 1, phases.rest)


def _nearest(lines: Sequence[PromptLine], frame: int) -> PromptLine:
    return min(lines, key=lambda line: (abs(line.frame - frame), line.frame))


def _ending(found: Contained, frame: int) -> Contained:
    """The clip with the note that it ends because a person sees the object again."""
    return Contained(**{**found.__dict__, "stop": Stop(frame, "object seen again")})
