"""LoRA on memory attention: the same projections as MoGA, every component always open."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters import low_rank
from robustvos.adapters.base import Adapter
from robustvos.adapters.layer_norms import AUTO, layer_norm_parameters
from robustvos.adapters.parts import with_parts


class LoRA(Adapter):
    """Low-rank updates of memory attention's projections, the same for all objects.

    Args:
        rank: Number of components of each update, at least 1. None: half the width of memory attention, as MoGA's.
        scale: Factor of the updates (LoRA's ``alpha / rank``).
        layer_norms: Layer norms trained besides: a preset or patterns, see
            :func:`robustvos.adapters.layer_norms.layer_norm_parameters`.
        parts: Parts of the model trained whole besides, see :func:`robustvos.adapters.parts.part_parameters`.
        motion: Whether the mask decoder is shown where an object was and would be, see :mod:`robustvos.adapters.motion`.

    Raises:
        UserError: If the rank is below 1.

    Source: Hu et al., ICLR 2022; compared with MoGA in RobustPVOS, Table 4.
    """

    def __init__(
        self,
        rank: int | None = None,
        scale: float = 1.0,
        layer_norms: str | Sequence[str] = AUTO,
        parts: Sequence[str] = (),
        motion: bool = False,
    ) -> None:
        super().__init__()
        low_rank.check_rank(rank)
        self.wanted_rank = rank
        self.scale = scale
        self.layer_norms = layer_norms
        self.parts = tuple(parts)
        self.motion = motion

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """Memory attention's projections."""
        return low_rank.memory_attention_targets(model)

    def host_parameters(self, model: nn.Module) -> list[str]:
        """The layer norms, and the parts."""
        return with_parts(model, layer_norm_parameters(model, self.layer_norms), self.parts)

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create the updates and add them beside the projections."""
        self.rank = low_rank.rank_for(model, self.wanted_rank)
        self.low_rank = low_rank.low_rank_updates(model, self.rank)
        handles = low_rank.add_to_outputs(model, self.low_rank, self._delta)
        return [*handles, *self.install_motion(model)]

    def adds_nothing(self) -> bool:
        """Whether every ``B`` is zero."""
        return low_rank.adds_nothing(self.low_rank) and self.moves_nothing()

    def merged_weights(self) -> list[tuple[nn.Parameter, Tensor]]:
        """The projections' weights with the updates added; a motion cue is no weight of the model."""
        if self.motion:
            return super().merged_weights()
        return low_rank.merged_into_projections(self._attached_host().model, self.low_rank, self.scale)

    def _delta(self, layer: int, name: str, update: low_rank.LowRank, x: Tensor) -> Tensor | None:
        return update.delta(x, scale=self.scale) if self.enabled else None
