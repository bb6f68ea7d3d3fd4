"""Move the temperature of an adapter's gates over the run."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import lightning as L
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from robustvos.adapters import GatedAdapter
from robustvos.errors import UnknownName, UserError

Schedule = Literal["linear", "cosine", "exponential"]
Unit = Literal["step", "epoch"]


class TemperatureAnnealing(L.Callback):
    """Set ``module.adapter.tau`` while training, from ``start`` on its first step or epoch to ``end`` on its last.

    The temperature follows from the step or epoch that training is at, and from nothing remembered: a run that is
    resumed goes on where it stopped. Resumed with another length, it follows the curve of the new length.

    A system without gates is left alone, and so is one whose temperature is fixed by its method (``anneals_tau``): one
    configuration serves MoGA and what it is compared with.

    Args:
        start: Temperature at the beginning, above 0; may lie above or below ``end``.
        end: Temperature at the end and thereafter, above 0 (the paper: 0.3).
        schedule: ``linear`` (the paper), ``cosine`` (slow at both ends), or ``exponential`` (a constant ratio between
            neighbours).
        unit: Whether it moves with every ``step`` of the optimiser or with every ``epoch``.
        duration: How long it takes: None, the whole run; a whole number, that many steps or epochs; a decimal in
            (0, 1], that share of the run. Over a single step or epoch it is ``end`` at once.

    Raises:
        UserError: If an argument is out of range; when fitting starts, if the run's length is asked for and unknown.
        UnknownName: If ``schedule`` or ``unit`` is not one of the above.

    Source: RobustPVOS, implementation details ("0.3 with a linear annealing").
    """

    def __init__(
        self,
        start: float,
        end: float = 0.3,
        schedule: Schedule = "linear",
        unit: Unit = "step",
        duration: int | float | None = None,
    ) -> None:
        for name, value in (("start", start), ("end", end)):
            if not (math.isfinite(value) and value > 0):
                raise UserError(f"annealing: {name} is {value}; a temperature must be a number above 0")
        if schedule not in get_args(Schedule):
            raise UnknownName.of("annealing schedule", schedule, get_args(Schedule))
        if unit not in get_args(Unit):
            raise UnknownName.of("annealing unit", unit, get_args(Unit))
        _check_duration(duration, unit)
        self.start, self.end = float(start), float(end)
        self.schedule, self.unit, self.duration = schedule, unit, duration
        self._length = 1

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Say so if the system has no temperature to move: a recipe may be shared by systems with and without gates."""
        if stage != "fit" or _annealed(pl_module) is not None:
            return
        gated = _gated(pl_module)
        reason = (
            "this system has no gates, hence no temperature"
            if gated is None
            else f"tau stays {gated.tau:g} by its method"
        )
        rank_zero_info(f"TemperatureAnnealing: {reason}; nothing is annealed")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find out how long the annealing takes; the run's length is known by now."""
        self._length = self._duration_in_units(trainer)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the temperature of this step and log it as ``tau``."""
        adapter = _annealed(pl_module)
        if adapter is None:
            return
        done = trainer.global_step if self.unit == "step" else trainer.current_epoch
        tau = self.temperature(done, self._length)
        adapter.tau = tau
        pl_module.log("tau", tau, on_step=True, on_epoch=False, batch_size=1)

    def temperature(self, done: int, length: int) -> float:
        """Temperature after ``done`` steps or epochs of an annealing over ``length``.

        >>> annealing = TemperatureAnnealing(1.0, 0.2)
        >>> [round(annealing.temperature(done, length=5), 3) for done in (0, 1, 2, 3, 4, 100)]
        [1.0, 0.8, 0.6, 0.4, 0.2, 0.2]
        """
        progress = min(1.0, done / (length - 1)) if length > 1 else 1.0
        if self.schedule == "exponential":
            return self.start ** (1 - progress) * self.end**progress
        eased = progress if self.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * progress))
        return self.start * (1 - eased) + self.end * eased  # exact at both ends, unlike start + (end - start) * eased

    def _duration_in_units(self, trainer: L.Trainer) -> int:
        if self.duration is not None and not isinstance(self.duration, float):
            return self.duration
        run = _run_length(trainer, self.unit)
        if run is None:
            raise UserError(
                f"annealing: the length of the run in {self.unit}s is unknown; set trainer.max_epochs or "
                f"trainer.max_steps, or give duration as a number of {self.unit}s"
            )
        return max(1, round(run * (1.0 if self.duration is None else self.duration)))


def _check_duration(duration: int | float | None, unit: str) -> None:
    if duration is None:
        return
    if isinstance(duration, float):
        if not 0 < duration <= 1:
            raise UserError(f"annealing: duration {duration} is no share in (0, 1]; write {unit}s as a whole number")
    elif isinstance(duration, bool) or duration < 1:
        raise UserError(f"annealing: duration is {duration}; give at least 1 {unit}, a share in (0, 1], or null")


def _gated(module: Any) -> GatedAdapter | None:
    """The module's adapter, if it has one with gates."""
    adapter = getattr(module, "adapter", None)
    return adapter if isinstance(adapter, GatedAdapter) and adapter.is_gated else None


def _annealed(module: Any) -> GatedAdapter | None:
    """The same, if its temperature may be moved."""
    adapter = _gated(module)
    return adapter if adapter is not None and adapter.anneals_tau else None


def _run_length(trainer: L.Trainer, unit: str) -> int | None:
    """Steps or epochs of the whole run; None where Lightning cannot know."""
    epochs = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs > 0 else None
    if unit == "epoch" and math.isinf(trainer.num_training_batches):
        return epochs
    steps = trainer.estimated_stepping_batches
    if math.isinf(steps) or steps < 1:
        return None
    if unit == "step":
        return int(steps)
    return math.ceil(steps / math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches))
