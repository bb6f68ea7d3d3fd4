"""Epochs of a training: how long clips are in each, and which of the numbered clips a process makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from robustvos.errors import UserError

EPOCH = 1_000_000
"""Numbers of clips in an epoch."""


@dataclass(frozen=True)
class Epoch:
    """The epoch that a loader is made for.

    Attributes:
        number: From 0 on.
        processes: That train together.
        process: Which of them asks.
        reload_every: After how many epochs the trainer makes loaders anew (0: never); None: nobody trains.
    """

    number: int = 0
    processes: int = 1
    process: int = 0
    reload_every: int | None = None

    def value_of(self, schedule: int | Mapping[int, int]) -> int:
        """What a schedule says for this epoch, see :func:`clip_length`.

        Raises:
            UserError: If it changes at epochs for which the trainer does not make loaders anew.
        """
        if self.reload_every is not None and isinstance(schedule, Mapping):
            check_reloading(schedule, self.reload_every)
        return clip_length(schedule, self.number)

    def first_of(self, count: int, below: int | None = None) -> int:
        """Number of the first of the ``count`` clips of this process: no epoch and no process shares one.

        Args:
            count: Clips of a process.
            below: Numbers from this on are of something else.

        Raises:
            UserError: If there are not as many numbers.
        """
        first = self.number * EPOCH + self.process * count
        if self.processes * count > EPOCH or (below is not None and first + count > below):
            raise UserError(
                f"epoch {self.number} of {self.processes * count} clips has no numbers left; take fewer batches or epochs"
            )
        return first


def clip_length(frames: int | Mapping[int, int], epoch: int) -> int:
    """Length of training clips in ``epoch``.

    >>> [clip_length({0: 2, 3: 8}, epoch) for epoch in (0, 2, 3, 9)]
    [2, 2, 8, 8]

    Raises:
        UserError: If the schedule does not start at epoch 0.
    """
    if isinstance(frames, int):
        return frames
    if 0 not in frames:
        raise UserError(f"the schedule of clip lengths {dict(frames)} must start at epoch 0")
    return frames[max(start for start in frames if start <= epoch)]


def check_reloading(schedule: Mapping[int, int], every: int) -> None:
    """Refuse a schedule of clip lengths that would pass unnoticed.

    Raises:
        UserError: Saying what to set.
    """
    missed = [start for start in schedule if start and (not every or start % every)]
    if missed:
        raise UserError(
            f"clips should change their length at epochs {missed}, but loaders are made anew every {every} epochs (0: never); "
            "set trainer.reload_dataloaders_every_n_epochs to 1"
        )
