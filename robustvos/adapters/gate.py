"""Gates: which rank-1 components are open, decided from an object pointer.

In training a gate is drawn, hard forward and soft backward; in evaluation it is decided. The noise of equation 3 is
Gumbel's and one-sided, so that the chance of an open gate in training is ``P(alpha + G > 0) = 1 - exp(-exp(alpha))``:
0.632 at ``alpha = 0``, where evaluation, which wants ``alpha > 0`` strictly, shuts it. The temperature does not enter
that chance: it shapes the gradient alone (the slope at the threshold is ``1 / (4 tau)``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gumbel_noise(like: Tensor) -> Tensor:
    """Independent draws from Gumbel(0, 1), float32, of the shape and on the device of ``like``."""
    return -torch.empty_like(like, dtype=torch.float32).exponential_().log()


def sampled_gate(logits: Tensor, tau: float, noise: Tensor | None = None) -> Tensor:
    """Gate of training: ``1[s > 0.5]`` forward, ``s = sigmoid((logits + noise) / tau)`` backward.

    Args:
        logits: ``alpha``, any shape.
        tau: Temperature, above 0.
        noise: Of the shape of ``logits``; None draws it from :func:`gumbel_noise`.

    Returns:
        Exact zeros and ones, of the shape of ``logits``; float32 at least.

    Source: RobustPVOS, equations 3 and 4.
    """
    noise = gumbel_noise(logits) if noise is None else noise
    soft = torch.sigmoid((logits + noise) / tau)  # float32 noise lifts half-precision logits
    hard = (soft > 0.5).to(soft.dtype)
    return hard + (soft - soft.detach())  # the bracket is exactly zero, so that the sum is exactly hard


def decided_gate(logits: Tensor) -> Tensor:
    """Gate of evaluation: ``1[sigmoid(logits) > 0.5]``, strict; float32 at least, without gradient.

    >>> decided_gate(torch.tensor([-1.0, 0.0, 0.1]))
    tensor([0., 0., 1.])
    """
    return (logits > 0).to(torch.promote_types(logits.dtype, torch.float32))


class Standardisation(nn.Module):
    """Subtract the mean of each channel and divide by its deviation, as they ran in training.

    Both move with each call in training, by a share of ``momentum`` once there were more than ``1 / momentum`` calls and
    evenly before that. They are buffers, which no optimiser moves. With several processes those of the first hold: DDP
    hands its buffers to the others.

    Args:
        channels: Number of channels.
        momentum: Share of the latest call, that is of one tracked frame of a batch of clips.
    """

    mean: Tensor
    variance: Tensor
    calls: Tensor

    def __init__(self, channels: int, momentum: float = 0.01) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """``(..., channels)`` -> the same shape and type, standardised."""
        if self.training:
            self._observe(x.detach().flatten(0, -2).to(self.mean))
        return ((x - self.mean) / (self.variance + 1e-6).sqrt()).to(x.dtype)

    @torch.no_grad()
    def _observe(self, rows: Tensor) -> None:
        share = (1.0 / (self.calls + 1)).clamp(min=self.momentum).to(self.mean)
        mean = rows.mean(0)
        spread = (rows - mean).square().mean(0)
        # of two groups together: what each varies by itself, and how far their means lie apart
        self.variance.lerp_(spread, share).add_(share * (1.0 - share) * (mean - self.mean).square())
        self.mean.lerp_(mean, share)
        self.calls += 1


class PointerGate(nn.Module):
    """Three-layer MLP from an object pointer to the gate logits of several projections.

    All objects share it. Its last layer is divided between the projections, so that each has its own selection.

    Args:
        pointer_dim: Size of an object pointer.
        hidden: Size of the two hidden layers.
        projections: Number ``N`` of projections.
        rank: Number ``R`` of components of each.
        bias: What the last layer's bias starts at. The paper is silent. Above 0, components start open, in evaluation
            too: 1.0 opens 93 % of the draws in training and, pointers apart, all in evaluation. At 0 evaluation would
            start with whatever half of them the random weights happen to open.

    Source: RobustPVOS, equation 2.
    """

    def __init__(self, pointer_dim: int, hidden: int, projections: int, rank: int, bias: float = 1.0) -> None:
        super().__init__()
        self.projections = projections
        last = nn.Linear(hidden, projections * rank)
        nn.init.constant_(last.bias, bias)
        self.mlp = nn.Sequential(nn.Linear(pointer_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last)

    def forward(self, pointers: Tensor) -> Tensor:
        """Object pointers ``(..., pointer_dim)`` -> logits ``(..., N, R)``."""
        return self.mlp(pointers).unflatten(-1, (self.projections, -1))
