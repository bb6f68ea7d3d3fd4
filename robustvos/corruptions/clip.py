"""Corrupt a clip in memory, or a long video frame by frame as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

from torch import Tensor

from robustvos.corruptions.base import PRESET_SEVERITY, ClipSpec, Corruption, check_layers
from robustvos.corruptions.layers import AnyLayers
from robustvos.corruptions.registry import needs_layers, parts_of, prepared


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
    layers: AnyLayers | None = None,
) -> Tensor:
    """Corrupt a dense clip.

    Args:
        frames: ``(T, 3, H, W)`` uint8, RGB, on any device.
        name: A corruption, several such as ``"fog+rain"``, or ``"clean"``.
        clip_name: Identity of the clip; part of every seed.
        seed: Seed of the experiment.
        severity: In (0, 5]; 3 is the preset's own strength.
        preset: ``"intended"`` or ``"release"``.
        indices: Where ``frames`` are only some of a clip's, the index of each in the clip; None means ``0 .. T - 1``.
        length: Number of frames of the whole clip; None means that of the layers where they are needed, else ``T``. Frame 5
            of 90 differs from frame 5 of 8.
        layers: Of the whole clip, for corruptions that need them.

    Returns:
        ``(T, 3, H, W)`` uint8 on the same device. Never the input's memory, ``"clean"`` included.

    Raises:
        UnknownName: If there is no such corruption or preset.
        UserError: If the severity is outside (0, 5], or layers are needed and not given.
        ValueError: If type, shape, indices or layers do not fit.

    >>> import torch
    >>> frames = torch.full((2, 3, 48, 64), 100, dtype=torch.uint8)
    >>> snowy = corrupt_clip(frames, "snow", clip_name="example")
    >>> last = corrupt_clip(frames[1:], "snow", clip_name="example", indices=[1], length=2)
    >>> bool((snowy != frames).any()), torch.equal(snowy[1:], last)
    (True, True)
    """
    whole = len(frames) if length is None else length
    if needs_layers(name) and length is None:
        whole = check_layers(name, layers).shape[0]
    size = (int(frames.shape[-2]), int(frames.shape[-1]))
    clip = ClipSpec(clip_name, max(whole, 1), size, seed, severity, preset, layers)
    return prepared(name, clip).apply(frames, indices)


class CorruptedFrames(Sequence[Tensor]):
    """A video's frames as :func:`corrupt_clip` makes them, each when it is asked for; nothing is kept.

    Args:
        frames: The clean frames, ``(3, H, W)`` uint8 each; may read from disk.
        name: A corruption, a combination, or ``"clean"``; see :func:`robustvos.corruptions.registry.prepared`.
        clip_name: Identity of the video; part of every seed.
        seed: Seed of the experiment.
        severity: In (0, 5]; 3 is the preset's own strength.
        preset: ``"intended"`` or ``"release"``.
        layers: Of the whole video, for corruptions that need them.

    Raises:
        UnknownName: If there is no such corruption or preset.
        UserError: If the severity is outside (0, 5], or layers are needed and not given.
        ValueError: If layers are needed, and there are not as many as frames.
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
        layers: AnyLayers | None = None,
    ) -> None:
        self.frames = frames
        self.name = name
        parts_of(name)
        if needs_layers(name) and check_layers(name, layers).shape[0] != len(frames):
            raise ValueError(
                f"{check_layers(name, layers).shape[0]} layers for the {len(frames)} frames of '{clip_name}'"
            )
        # The size is known with the first frame; a bad argument is reported now.
        self._spec = ClipSpec(clip_name, max(len(frames), 1), (1, 1), seed, severity, preset, layers)
        self._prepared: Corruption | None = None

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

    def _for_size(self, size: tuple[int, int]) -> Corruption:
        if self._prepared is None or self._prepared.clip.size != size:
            self._prepared = prepared(self.name, replace(self._spec, size=size))
        return self._prepared
