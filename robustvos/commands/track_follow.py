"""One system follows what was prompted, forwards as frames come, and backwards from where each object was first shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robustvos.commands.track_prompts import Prompts
from robustvos.systems.system import System
from robustvos.types import TrackedFrame
from robustvos.video.backwards import PackedMasks, backwards
from robustvos.video.sequence import Frames


@dataclass(frozen=True)
class _Earlier:
    """What the backward pass found on a frame."""

    object_ids: tuple[int, ...]
    masks: PackedMasks
    presence: Tensor
    predicted_iou: Tensor


class Follower:
    """A system at work on one video.

    Args:
        system: The system.
        prompts: What it follows.
        num_frames: Length of the video, if known.
    """

    def __init__(self, system: System, prompts: Prompts, num_frames: int | None = None) -> None:
        self.system, self.prompts = system, prompts
        self._tracker = system.tracker(num_frames=num_frames)
        self._earlier: dict[int, _Earlier] = {}

    def step(self, frame: Tensor) -> TrackedFrame:
        """Take the next frame; masks come on the CPU."""
        index = self._tracker.index
        for object_id in self.prompts.removals.get(index, ()):
            if object_id in self._tracker.object_ids:
                self._tracker.remove(object_id)
        found = _on_cpu(self._tracker.step(self._restored(frame), self.prompts.on(index)))
        earlier = self._earlier.pop(index, None)
        return found if earlier is None else _joined(found, earlier)

    def look_back(self, frames: Frames) -> None:
        """Follow each object from its first prompt to the beginning of the video; :meth:`step` then gives that too.

        Args:
            frames: The video.
        """
        first = self.prompts.first()
        begin = max(prompt.frame for prompt in first.values())
        tracker = self.system.tracker(num_frames=begin + 1)
        for index, frame in backwards(frames, begin):
            shown = [replace(p, frame=tracker.index) for p in first.values() if p.frame == index]
            found = _on_cpu(tracker.step(self._restored(frame), shown))
            rows = [row for row, object_id in enumerate(found.object_ids) if first[object_id].frame > index]
            if rows:
                ids = tuple(found.object_ids[row] for row in rows)
                packed = PackedMasks.of(found.masks[rows])
                self._earlier[index] = _Earlier(ids, packed, found.presence[rows], found.predicted_iou[rows])

    def _restored(self, frame: Tensor) -> Tensor:
        restorer = self.system.restorer
        return frame if restorer is None else restorer(frame)


def _on_cpu(found: TrackedFrame) -> TrackedFrame:
    return replace(
        found,
        masks=found.masks.cpu(),
        logits=found.logits.cpu(),
        presence=found.presence.cpu(),
        predicted_iou=found.predicted_iou.cpu(),
    )


def _joined(found: TrackedFrame, earlier: _Earlier) -> TrackedFrame:
    """Both passes; a pixel that both claim stays with the forward one. Of the other's logits only the sign is known."""
    masks = earlier.masks.masks & ~found.masks.any(0)
    return TrackedFrame(
        found.index,
        (*found.object_ids, *earlier.object_ids),
        torch.cat([found.masks, masks]),
        torch.cat([found.logits, masks.float() * 2 - 1]),
        torch.cat([found.presence, earlier.presence]),
        torch.cat([found.predicted_iou, earlier.predicted_iou]),
    )
