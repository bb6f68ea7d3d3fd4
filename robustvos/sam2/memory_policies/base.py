"""Memory policies: which of its own masks SAM 2 believes, and which of its memories it looks at.

A policy makes a bank for each object (:class:`PolicyBank`). SAM 2 reads memories by the age of their frame, a slot for each;
a bank that would rather show older ones puts them under the ages of the slots (:meth:`PolicyBank.view`). So SAM 2's own code
runs as it is, whatever the policy. Weights stay the same; nothing is trained.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from robustvos.errors import UserError
from robustvos.sam2.memory import Memory, MemoryBank, Reach


@dataclass(frozen=True)
class Candidates:
    """What SAM 2 proposes for one object on one frame, from one memory.

    Attributes:
        ious: ``(M,)`` predicted IoU of each mask.
        masks: ``(M, h, w)`` low-resolution logits.
        presence: Logit that the object is there.
    """

    ious: Tensor
    masks: Tensor
    presence: float

    @property
    def best(self) -> int:
        """The mask that SAM 2 takes: that of the highest predicted IoU."""
        return int(self.ious.argmax())


@dataclass(frozen=True)
class Pick:
    """A mask that is believed.

    Attributes:
        path: Which memory proposed it.
        candidate: Which of its masks.
    """

    path: int
    candidate: int


class MemoryPolicy(ABC):
    """Settings of a policy; :meth:`bank` makes what follows one object."""

    @abstractmethod
    def bank(self, reach: Reach, max_conditioning: int | None = None) -> PolicyBank:
        """The memory of an object that was just introduced.

        Args:
            reach: Of the model.
            max_conditioning: As the tracker's.

        Raises:
            UserError: If the model looks back in strides, which policies decide themselves.
        """


class PolicyBank(MemoryBank):
    """The memory of one object under a policy; by itself it does what SAM 2 does.

    Attributes:
        paths: The memories that the next frame is asked from, most often one.
    """

    def __init__(self, reach: Reach, max_conditioning: int | None = None) -> None:
        super().__init__(reach, max_conditioning)
        if reach.stride != 1:
            raise UserError(
                f"this SAM 2 looks back in strides of {reach.stride} frames, and a memory policy decides that itself; set "
                "memory_temporal_stride_for_eval to 1, or leave the policy out"
            )
        self.paths: Sequence[MemoryBank] = (self,)

    def pick(self, proposed: Sequence[Candidates]) -> list[Pick]:
        """Which of the masks that ``paths`` proposed are believed; the first is the answer, all are remembered."""
        return [Pick(0, proposed[0].best)]

    def weights(self, path: int) -> tuple[list[float], list[float]] | None:
        """Factors of the keys of each spatial memory and of each pointer that ``path`` is asked from; None: all 1."""
        return None

    def remember_paths(self, frame: int, memories: Sequence[Memory]) -> None:
        """Add the memories of what was picked on ``frame``, in the order of the picks."""
        self.remember(frame, memories[0], conditioning=False)


def free_slots(now: int, reach: Reach, conditioning: Collection[int]) -> list[int]:
    """Frames under which SAM 2 looks for spatial memories of tracked frames, oldest first.

    Those of prompted and kept frames (``conditioning``) stay empty, as in SAM 2: their pointers are read with theirs, and
    another memory there would have its own read twice.

    >>> free_slots(9, Reach(spatial_slots=4, stride=1, pointers=4), {0, 7})
    [6, 8]
    """
    return [frame for frame in range(now - reach.spatial_slots + 1, now) if frame not in conditioning]


def latest(frames: Iterable[int], count: int) -> list[int]:
    """The last ``count``, oldest first.

    >>> latest({5, 3, 9}, 2), latest({5}, 0)
    ([5, 9], [])
    """
    ordered = sorted(frames)
    return ordered[max(0, len(ordered) - count) :]


def placed_in_slots(slots: Sequence[int], chosen: Sequence[Memory], pointers: dict[int, Memory]) -> dict[int, Memory]:
    """Memories under the frames where SAM 2 looks for them.

    Args:
        slots: Those that are free, oldest first.
        chosen: Memories with features, oldest first, at most as many; the last takes the last slot.
        pointers: Memories whose pointers are looked at, under their own frames.

    Returns:
        Frame to memory, in order of time: features of ``chosen``, pointers of ``pointers``. A slot whose frame has no
        pointer of its own, being out of their reach, takes that of its memory.
    """
    shown = dict(zip(reversed(slots), reversed(chosen), strict=False))
    placed = {}
    for frame in sorted(shown.keys() | pointers.keys()):
        own, memory = pointers.get(frame), shown.get(frame)
        if own is None:
            assert memory is not None
            placed[frame] = memory
        else:
            placed[frame] = replace(own, features=None if memory is None else memory.features)
    return placed
