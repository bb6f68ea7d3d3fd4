"""How a system is trained, whatever the system: prompts, loss, learning rate."""

from __future__ import annotations

from dataclasses import dataclass, field

from lightning_modules.optimisation import Optimisation
from robustvos.sam2.config import PromptSampling
from robustvos.sam2.losses import LossWeights


@dataclass(frozen=True)
class Recipe:
    """What two systems must share to be comparable.

    Attributes:
        sampling: How training prompts are drawn.
        loss: Weights of the loss.
        optimisation: Learning rate and its schedule.
    """

    sampling: PromptSampling = field(default_factory=PromptSampling)
    loss: LossWeights = field(default_factory=LossWeights)
    optimisation: Optimisation = field(default_factory=Optimisation)
