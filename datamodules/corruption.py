"""Corruptions on the fly, for training clips and for evaluation videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from robustvos.corruptions import CORRUPTIONS, ClipSpec, CorruptedFrames, corrupt_clip
from robustvos.errors import UnknownName, UserError
from robustvos.seeding import numpy_rng
from robustvos.types import Clip, Video


@dataclass(frozen=True)
class Corruption:
    """What training clips are corrupted by: one corruption a clip, drawn uniformly.

    Attributes:
        names: Which; ``("all",)`` for the eight.
        severity: Drawn uniformly from this range, above 0 and at most 5.
        preset: ``release`` or ``intended``.
        clean_probability: Chance that a clip stays clean (the papers' training: 0).

    Raises:
        UnknownName: If a name is not a corruption, or the preset is not known.
        UserError: If there is no name, a severity is out of range, the lower one comes last, or the probability is
            outside [0, 1].
    """

    names: tuple[str, ...] = ("all",)
    severity: tuple[float, float] = (3.0, 3.0)
    preset: str = "intended"
    clean_probability: float = 0.0

    def __post_init__(self) -> None:
        if not self.known_names():
            raise UserError("no corruption is named to train on; give [all], some of them, or no corruption at all")
        for severity in self.severity:
            check_conditions(self.known_names(), severity, self.preset)
        if self.severity[0] > self.severity[1]:
            raise UserError(f"severity {tuple(self.severity)} is no range: give the lower bound first")
        if not 0 <= self.clean_probability <= 1:
            raise UserError(f"clean_probability is {self.clean_probability:g}; a probability is in [0, 1]")

    def known_names(self) -> tuple[str, ...]:
        """The names, ``all`` spelt out."""
        return tuple(CORRUPTIONS) if tuple(self.names) == ("all",) else tuple(self.names)


def check_conditions(names: Sequence[str], severity: float = 3.0, preset: str = "intended") -> None:
    """Refuse at once what would fail with the first video.

    Raises:
        UnknownName: If a name is neither ``clean`` nor a corruption, or the preset is not known.
        UserError: If the severity is out of range.
    """
    for name in names:
        if name != "clean" and name not in CORRUPTIONS:
            raise UnknownName.of("corruption", name, ["clean", *CORRUPTIONS])
    ClipSpec("any", length=1, size=(1, 1), severity=severity, preset=preset)


def corrupt_training_clip(clip: Clip, settings: Corruption, seed: int) -> Clip:
    """Corrupt a clip; which corruption and how strong depend on the seed and the clip's name alone."""
    rng = numpy_rng("corruption", seed, clip.name)
    if rng.random() < settings.clean_probability:
        return clip
    names = settings.known_names()
    name = names[rng.integers(len(names))]
    severity = float(rng.uniform(*settings.severity))
    frames = corrupt_clip(clip.frames, name, clip_name=clip.name, seed=seed, severity=severity, preset=settings.preset)
    return replace(clip, frames=frames, corruption=name)


def corrupted_video(video: Video, condition: str, severity: float, preset: str) -> Video:
    """The video under ``condition`` (``clean``, or a corruption), frame by frame when asked for."""
    if condition == "clean":
        return video
    frames = CorruptedFrames(video.frames, condition, clip_name=video.name, severity=severity, preset=preset)
    return replace(video, frames=frames, corruption=condition)
