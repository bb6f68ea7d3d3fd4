"""Low-rank updates of linear layers, whose rank-1 components may be gated one by one; and where LoRA and MoGA put them.

Adapted are the queries, keys and values of self-attention and the queries of cross-attention, in every layer of SAM 2's
memory attention (RobustPVOS, section 4.2). Cross-attention's keys and values read the memory, not the frame, and stay as
they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from typing_extensions import Self

from robustvos.errors import UserError

PROJECTIONS: dict[str, str] = {
    "self_attn_q": "self_attn.q_proj",
    "self_attn_k": "self_attn.k_proj",
    "self_attn_v": "self_attn.v_proj",
    "cross_attn_q": "cross_attn_image.q_proj",
}
"""Short name of each adapted projection -> its place in a layer of memory attention."""

Delta = Callable[[int, str, "LowRank", Tensor], "Tensor | None"]
"""``(layer, projection, its update, input (B, N, in)) -> what is added to the output (B, N, out)`` or None."""


def gated_low_rank(x: Tensor, a: Tensor, b: Tensor, gate: Tensor | None = None, scale: float = 1.0) -> Tensor:
    """``scale * sum_i gate_i b_i a_i^T x``, as one low-rank product.

    Averaging the updates of several gates ``z_t`` needs no loop over ``t``: ``b`` is linear, hence
    ``mean_t b (z_t * a x) = b (mean_t(z_t) * a x)``. Pass the mean as ``gate``.

    Args:
        x: ``(B, N, in)``.
        a: ``(R, in)``, the rows ``a_i``.
        b: ``(out, R)``, the columns ``b_i``.
        gate: ``(B, R)`` in [0, 1], one row per element of the batch; None leaves all components open.
        scale: Factor of the whole.

    Returns:
        ``(B, N, out)``, of the type that the linear products have (half precision under autocast).

    Source: RobustPVOS, equation 6; LoRA, section 4.1.
    """
    components = functional.linear(x, a)
    if gate is not None:
        components = components * (scale * gate).to(components.dtype)[:, None, :]
    elif scale != 1.0:
        components = components * scale
    return functional.linear(components, b)


class LowRank(nn.Module):
    """The matrices of ``delta W = B A``: ``A`` random, ``B`` zero, so that a fresh update is nothing.

    Args:
        in_features: Size of the input.
        out_features: Size of the output.
        rank: Number ``R`` of rank-1 components.

    Attributes:
        A: ``(R, in)``, uniform as ``nn.Linear`` draws its weights.
        B: ``(out, R)``, zero.
    """

    def __init__(self, in_features: int, out_features: int, rank: int) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.empty(rank, in_features))
        self.B = nn.Parameter(torch.zeros(out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    @classmethod
    def beside(cls, linear: nn.Linear, rank: int) -> Self:
        """One that fits ``linear``, on its device and of its type."""
        return cls(linear.in_features, linear.out_features, rank).to(linear.weight)

    def delta(self, x: Tensor, gate: Tensor | None = None, scale: float = 1.0) -> Tensor:
        """What is added to the layer's output for its input ``x (B, N, in)``; see :func:`gated_low_rank`."""
        return gated_low_rank(x, self.A, self.B, gate, scale)

    def weight(self, scale: float = 1.0) -> Tensor:
        """``(out, in)`` float32, what is added to the layer's weight if all components are open: ``scale * B A``."""
        return scale * (self.B.detach().float() @ self.A.detach().float())

    def is_zero(self) -> bool:
        """Whether the update is nothing, whatever the input."""
        return not bool(self.B.any())


def memory_attention_targets(model: nn.Module) -> dict[str, type[nn.Module]]:
    """The submodules that must be there, for :meth:`robustvos.adapters.base.Adapter.targets`."""
    targets: dict[str, type[nn.Module]] = {"memory_attention": nn.Module, "memory_attention.layers": nn.ModuleList}
    layers = getattr(getattr(model, "memory_attention", None), "layers", ())
    for i in range(max(1, len(layers))):
        targets |= {f"memory_attention.layers.{i}.{path}": nn.Linear for path in PROJECTIONS.values()}
    return targets


def check_rank(rank: int | None) -> None:
    """Raise UserError unless ``rank`` is at least 1, or None: to be read off the model."""
    if rank is not None and rank < 1:
        raise UserError(f"rank is {rank}; an adapter needs at least 1")


def rank_for(model: nn.Module, rank: int | None) -> int:
    """``rank``, or if it is None half the width of the model's memory attention."""
    if rank is not None:
        return rank
    return adapted_projections(model)[0]["self_attn_q"].in_features // 2


def low_rank_updates(model: nn.Module, rank: int) -> nn.ModuleList:
    """A fresh :class:`LowRank` for every adapted projection: ``updates[layer][projection]``."""
    return nn.ModuleList(
        nn.ModuleDict({name: LowRank.beside(linear, rank) for name, linear in layer.items()})
        for layer in adapted_projections(model)
    )


def adapted_projections(model: nn.Module) -> list[dict[str, nn.Linear]]:
    """The model's adapted layers, by layer and short name."""
    return [
        {name: cast(nn.Linear, layer.get_submodule(path)) for name, path in PROJECTIONS.items()}
        for layer in model.get_submodule("memory_attention.layers").children()
    ]


def add_to_outputs(model: nn.Module, updates: nn.ModuleList, delta: Delta) -> list[RemovableHandle]:
    """Register a hook on every adapted projection that adds what ``delta`` says to its output."""
    return [
        linear.register_forward_hook(partial(_add, delta, i, name, update_of(updates, i, name)))
        for i, layer in enumerate(adapted_projections(model))
        for name, linear in layer.items()
    ]


def merged_into_projections(
    model: nn.Module, updates: nn.ModuleList, scale: float
) -> list[tuple[nn.Parameter, Tensor]]:
    """The weight of every adapted projection, and what it becomes with its update, all components open."""
    return [
        (
            cast(nn.Parameter, linear.weight),
            linear.weight.detach() + update_of(updates, i, name).weight(scale).to(linear.weight),
        )
        for i, layer in enumerate(adapted_projections(model))
        for name, linear in layer.items()
    ]


def adds_nothing(updates: nn.ModuleList) -> bool:
    """Whether all updates are zero."""
    return all(module.is_zero() for module in updates.modules() if isinstance(module, LowRank))


def update_of(updates: nn.ModuleList, layer: int, name: str) -> LowRank:
    """The update of one projection, of those that :func:`low_rank_updates` made."""
    return cast(LowRank, updates.get_submodule(f"{layer}.{name}"))


def _add(
    delta: Delta, layer: int, name: str, update: LowRank, projection: nn.Module, args: tuple[Tensor], output: Tensor
) -> Tensor | None:
    added = delta(layer, name, update, args[0])
    return None if added is None else output + added
