"""What the tracker remembers of each object, and for how long: exactly as long as memory attention can look at it."""

from __future__ import annotations

from collections.abc import Sequence
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
    """

    pointer: Tensor
    features: Tensor | None


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

    @property
    def signature(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The frames remembered; objects with equal signatures can share one forward pass."""
        return tuple(self.conditioning), tuple(self.recent)

    def remember(self, frame: int, memory: Memory, conditioning: bool) -> None:
        """Add the memory of ``frame``, the latest so far, and forget what no later frame looks at."""
        if conditioning:
            # copies: a slice would keep the memories of the objects beside it alive
            assert memory.features is not None
            self.conditioning[frame] = Memory(memory.pointer.clone(), memory.features.clone())
        else:
            self.recent[frame] = memory
        if self._max_conditioning is not None and len(self.conditioning) > self._max_conditioning:
            second = list(self.conditioning)[1]
            self.recent[second] = self.conditioning.pop(second)
        self._forget(now=frame + 1)

    def _forget(self, now: int) -> None:
        for frame, memory in sorted(self.recent.items()):
            del self.recent[frame]  # and put back in order of time
            if self._reach.sees_features(frame, now):
                self.recent[frame] = memory
            elif self._reach.sees_pointer(frame, now):
                self.recent[frame] = replace(memory, features=None)


def collate(banks: Sequence[MemoryBank], position: Tensor | None) -> dict[str, dict[int, dict[str, Any]]]:
    """The memories of several objects side by side, in the form ``SAM2Base`` reads them (its ``output_dict``).

    Args:
        banks: Of ``B`` objects, all with the same signature.
        position: ``(1, C, h, w)`` positional encoding of a spatial memory, the same for every frame and object; None
            while nothing is remembered.
    """
    first = banks[0]
    return {
        "cond_frame_outputs": {
            t: _stack([bank.conditioning[t] for bank in banks], position) for t in first.conditioning
        },
        "non_cond_frame_outputs": {t: _stack([bank.recent[t] for bank in banks], position) for t in first.recent},
    }


def _stack(memories: Sequence[Memory], position: Tensor | None) -> dict[str, Any]:
    stacked: dict[str, Any] = {"obj_ptr": _side_by_side([memory.pointer for memory in memories])}
    features = [memory.features for memory in memories if memory.features is not None]
    if features and position is not None:
        stacked["maskmem_features"] = _side_by_side(features)
        stacked["maskmem_pos_enc"] = [position.expand(len(memories), -1, -1, -1)]
    return stacked


def _side_by_side(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0][None] if len(tensors) == 1 else torch.stack(list(tensors))
