"""How many training clips there are, and of what length."""

from __future__ import annotations

from dataclasses import dataclass

from robustvos.datasets.corruption import Corruption


@dataclass(frozen=True)
class TrainingSchedule:
    """How long training clips are, and how many there are.

    Attributes:
        frames: Length of a clip; or ``{epoch: length}``, each holding from that epoch on.
        clips_per_batch: Likewise.
        batches: Batches in an epoch, of all processes together.
        size: Side of the frames, pixels; None: the model's.
        corruption: What clips are corrupted by; None: nothing. Their layers are known, so ``local`` degradations too.
    """

    frames: int | dict[int, int] = 8
    clips_per_batch: int | dict[int, int] = 4
    batches: int = 100
    size: int | None = None
    corruption: Corruption | None = None


@dataclass(frozen=True)
class HiddenTraining:
    """How long training clips of hidden objects are, how many there are, and what weather they are in.

    Attributes:
        frames: Length of a clip; or ``{epoch: length}``, each holding from that epoch on.
        frames_per_batch: Clips in a batch are this over their length.
        batches: Batches in an epoch, of all processes together.
        size: Side of the frames, pixels; None: the model's.
        corruption: What clips are corrupted by; None: nothing.
    """

    frames: int | dict[int, int] = 12
    frames_per_batch: int = 24
    batches: int = 50
    size: int | None = None
    corruption: Corruption | None = None
