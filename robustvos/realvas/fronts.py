"""The occluders of a clip, as the records of ``filter`` and of ``combine`` name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Front:
    """An occluder at a delay.

    Attributes:
        track: Its key.
        shot: Key of its shot.
        delay: Frame ``t`` of the occludee's shot goes with ``t - delay`` of this one's.
    """

    track: str
    shot: str
    delay: int


def fronts_of(figures: Mapping[str, Any]) -> list[Front]:
    """Occluders of a candidate or of a combination, the farthest first."""
    if "fronts" not in figures:
        return [Front(figures["front"], figures["front_shot"], figures["delay"])]
    named = zip(figures["fronts"], figures["front_shots"], figures["delays"], strict=True)
    return [Front(*front) for front in named]
