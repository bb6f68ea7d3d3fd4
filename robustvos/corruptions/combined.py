"""Several corruptions one after the other, as real weather is: ``fog+rain``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from robustvos.corruptions.base import ClipSpec, Corruption


class Combined(Corruption):
    """Its parts in the order of the name: in ``fog+rain`` the rain falls before the fog, in ``rain+fog`` it is in it.

    Each part is what it is alone, drawn from the same seeds and of the clip's whole severity; frames are rounded to bytes
    between parts.

    Args:
        clip: What it is prepared for.
        kinds: Its parts, at least two.

    Attributes:
        parts: The same, prepared for the clip.
    """

    name = "combined"  # of the class; that of a combination names its parts

    def __init__(self, clip: ClipSpec, kinds: Sequence[type[Corruption]]) -> None:
        super().__init__(clip)
        self.parts = tuple(kind(clip) for kind in kinds)

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Corrupt one frame."""
        for part in self.parts[:-1]:
            between = torch.empty_like(frame, memory_format=torch.contiguous_format)
            part.render(frame, index, between)
            frame = between
        self.parts[-1].render(frame, index, out)
