"""Corruptions on the fly, for training clips and for evaluation videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from robustvos.corruptions import (
    SETS,
    AnyLayers,
    ClipSpec,
    CorruptedFrames,
    corrupt_clip,
    names_of,
    needs_layers,
    parts_of,
)
from robustvos.errors import UserError
from robustvos.seeding import numpy_rng
from robustvos.types import Clip, Video

_NO_LAYERS = (
    "'{}' degrades each thing of a frame in its own way and needs to know them: take --data shapes, or give depth maps of your "
    "frames with --data.depth FOLDER"
)


def strength(preset: str, severity: float) -> dict[str, str]:
    """How strongly evaluation videos are corrupted, for :meth:`datamodules.base.Data.evaluation_facts`."""
    return {"preset": preset, "severity": f"{severity:g}"}


@dataclass(frozen=True)
class Corruption:
    """What training clips are corrupted by: one of the names a clip, drawn uniformly.

    Attributes:
        names: Corruptions, combinations (``fog+rain``) and sets: ``robustpvos8``, the benchmark's eight, whatever plugins
            are installed; ``all``, every one that a frame is enough for, plugins included; ``local``, every one that
            degrades each thing in its own way, which needs clips whose layers are known (shapes, or videos with depth maps).
        severity: Drawn uniformly from this range, above 0 and at most 5.
        preset: ``release`` or ``intended``.
        clean_probability: Chance that a clip stays clean (the papers' training: 0).

    Raises:
        UnknownName: If a name is not a corruption, or the preset is not known.
        UserError: If there is no name, a severity is out of range, the lower one comes last, or the probability is
            outside [0, 1].
    """

    names: tuple[str, ...] = ("robustpvos8",)
    severity: tuple[float, float] = (3.0, 3.0)
    preset: str = "intended"
    clean_probability: float = 0.0

    def __post_init__(self) -> None:
        if not self.known_names():
            raise UserError(
                "no corruption is named to train on; give [robustpvos8], some of them, or no corruption at all"
            )
        for severity in self.severity:
            check_conditions(self.known_names(), severity, self.preset, layered=True)
        if self.severity[0] > self.severity[1]:
            raise UserError(f"severity {tuple(self.severity)} is no range: give the lower bound first")
        if not 0 <= self.clean_probability <= 1:
            raise UserError(f"clean_probability is {self.clean_probability:g}; a probability is in [0, 1]")

    def known_names(self) -> tuple[str, ...]:
        """The names, sets spelt out."""
        return names_of(self.names)

    @property
    def names_sets_alone(self) -> bool:
        """Whether no corruption is named by itself."""
        return all(name in SETS for name in self.names)


def check_layers(names: Sequence[str]) -> None:
    """Raise UserError if one of the corruptions needs clips whose layers are known."""
    for name in names:
        if needs_layers(name):
            raise UserError(_NO_LAYERS.format(name))


def check_conditions(
    names: Sequence[str], severity: float = 3.0, preset: str = "intended", layered: bool = False
) -> None:
    """Refuse at once what would fail with the first video.

    Args:
        names: ``clean``, corruptions and combinations.
        severity: Their strength.
        preset: Theirs.
        layered: The layers of the clips are known, so that local corruptions can be made.

    Raises:
        UnknownName: If a name is neither ``clean`` nor a corruption, or the preset is not known.
        UserError: If the severity is out of range, or a local corruption is asked of clips without layers.
    """
    if not layered:
        check_layers(names)
    for name in names:
        parts_of(name)
    ClipSpec("any", length=1, size=(1, 1), severity=severity, preset=preset)


def corrupt_training_clip(
    clip: Clip,
    settings: Corruption,
    seed: int,
    layers: Callable[[], AnyLayers] | None = None,
    indices: Sequence[int] | None = None,
    length: int | None = None,
) -> Clip:
    """Corrupt a clip; which corruption and how strong depend on the seed and the clip's name alone.

    Args:
        clip: With clean frames.
        settings: What to draw from.
        seed: Of the training.
        layers: Gives those of the clip, or of the whole video; only local corruptions ask.
        indices: Where the clip is a part of a video, the place of each frame in it: what changes over a video changes
            over a few of its frames as little as there.
        length: Frames of that video.

    Raises:
        UserError: If a local corruption is drawn and the layers are not known.
    """
    rng = numpy_rng("corruption", seed, clip.name)
    if rng.random() < settings.clean_probability:
        return clip
    names = settings.known_names()
    name = names[rng.integers(len(names))]
    severity = float(rng.uniform(*settings.severity))
    if layers is None:
        check_layers([name])
    frames = clip.frames
    for part in parts_of(name):
        # rain falls, also in a clip that runs backwards; layers go with their frames
        order = indices if part.needs_layers or indices is None else sorted(indices)
        frames = corrupt_clip(
            frames,
            part.name,
            clip_name=clip.name,
            seed=seed,
            severity=severity,
            preset=settings.preset,
            indices=order,
            length=None if part.needs_layers else length,
            layers=layers() if part.needs_layers and layers is not None else None,
        )
    return replace(clip, frames=frames, corruption=name)


def corrupted_video(
    video: Video, condition: str, severity: float, preset: str, layers: AnyLayers | None = None
) -> Video:
    """The video under ``condition`` (``clean``, or a corruption), frame by frame when asked for; local ones need layers."""
    if condition == "clean":
        return video
    frames = CorruptedFrames(
        video.frames, condition, clip_name=video.name, severity=severity, preset=preset, layers=layers
    )
    return replace(video, frames=frames, corruption=condition)
