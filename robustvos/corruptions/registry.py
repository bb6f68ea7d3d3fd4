"""The corruptions by name."""

from __future__ import annotations

from torch import Tensor

from robustvos.corruptions.base import Corruption
from robustvos.corruptions.blur import MotionBlur, ResamplingBlur
from robustvos.corruptions.colour import ColorJitter
from robustvos.corruptions.fog import Fog
from robustvos.corruptions.noise import GaussNoise, IsoNoise
from robustvos.corruptions.rain import Rain
from robustvos.corruptions.snow import Snow
from robustvos.errors import UnknownName

CORRUPTIONS: dict[str, type[Corruption]] = {
    kind.name: kind for kind in (ColorJitter, GaussNoise, IsoNoise, MotionBlur, ResamplingBlur, Fog, Rain, Snow)
}


class Clean(Corruption):
    """No corruption; so that clean clips need no special case."""

    name = "clean"

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Copy the frame."""
        out.copy_(frame)


def corruption_class(name: str) -> type[Corruption]:
    """The corruption called ``name``; ``"clean"`` is the identity.

    Raises:
        UnknownName: If there is none.

    >>> corruption_class("fog").name
    'fog'
    """
    known: dict[str, type[Corruption]] = {**CORRUPTIONS, Clean.name: Clean}
    if name not in known:
        raise UnknownName.of("corruption", name, known)
    return known[name]
