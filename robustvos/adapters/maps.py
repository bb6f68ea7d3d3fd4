"""What the memory's maps hold of each object: their features, averaged over where the object is.

A pointer is made to tell an object from others, and says little of what the object suffers from; the features that the
memory holds of it say more (``benchmarks/probe_objects.py``). Averaged over a whole frame they say nothing of one object, and
where it is, the maps alone know: SAM 2 writes its mask into them. What a mask adds to a map is nearly one direction, which
:func:`what_a_mask_adds` finds by asking the memory encoder.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robustvos.adapters.gate import current_tokens, memory_tokens

SHARPNESS = 16.0
"""Logarithm of how much more a place inside the mask counts than one outside, to begin with."""
_SIDE = 8  # tokens, of the map that the memory encoder is asked about


class MapReader(nn.Module):
    """Average each map of the memory over where its object is.

    Args:
        model: SAM 2; only what a mask adds to its maps is taken.

    Attributes:
        query: ``(mem_dim,)``, trained: how much a token counts is the softmax of its product with it.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        added = what_a_mask_adds(model)
        self.query = nn.Parameter(SHARPNESS * added / added.square().sum().clamp(min=1e-12))

    def forward(self, maps: Tensor) -> Tensor:
        """``(P, HW, B, mem_dim)`` -> ``(P, B, mem_dim)``."""
        return torch.einsum("phb,phbc->pbc", self.weight(maps), maps)

    def weight(self, maps: Tensor) -> Tensor:
        """How much each token counts: ``(P, HW, B, mem_dim)`` -> ``(P, HW, B)``, which sum to 1 over ``HW``."""
        return torch.softmax(maps @ self.query.to(maps.dtype), dim=1)


def memory_maps(memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The maps ``(P, HW, B, mem_dim)`` of :func:`robustvos.adapters.gate.memory_tokens`, of ``P`` frames; ``P`` may be 0."""
    maps, _ = memory_tokens(memory_attention, args, kwargs)
    return torch.unflatten(maps, 0, (-1, current_tokens(memory_attention, args, kwargs).shape[0]))


@torch.no_grad()
def what_a_mask_adds(model: Any) -> Tensor:
    """``(mem_dim,)``, how tokens of an empty frame's map differ between a mask that is everywhere and one that is nowhere."""
    encoder = model.memory_encoder
    like = next(encoder.parameters())
    low = float(getattr(model, "sigmoid_bias_for_mem_enc", 0.0))
    high = low + float(getattr(model, "sigmoid_scale_for_mem_enc", 1.0))
    frame = like.new_zeros(1, int(model.hidden_dim), _SIDE, _SIDE)
    side = _SIDE * int(model.backbone_stride)
    everywhere, nowhere = (
        encoder(frame, like.new_full((1, 1, side, side), value), skip_mask_sigmoid=True)["vision_features"]
        for value in (high, low)
    )
    added: Tensor = (everywhere - nowhere).mean(dim=(0, 2, 3))
    return added
