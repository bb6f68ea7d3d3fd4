"""What the tracker remembers of each object, and for how long: exactly as long as memory attention can look at it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """What is remembered of one object on one frame.

    Attributes:
        pointer: ``(D,)`` object pointer.
        features: ``(C, h, w)`` bfloat16 spatial memory; None once attention looks at the pointer alone.
        mask: ``(1, s, s)`` low-resolution logits, of the latest frame and of prompted ones; None of others, and where
            nothing asks for masks.
        motion: ``(K,)`` what a motion cue keeps of the object; empty without one.
    """

    pointer: Tensor
    features: Tensor | None
    mask: Tensor | None = None
    motion: Tensor | None = None


@dataclass(frozen=True)
class Reach:
    """How far back memory attention looks from a frame.

    Attributes:
        spatial_slots: SAM 2's ``num_maskmem``: the prompted frame and this many less one tracked frames.
        stride: Of those, the last frame and every ``stride``-th before it.
        pointers: SAM 2's ``max_obj_ptrs_in_encoder``; one slot counts for the present.
    """

    spatial_slots: int
    stride: int
    pointers: int

    @classmethod
    def of(cls, model: Any) -> Reach:
        """The reach of a ``SAM2Base``."""
        pointers = model.max_obj_ptrs_in_encoder if model.use_obj_ptrs_in_encoder else 0
        return cls(model.num_maskmem, model.memory_temporal_stride_for_eval, pointers)

    def sees_features(self, frame: int, now: int) -> bool:
        """Whether the spatial memory of ``frame`` is looked at from frame ``now`` or from any later one."""
        if frame >= now - 1:
            return True
        oldest = ((now - 2) // self.stride - (self.spatial_slots - 3)) * self.stride
        return frame % self.stride == 0 and frame >= oldest

    def sees_pointer(self, frame: int, now: int) -> bool:
        """Whether the pointer of ``frame`` is looked at from frame ``now`` or from any later one."""
        return frame > now - self.pointers


class MemoryBank:
    """The memories of one object: of frames where it was prompted, and of recent frames where it was tracked.

    Args:
        reach: How far back attention looks; what lies beyond is forgotten.
        max_conditioning: At most this many prompted frames are kept: the first, which the object was introduced on,
            and the latest. None keeps all of them, as SAM 2 does.
    """

    def __init__(self, reach: Reach, max_conditioning: int | None = None) -> None:
        self.conditioning: dict[int, Memory] = {}
        self.recent: dict[int, Memory] = {}
        self._reach = reach
        self._max_conditioning = max_conditioning

    def signature(self, now: int) -> tuple[tuple[int, ...], tuple[tuple[int, bool], ...]]:
        """What is seen of it from frame ``now``; objects with equal signatures can share one forward pass."""
        conditioning, recent = self.view(now)
        return tuple(conditioning), tuple((t, memory.features is not None) for t, memory in recent.items())

    def remember(self, frame: int, memory: Memory, conditioning: bool) -> None:
        """Add the memory of ``frame``, the latest so far, and forget what no later frame looks at."""
        if conditioning:
            # copies: a slice would keep the memories of the objects beside it alive
            assert memory.features is not None
            mask = None if memory.mask is None else memory.mask.clone()
            self.conditioning[frame] = replace(
                memory, pointer=memory.pointer.clone(), features=memory.features.clone(), mask=mask
            )
        else:
            self.recent[frame] = memory
        if self._max_conditioning is not None and len(self.conditioning) > self._max_conditioning:
            second = list(self.conditioning)[1]
            self.recent[second] = self.conditioning.pop(second)
        self._forget(now=frame + 1)

    def view(self, now: int) -> tuple[dict[int, Memory], dict[int, Memory]]:
        """Memories of prompted and of tracked frames, under the frames where SAM 2 looks for them from frame ``now``."""
        return self.conditioning, self.recent

    def keep_only(self, now: int, frames: Collection[int]) -> None:
        """Forget the features of all tracked frames but ``frames``, and pointers that are out of reach besides."""
        for frame, memory in sorted(self.recent.items()):
            del self.recent[frame]
            if frame < now - 1 and memory.mask is not None:
                memory = replace(memory, mask=None, motion=None)
            if frame in frames:
                self.recent[frame] = memory
            elif self._reach.sees_pointer(frame, now):
                self.recent[frame] = replace(memory, features=None)

    def pointers_at(self, now: int) -> dict[int, Memory]:
        """Tracked frames whose pointers SAM 2 looks at from frame ``now``."""
        return {frame: memory for frame, memory in self.recent.items() if self._reach.sees_pointer(frame, now)}

    def _forget(self, now: int) -> None:
        for frame, memory in sorted(self.recent.items()):
            del self.recent[frame]  # and put back in order of time
            if frame < now - 1 and memory.mask is not None:
                memory = replace(memory, mask=None, motion=None)
            if self._reach.sees_features(frame, now):
                self.recent[frame] = memory
            elif self._reach.sees_pointer(frame, now):
                self.recent[frame] = replace(memory, features=None)


def collate(banks: Sequence[MemoryBank], position: Tensor | None, now: int) -> dict[str, dict[int, dict[str, Any]]]:
    """The memories of several objects side by side, in the form ``SAM2Base`` reads them (its ``output_dict``).

    Args:
        banks: Of ``B`` objects, all with the same signature.
        position: ``(1, C, h, w)`` positional encoding of a spatial memory, the same for every frame and object; None
            while nothing is remembered.
        now: The frame that is asked about.
    """
    views = [bank.view(now) for bank in banks]
    kinds = ("cond_frame_outputs", "non_cond_frame_outputs")
    return {
        kind: {t: _stack([view[place][t] for view in views], position) for t in views[0][place]}
        for place, kind in enumerate(kinds)
    }


def _stack(memories: Sequence[Memory], position: Tensor | None) -> dict[str, Any]:
    stacked: dict[str, Any] = {"obj_ptr": _side_by_side([memory.pointer for memory in memories])}
    features = [memory.features for memory in memories if memory.features is not None]
    if position is not None:
        place = position.expand(len(memories), -1, -1, -1)
        # Where a policy leaves a slot empty, no tokens: SAM 2 looks for features in every slot that has a pointer.
        stacked["maskmem_features"] = _side_by_side(features) if features else place[:, :, :0].to(torch.bfloat16)
        stacked["maskmem_pos_enc"] = [place if features else place[:, :, :0]]
    masks = [memory.mask for memory in memories if memory.mask is not None]
    motions = [memory.motion for memory in memories if memory.motion is not None]
    if len(masks) == len(motions) == len(memories):
        stacked["pred_masks"], stacked["motion"] = _side_by_side(masks), _side_by_side(motions)
    return stacked


def _side_by_side(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0][None] if len(tensors) == 1 else torch.stack(list(tensors))
