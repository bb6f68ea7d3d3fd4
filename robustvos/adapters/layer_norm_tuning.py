"""Train nothing but layer norms: what the norms that other adapters train besides are worth by themselves."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters.base import Adapter
from robustvos.adapters.layer_norms import AUTO, layer_norm_parameters
from robustvos.errors import UserError


class LayerNormTuning(Adapter):
    """Layer norms are trained, all else is frozen.

    Args:
        layer_norms: A preset or patterns, see :func:`robustvos.adapters.layer_norms.layer_norm_parameters`.

    Raises:
        UserError: If it is ``"none"``.
    """

    def __init__(self, layer_norms: str | Sequence[str] = AUTO) -> None:
        super().__init__()
        if layer_norms == "none" or not layer_norms:
            raise UserError("LayerNormTuning with layer_norms 'none' would train nothing; name some, or use no adapter")
        self.layer_norms = layer_norms

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """None but the layer norms."""
        return {}

    def host_parameters(self, model: nn.Module) -> list[str]:
        """The layer norms."""
        return layer_norm_parameters(model, self.layer_norms)

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """No hook."""
        return []

    def adds_nothing(self) -> bool:
        """Always: all that is trained is the model's."""
        return True
