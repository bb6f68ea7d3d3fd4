"""The paper's check of its containment logic (appendix B.1): transparent containers, painted opaque, carried, compared.

The object is tracked through the transparent container: that is the truth. The container is painted opaque along its own
track; from then on the object is hidden and the logic has the container alone to go by. What it says is compared with the
truth by mean IoU. The paper reports 97.5 % over its scenarios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from robustvos.containment.contain_prompts import ContainPrompts
from robustvos.containment.containment import Contained, ContainmentSettings, NotContained, contain, find_phases
from robustvos.containment.follow import FollowLimits, Stop, follow_part, gray_reader, scene_motion
from robustvos.containment.mask_warp import Mask, overlap
from robustvos.containment.opaque import container_track, paint_opaque
from robustvos.containment.region_tracking import RegionSource

PAPER = 0.975
"""Mean IoU that the paper reports over its three scenarios."""


@dataclass(frozen=True)
class Validation:
    """How well the containment logic follows a tracked truth.

    Attributes:
        category: Kind of containment.
        first: Frame of the video with which ``found``, ``truth`` and ``painted`` begin.
        ious: IoU by frame of the video, of frames in which the object is hidden once the container is painted.
        surface: Share of frames in which the print was carried by points of the container, not by its mask alone.
        found: What the logic said.
        truth: ``(H, W)`` bool by frame.
        painted: The frames that it was given.
        stop: Why it ended early; None if it did not.
    """

    category: str
    first: int
    ious: Mapping[int, float]
    surface: float
    found: Contained
    truth: Sequence[Mask]
    painted: Sequence[Tensor]
    stop: Stop | None = None

    @property
    def mean(self) -> float:
        """Mean IoU over hidden frames."""
        return float(np.mean(list(self.ious.values())))

    @property
    def worst(self) -> float:
        """Least IoU over hidden frames."""
        return min(self.ious.values())


@dataclass(frozen=True)
class ValidationSources:
    """Who gives the masks, and how the logic is set.

    Attributes:
        objects: Masks of the object: the truth.
        containers: Masks of the container: its own track.
        settings: How masks of the contained object are made.
        limits: When the container counts as lost.
    """

    objects: RegionSource
    containers: RegionSource
    settings: ContainmentSettings = field(default_factory=ContainmentSettings)
    limits: FollowLimits = field(default_factory=FollowLimits)


def validate_containment(frames: Sequence[Tensor], prompts: ContainPrompts, sources: ValidationSources) -> Validation:
    """Run the check on one video of a transparent container.

    Args:
        frames: The video; item ``t`` is ``(3, H, W)`` uint8.
        prompts: The object and its container, each marked from the first frame on in which it is seen; the frame of rest;
            the kind of containment. Depth too, if known.
        sources: Who gives the masks.

    Raises:
        NotContained: If the object never is inside the container, or the logic gives up at once.
        BadPrompt: If a mark lies outside of the frame.
        BadMask: If the container cannot be followed.
    """
    first, last = prompts.objects[0].frame, min(len(frames), prompts.ends or len(frames)) - 1
    beyond = [line.frame for line in (*prompts.objects, *prompts.containers) if line.frame > last]
    if beyond or (prompts.rest_frame or 0) > last:
        raise NotContained("prompt outside the video", prompt_frames=beyond or [prompts.rest_frame], frames=len(frames))
    size = (frames[0].shape[-2], frames[0].shape[-1])
    clip = [frames[t] for t in range(first, last + 1)]
    truth = list(sources.objects.masks(frames, [line.as_prompt(size) for line in prompts.objects], last))
    containers = _containers(frames, prompts, sources, first, last, size)
    phases = find_phases(
        [a & ~b for a, b in zip(truth, containers, strict=True)],
        first,
        prompts.category,
        prompts.rest_frame,
        sources.settings,
    )
    rest = phases.rest - first
    if rest >= len(clip):
        raise NotContained("rest frame outside the video", rest_frame=phases.rest, frames=len(frames))
    matrices, surface = container_track(clip, containers, truth, rest, sources.settings.focal)
    painted = paint_opaque(clip, containers, matrices, rest)
    visible = [a & ~b for a, b in zip(truth, containers, strict=True)]
    followed = follow_part(gray_reader(painted), containers[rest], rest, rest, len(clip) - 1, limits=sources.limits)
    local = replace(phases, first=0, whole=phases.whole - first, hidden=phases.hidden - first, rest=rest)
    things = [containers[rest], containers[local.hidden - 1], visible[local.whole]]
    found = contain(
        visible,
        local,
        followed,
        size,
        container=dict(enumerate(containers)),
        rest_mask=truth[rest] if prompts.category == "mobile" else None,
        camera=scene_motion(gray_reader(painted), things, local.hidden - 1, rest),
        depth=prompts.depth,
        settings=sources.settings,
    )
    hidden = range(local.hidden, len(found.amodal))
    ious = {first + t: overlap(found.amodal[t], truth[t]) for t in hidden if truth[t].any()}
    if not ious:
        raise NotContained("object not found", frames=len(found.amodal))
    stop = None if found.stop is None else replace(found.stop, frame=first + found.stop.frame)
    return Validation(prompts.category, first, ious, surface, found, truth, painted, stop)


def _containers(
    frames: Sequence[Tensor],
    prompts: ContainPrompts,
    sources: ValidationSources,
    first: int,
    last: int,
    size: tuple[int, int],
) -> list[Mask]:
    """Masks of the container in the clip's frames; none before its first mark."""
    marks = [line.as_prompt(size) for line in prompts.containers]
    start = max(prompts.containers[0].frame, 0)
    masks = list(sources.containers.masks(frames, marks, last))
    none = np.zeros(size, bool)
    return [masks[t - start] if t >= start else none for t in range(first, last + 1)]
