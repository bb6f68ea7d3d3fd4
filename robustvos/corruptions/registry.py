"""The corruptions by name, sets of them, and their combinations."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from robustvos.corruptions.base import ClipSpec, Corruption
from robustvos.corruptions.blur import MotionBlur, ResamplingBlur
from robustvos.corruptions.colour import ColorJitter
from robustvos.corruptions.combined import Combined
from robustvos.corruptions.fog import Fog
from robustvos.corruptions.local import DepthFog, LensDrops, LocalBlur, LowLight, Mixed
from robustvos.corruptions.night import Night
from robustvos.corruptions.noise import GaussNoise, IsoNoise
from robustvos.corruptions.rain import Rain
from robustvos.corruptions.snow import Snow
from robustvos.errors import UnknownName, UserError

_BENCHMARK = (ColorJitter, GaussNoise, IsoNoise, MotionBlur, ResamplingBlur, Fog, Rain, Snow)
_BESIDE = (Night,)
_LOCAL = (DepthFog, LowLight, LocalBlur, LensDrops, Mixed)

CORRUPTIONS: dict[str, type[Corruption]] = {kind.name: kind for kind in (*_BENCHMARK, *_BESIDE, *_LOCAL)}
"""Every corruption but ``clean``; add your own here, from a module that is imported first."""
ROBUSTPVOS8: tuple[str, ...] = tuple(kind.name for kind in _BENCHMARK)
"""The benchmark's eight, in the paper's order. No plugin is ever among them."""
SETS = ("robustpvos8", "all", "local")
"""Names that stand for several; see :func:`names_of`."""
PLUS = "+"


class Clean(Corruption):
    """No corruption; so that clean clips need no special case."""

    name = "clean"

    def render(self, frame: Tensor, index: int, out: Tensor) -> None:
        """Copy the frame."""
        out.copy_(frame)


def names_of(given: Iterable[str]) -> tuple[str, ...]:
    """Names with sets spelt out, each once, in order.

    ``robustpvos8`` are the benchmark's eight; ``all`` every registered corruption that a frame is enough for; ``local`` every
    one that needs the layers of its clip. Other names stay as they are, known or not.

    >>> names_of(["robustpvos8", "fog", "fog+rain"])[4:]
    ('resampling_blur', 'fog', 'rain', 'snow', 'fog+rain')
    """
    sets = {
        "robustpvos8": ROBUSTPVOS8,
        "all": tuple(name for name, kind in CORRUPTIONS.items() if not kind.needs_layers),
        "local": tuple(name for name, kind in CORRUPTIONS.items() if kind.needs_layers),
    }
    return tuple(dict.fromkeys(name for one in given for name in sets.get(one, (one,))))


def corruption_class(name: str) -> type[Corruption]:
    """The single corruption called ``name``; ``"clean"`` is the identity.

    Raises:
        UnknownName: If there is none.

    >>> corruption_class("fog").name
    'fog'
    """
    known: dict[str, type[Corruption]] = {**CORRUPTIONS, Clean.name: Clean}
    if name not in known:
        raise UnknownName.of("corruption", name, known)
    return known[name]


def prepared(name: str, clip: ClipSpec) -> Corruption:
    """The corruption called ``name``, or the combination, prepared for a clip.

    Raises:
        UnknownName: If there is none, or a part of a combination is not known.
        UserError: If a combination names a part twice, or layers are needed and the clip has none.
        ValueError: If its layers do not fit the clip.
    """
    parts = parts_of(name)
    return parts[0](clip) if len(parts) == 1 else Combined(clip, parts)


def parts_of(name: str) -> tuple[type[Corruption], ...]:
    """The corruptions that a name combines, in order: of ``fog+rain`` two, of a single one itself, of ``clean`` the identity.

    Raises:
        UnknownName: If there is none, or a part of a combination is not known.
        UserError: If a combination names a part twice.

    >>> [part.name for part in parts_of("fog+rain")]
    ['fog', 'rain']
    """
    if PLUS not in name:
        return (corruption_class(name),)
    names = name.split(PLUS)
    for part in names:
        if part not in CORRUPTIONS:
            raise UnknownName.of(f"corruption in '{name}':", part, CORRUPTIONS)
    if len(set(names)) < len(names):
        raise UserError(f"'{name}' names a corruption twice; name each of them once, and raise the severity instead")
    return tuple(CORRUPTIONS[part] for part in names)


def is_corruption(name: str) -> bool:
    """Whether ``name`` is a corruption or a combination of some; ``clean`` is none."""
    names = name.split(PLUS)
    return len(set(names)) == len(names) and all(part in CORRUPTIONS for part in names)


def needs_layers(name: str) -> bool:
    """Whether a corruption, or one of those combined, needs the layers of its clip; False for names that are not known.

    >>> needs_layers("fog"), needs_layers("fog+depth_fog")
    (False, True)
    """
    return any(part in CORRUPTIONS and CORRUPTIONS[part].needs_layers for part in name.split(PLUS))
