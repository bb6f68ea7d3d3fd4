"""Corrupt a clip in memory, or a long video frame by frame as it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import overload

from torch import Tensor

from robustvos.corruptions.base import PRESET_SEVERITY, ClipSpec, Corruption
from robustvos.corruptions.registry import corruption_class


def corrupt_clip(
    frames: Tensor,
    name: str,
    *,
    clip_name: str,
    seed: int = 0,
    severity: float = PRESET_SEVERITY,
    preset: str = "intended",
    indices: Sequence[int] | None = None,
    length: int | None = None,
) -> Tensor:
    """Corrupt a dense clip.

    Args:
        frames: ``(T, 3, H, W)`` uint8, RGB, on any device.
        name: Key of :data:`CORRUPTIONS`, or ``"clean"``.
        clip_name: Identity of the clip; part of every seed.
        seed: Seed of the experiment.
        severity: In (0, 5]; 3 is the preset's own strength.
        preset: ``"intended"`` or ``"release"``.
        indices: Where ``frames`` are only some of a clip's, the index of each in the clip; None means ``0 .. T - 1``.
        length: Number of frames of the whole clip; None means ``T``. Frame 5 of 90 differs from frame 5 of 8.

    Returns:
        ``(T, 3, H, W)`` uint8 on the same device. Never the input's memory, ``"clean"`` included.

    Raises:
        UnknownName: If there is no such corruption or preset.
        UserError: If the severity is outside (0, 5].
        ValueError: If type, shape or indices do not fit.

    >>> import torch
    >>> frames = torch.full((2, 3, 48, 64), 100, dtype=torch.uint8)
    >>> snowy = corrupt_clip(frames, "snow", clip_name="example")
    >>> last = corrupt_clip(frames[1:], "snow", clip_name="example", indices=[1], length=2)
    >>> bool((snowy != frames).any()), torch.equal(snowy[1:], last)
    (True, True)
    """
    kind = corruption_class(name)
    whole = len(frames) if length is None else length
    size = (int(frames.shape[-2]), int(frames.shape[-1]))
    prepared = kind.prepare(clip_name, max(whole, 1), size, seed=seed, severity=severity, preset=preset)
    return prepared.apply(frames, indices)


class FramesAsAsked(Sequence[Tensor], ABC):
    """A video's frames, each corrupted when it is asked for; nothing is kept.

    Args:
        frames: The clean frames, ``(3, H, W)`` uint8 each; may read from disk.
    """

    def __init__(self, frames: Sequence[Tensor]) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...

    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        """Frame ``index``, ``(3, H, W)`` uint8, equal to that frame of the whole clip, corrupted at once."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        frame = self.frames[position]
        return self._for_size((int(frame.shape[-2]), int(frame.shape[-1]))).apply(frame[None], [position])[0]

    @abstractmethod
    def _for_size(self, size: tuple[int, int]) -> Corruption:
        """What corrupts frames of that size."""


class CorruptedFrames(FramesAsAsked):
    """A video's frames under one of the eight, as :func:`corrupt_clip` makes them, each when it is asked for.

    Args:
        frames: The clean frames, ``(3, H, W)`` uint8 each; may read from disk.
        name: Key of :data:`CORRUPTIONS`, or ``"clean"``.
        clip_name: Identity of the clip; part of every seed.
        seed: Seed of the experiment.
        severity: In (0, 5]; 3 is the preset's own strength.
        preset: ``"intended"`` or ``"release"``.

    Raises:
        UnknownName: If there is no such corruption or preset.
        UserError: If the severity is outside (0, 5].
    """

    def __init__(
        self,
        frames: Sequence[Tensor],
        name: str,
        *,
        clip_name: str,
        seed: int = 0,
        severity: float = PRESET_SEVERITY,
        preset: str = "intended",
    ) -> None:
        super().__init__(frames)
        self._kind = corruption_class(name)
        # The size is known with the first frame; a bad argument is reported now.
        self._spec = ClipSpec(clip_name, max(len(frames), 1), (1, 1), seed, severity, preset)
        self._prepared: Corruption | None = None

    def _for_size(self, size: tuple[int, int]) -> Corruption:
        if self._prepared is None or self._prepared.clip.size != size:
            spec = self._spec
            self._prepared = self._kind.prepare(
                spec.name, spec.length, size, seed=spec.seed, severity=spec.severity, preset=spec.preset
            )
        return self._prepared
