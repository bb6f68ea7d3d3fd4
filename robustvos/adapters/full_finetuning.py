"""Train every parameter of the model: the expensive system that adapters are compared with."""

from __future__ import annotations

from torch import nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters.base import Adapter


class FullFineTuning(Adapter):
    """All of the model is trained; its original values are kept in the CPU's memory, to be shown when disabled.

    Args:
        motion: Whether the mask decoder is shown where an object was and would be, see :mod:`robustvos.adapters.motion`.

    Not every parameter takes part in every step (unused memory slots, prompt types): distributed training needs
    ``find_unused_parameters=True``.

    Source: RobustPVOS, Table 3.
    """

    def __init__(self, motion: bool = False) -> None:
        super().__init__()
        self.motion = motion

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """No submodule in particular."""
        return {}

    def host_parameters(self, model: nn.Module) -> list[str]:
        """Every parameter."""
        return [name for name, _ in model.named_parameters()]

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """No hook but the motion cue's."""
        return self.install_motion(model)

    def adds_nothing(self) -> bool:
        """All that is trained is the model's, but for a motion cue."""
        return self.moves_nothing()
