"""Low-rank updates beside the projections of SAM 2's memory attention: what LoRA and MoGA share.

Adapted are the queries, keys and values of self-attention and the queries of cross-attention, in every layer
(RobustPVOS, section 4.2). Cross-attention's keys and values read the memory, not the frame, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters.low_rank import LowRank
from robustvos.errors import UserError

PROJECTIONS: dict[str, str] = {
    "self_attn_q": "self_attn.q_proj",
    "self_attn_k": "self_attn.k_proj",
    "self_attn_v": "self_attn.v_proj",
    "cross_attn_q": "cross_attn_image.q_proj",
}
"""Short name of each adapted projection -> its place in a layer of memory attention."""

Delta = Callable[[int, str, LowRank, Tensor], "Tensor | None"]
"""``(layer, projection, its update, input (B, N, in)) -> what is added to the output (B, N, out)`` or None."""


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
    """Hang a hook on every adapted projection that adds what ``delta`` says to its output."""
    return [
        linear.register_forward_hook(partial(_add, delta, i, name, updates.get_submodule(f"{i}.{name}")))
        for i, layer in enumerate(adapted_projections(model))
        for name, linear in layer.items()
    ]


def adds_nothing(updates: nn.ModuleList) -> bool:
    """Whether all updates are zero."""
    return all(module.is_zero() for module in updates.modules() if isinstance(module, LowRank))


def _add(
    delta: Delta, layer: int, name: str, update: nn.Module, projection: nn.Module, args: tuple[Tensor], output: Tensor
) -> Tensor | None:
    added = delta(layer, name, cast(LowRank, update), args[0])
    return None if added is None else output + added
