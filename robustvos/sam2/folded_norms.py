"""Batch norms that keep their statistics, computed within the convolutions before them: half the time on a CPU."""

from __future__ import annotations

import itertools
from typing import cast

from torch import Tensor, nn


class FoldingConv(nn.Conv2d):
    """A convolution with the scale and shift of the batch norm after it.

    Both are taken from the norm in every call, so that weights may be loaded, moved and trained as before.
    """

    _norm: tuple[FoldedNorm]  # in a tuple, since it is a module of the parent

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, C', h, w)``, normalised."""
        (norm,) = self._norm
        mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        scale = norm.weight * (variance + norm.eps).rsqrt()
        shift = norm.bias - mean * scale
        if self.bias is not None:
            shift = shift + self.bias * scale
        return cast(Tensor, self._conv_forward(input, self.weight * scale.reshape(-1, 1, 1, 1), shift))


class FoldedNorm(nn.BatchNorm2d):
    """The weights and statistics of a batch norm, which the convolution before it applies; what is left is the activation."""

    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> the same, activated."""
        return cast(Tensor, self.act(input))


def fold_norms(body: nn.Module) -> None:
    """Fold every batch norm that directly follows a convolution among the children of a module, in place.

    Names and values of the state dict stay. Modules must call their children in order, as those of timm's EfficientNet
    family do, and norms must not be trained with batch statistics.
    """
    for parent in list(body.modules()):
        children = list(parent.named_children())
        for (conv_name, conv), (norm_name, norm) in itertools.pairwise(children):
            if type(conv) is nn.Conv2d and isinstance(norm, nn.BatchNorm2d) and norm.affine:
                folded = _folded(norm)
                setattr(parent, conv_name, _folding(conv, folded))
                setattr(parent, norm_name, folded)


def _folded(norm: nn.BatchNorm2d) -> FoldedNorm:
    folded = FoldedNorm(norm.num_features, norm.eps, norm.momentum, device="meta")
    folded._parameters, folded._buffers = norm._parameters, norm._buffers
    folded.act = getattr(norm, "act", nn.Identity())  # timm's norms have their activation
    return folded.train(norm.training)


def _folding(conv: nn.Conv2d, norm: FoldedNorm) -> FoldingConv:
    folding = FoldingConv(1, 1, 1, device="meta")
    folding.__dict__.update(conv.__dict__)
    folding._norm = (norm,)
    return folding
