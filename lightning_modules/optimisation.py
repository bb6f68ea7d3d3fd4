"""AdamW with a warm-up and a cosine, from a handful of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import nn

from robustvos.errors import UserError


@dataclass(frozen=True)
class Optimisation:
    """How parameters are trained.

    Attributes:
        learning_rate: Peak, after the warm-up.
        weight_decay: AdamW's, on everything that is trained.
        warmup_steps: Linear from 0 to the peak.
        final_fraction: The cosine ends at this fraction of the peak.
        layer_norm_factor: The base's layer norms learn at this fraction of the learning rate. The published SAM 2 is
            tuned so gently that 1 will do; where adapters learn fast, layer norms lose what they know.
        trunk_factor: Where a whole base is trained, the trunk of its image encoder learns at this fraction of the learning
            rate; 0: it stays as it is.
        parts_factor: Parts of the base that are trained whole beside an adapter learn at this fraction of the learning rate.
    """

    learning_rate: float = 5e-6
    weight_decay: float = 0.1
    warmup_steps: int = 0
    final_fraction: float = 0.1
    layer_norm_factor: float = 1.0
    trunk_factor: float = 1.0
    parts_factor: float = 1.0


def planned_steps(trainer: L.Trainer) -> int:
    """Steps of the optimiser in a whole training.

    Raises:
        UserError: If nothing says how long it is.
    """
    steps = trainer.estimated_stepping_batches
    if math.isinf(steps):
        raise UserError(
            "the learning rate falls over the whole training, whose length is not known: set --trainer.max_epochs or "
            "--trainer.max_steps; --trainer.max_time may end it before"
        )
    return int(steps)


def adamw_with_cosine(
    parameters: Iterable[nn.Parameter],
    settings: Optimisation,
    total_steps: int,
    layer_norms: Iterable[nn.Parameter] = (),
    trunk: Iterable[nn.Parameter] = (),
    parts: Iterable[nn.Parameter] = (),
) -> dict[str, Any]:
    """Optimiser and schedule in the form that Lightning expects; the schedule advances with every step.

    Args:
        parameters: All that is trained.
        settings: How.
        total_steps: Of the run.
        layer_norms: Those of the base's layer norms among the parameters.
        trunk: Those of the image encoder's trunk, if the whole base is trained.
        parts: Those of the base's that are trained whole beside an adapter.
    """
    slower = {
        "trunk": (settings.trunk_factor, {id(p) for p in trunk}),
        "parts": (settings.parts_factor, {id(p) for p in parts}),
        "layer_norms": (settings.layer_norm_factor, {id(p) for p in layer_norms}),
    }
    groups: dict[str, list[nn.Parameter]] = {"others": []}
    for parameter in parameters:
        name = next((n for n, (factor, ids) in slower.items() if factor != 1.0 and id(parameter) in ids), "others")
        groups.setdefault(name, []).append(parameter)
    rated = [
        {
            "params": group,
            "lr": settings.learning_rate * (slower[name][0] if name in slower else 1.0),
            "name": "all" if len(groups) == 1 else name,
        }
        for name, group in groups.items()
        if group
    ]
    optimiser = torch.optim.AdamW(rated, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: learning_rate_factor(step, settings, total_steps)
    )
    return {
        "optimizer": optimiser,
        "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "learning_rate"},
    }


def learning_rate_factor(step: int, settings: Optimisation, total_steps: int) -> float:
    """Learning rate at ``step``, relative to its peak.

    >>> settings = Optimisation(warmup_steps=10, final_fraction=0.1)
    >>> [round(learning_rate_factor(step, settings, 110), 3) for step in (0, 9, 10, 60, 110)]
    [0.1, 1.0, 1.0, 0.55, 0.1]
    """
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    progress = min(1.0, (step - settings.warmup_steps) / max(1, total_steps - settings.warmup_steps))
    return settings.final_fraction + (1 - settings.final_fraction) * 0.5 * (1 + math.cos(math.pi * progress))
