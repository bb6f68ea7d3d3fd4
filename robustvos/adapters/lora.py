"""LoRA on memory attention: the same projections as MoGA, every component always open."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters import projections
from robustvos.adapters.base import Adapter
from robustvos.adapters.layer_norms import layer_norm_parameters
from robustvos.adapters.low_rank import LowRank


class LoRA(Adapter):
    """Low-rank updates of memory attention's projections, the same for all objects.

    Args:
        rank: Number of components of each update, at least 1. None: half the width of memory attention, as MoGA's.
        scale: Factor of the updates (LoRA's ``alpha / rank``).
        layer_norms: Layer norms trained besides: a preset or patterns, see
            :func:`robustvos.adapters.layer_norms.layer_norm_parameters`.

    Raises:
        UserError: If the rank is below 1.

    Source: Hu et al., ICLR 2022; compared with MoGA in RobustPVOS, Table 4.
    """

    def __init__(
        self,
        rank: int | None = None,
        scale: float = 1.0,
        layer_norms: str | Sequence[str] = "image_encoder",
    ) -> None:
        super().__init__()
        projections.check_rank(rank)
        self.wanted_rank = rank
        self.scale = scale
        self.layer_norms = layer_norms

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """Memory attention's projections."""
        return projections.memory_attention_targets(model)

    def host_parameters(self, model: nn.Module) -> list[str]:
        """The layer norms."""
        return layer_norm_parameters(model, self.layer_norms)

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create the updates and hang them beside the projections."""
        self.rank = projections.rank_for(model, self.wanted_rank)
        self.low_rank = projections.low_rank_updates(model, self.rank)
        return projections.add_to_outputs(model, self.low_rank, self._delta)

    def adds_nothing(self) -> bool:
        """Whether every ``B`` is zero."""
        return projections.adds_nothing(self.low_rank)

    def _delta(self, layer: int, name: str, update: LowRank, x: Tensor) -> Tensor | None:
        return update.delta(x, scale=self.scale) if self.enabled else None
