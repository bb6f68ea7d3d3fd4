"""MoGA as its public code has it: where it differs from the paper's text, and its parameter names.

Per layer of memory attention there are two updates, one shared by the queries and keys of self-attention and one for
the queries of cross-attention. Each stands in front of its projection (``x + scale * B (mean(z) * A x)`` goes in)
and has a gate of its own that reads each pointer *token* by itself. On Hiera-B+ at rank 128 exactly
1,094,112 parameters are trained: 4 x 263,168 and 41,440 of the image encoder's layer norms.

Source: facts of the public release of RobustPVOS (parameter names, shapes, constants); see the paper for the idea.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters.base import check_same
from robustvos.adapters.gate import GatedAdapter, check_pointers, pointer_sizes, pointer_tokens
from robustvos.adapters.layer_norms import layer_norm_parameters
from robustvos.adapters.low_rank import check_rank, gated_low_rank, memory_attention_targets
from robustvos.errors import CheckpointMismatch

SCOPE = "layers"
"""What the names of the gates begin with."""
PLACES: dict[str, tuple[str, ...]] = {
    "sa": ("self_attn.q_proj", "self_attn.k_proj"),
    "ca": ("cross_attn_image.q_proj",),
}
"""Each update -> the projections whose input it changes."""


class TokenGate(nn.Module):
    """Gate logits of one update from one pointer token: ``mem -> hidden`` linear, then a two-layer MLP.

    Args:
        mem_dim: Size of a token.
        hidden_dim: Size of the first layer; the second has half of it.
        rank: Number of components.
    """

    def __init__(self, mem_dim: int, hidden_dim: int, rank: int) -> None:
        super().__init__()
        self.masklet_proj = nn.Linear(mem_dim, hidden_dim)
        half = hidden_dim // 2
        self.object_gate = nn.Sequential(nn.Linear(hidden_dim, half), nn.ReLU(), nn.Linear(half, rank))

    def forward(self, tokens: Tensor) -> Tensor:
        """Pointer tokens ``(T, B, mem_dim)`` -> logits ``(T, B, R)``."""
        logits: Tensor = self.object_gate(self.masklet_proj(tokens))
        return logits


class ReleaseLayer(nn.Module):
    """Gates and matrices of one layer of memory attention, under the release's names.

    Args:
        layer: The layer of the model that they are for.
        mem_dim: Size of a pointer token.
        hidden_dim: Size of a pointer.
        rank: Number of components.
    """

    def __init__(self, layer: nn.Module, mem_dim: int, hidden_dim: int, rank: int) -> None:
        super().__init__()
        for place, paths in PLACES.items():
            width = cast(nn.Linear, layer.get_submodule(paths[0])).in_features
            self.add_module(f"{place}_gate", TokenGate(mem_dim, hidden_dim, rank))
            self.add_module(f"{place}_lora_A", nn.Linear(width, rank, bias=False))  # drawn with a = sqrt 5, as LoRA's
            self.add_module(f"{place}_lora_B", nn.Linear(rank, width, bias=False))
            nn.init.zeros_(self.matrices(place)[1])

    def gate(self, place: str) -> nn.Module:
        """The gate of an update."""
        return self.get_submodule(f"{place}_gate")

    def matrices(self, place: str) -> tuple[Tensor, Tensor]:
        """``A (R, in)`` and ``B (in, R)`` of an update."""
        return self.get_parameter(f"{place}_lora_A.weight"), self.get_parameter(f"{place}_lora_B.weight")


class MoGARelease(GatedAdapter):
    """The public release's variant of MoGA.

    Args:
        rank: Number ``R`` of components.
        tau: Temperature, above 0; the release keeps it fixed.
        alpha: The updates are scaled by ``alpha / rank``.
        layer_norms: Layer norms trained besides: a preset or patterns, see
            :func:`robustvos.adapters.layer_norms.layer_norm_parameters`.

    Its gates are called ``layers.{i}.{sa|ca}``: the share of an object's pointer tokens that open each component.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(
        self,
        rank: int = 128,
        tau: float = 0.3,
        alpha: float = 1.0,
        layer_norms: str | Sequence[str] = "image_encoder",
    ) -> None:
        super().__init__(tau)
        check_rank(rank)
        self.rank = rank
        self.alpha = alpha
        self.layer_norms = layer_norms

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """Memory attention's projections."""
        return memory_attention_targets(model)

    def check(self, model: nn.Module) -> None:
        """The gates need object pointers in the memory."""
        check_pointers(model, type(self).__name__)

    def host_parameters(self, model: nn.Module) -> list[str]:
        """The layer norms."""
        return layer_norm_parameters(model, self.layer_norms)

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create updates and gates, nested so that their names are the release's; register the hooks."""
        memory_attention = model.get_submodule("memory_attention")
        layers = list(model.get_submodule("memory_attention.layers").children())
        mem_dim, hidden_dim = pointer_sizes(model)
        own = nn.ModuleList(ReleaseLayer(layer, mem_dim, hidden_dim, self.rank) for layer in layers)
        self.memory_attention = nn.ModuleDict({"layers": own}).to(next(memory_attention.parameters()))
        hooks = [
            layer.get_submodule(path).register_forward_pre_hook(partial(self._change_input, i, place))
            for i, layer in enumerate(layers)
            for place, paths in PLACES.items()
            for path in paths
        ]
        return [*hooks, *self.open_before(memory_attention, SCOPE, self._read)]

    def function_settings(self) -> dict[str, Any]:
        """How much the updates count."""
        return {"alpha": self.alpha}

    def adds_nothing(self) -> bool:
        """Whether every ``B`` is zero."""
        return not any(bool(layer.matrices(place)[1].any()) for layer in self._layers() for place in PLACES)

    def release_state_dict(self) -> dict[str, Tensor]:
        """The trained tensors under the release's names (those of its checkpoint's ``model``, less the frozen part)."""
        return {name.split(".", 1)[1]: tensor for name, tensor in self.adapter_state_dict().items()}

    def release_checkpoint(self) -> dict[str, dict[str, Tensor]]:
        """What the release's files hold: ``model``, the whole SAM 2 and what was added; copies on the CPU."""
        whole = {**self._attached_host().model.state_dict(), **self.release_state_dict()}
        return {"model": {name: tensor.detach().to("cpu", copy=True) for name, tensor in whole.items()}}

    def load_adapter_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load what :meth:`adapter_state_dict` gave, or what :meth:`load_release_state_dict` takes.

        Raises:
            CheckpointMismatch: If a key is missing or superfluous, or a shape differs.
        """
        if any(name.startswith("memory_attention.") for name in state):
            self.load_release_state_dict(state)
        else:
            super().load_adapter_state_dict(state)

    def load_release_state_dict(self, model_state: Mapping[str, Tensor]) -> None:
        """Load the ``model`` of a release checkpoint, or its trained tensors alone; nothing unless all of it fits.

        A whole model must stand on the base at hand: its frozen part is compared value by value, and a release that
        stands on other weights is refused rather than put on weights that it was not trained with.

        Raises:
            CheckpointMismatch: If a key is missing or superfluous, or a shape or a frozen value differs.
        """
        wanted = {name.split(".", 1)[1]: name for name, _ in self.named_trainable_parameters()}
        found = {wanted[key]: tensor for key, tensor in model_state.items() if key in wanted}
        if not found:
            raise CheckpointMismatch(
                "no trained tensor of the MoGA release is in this checkpoint; give its 'model' dictionary"
            )
        frozen = {key: tensor for key, tensor in model_state.items() if key not in wanted}
        if frozen:
            base = self._attached_host().model.state_dict()
            check_same({key: tensor for key, tensor in base.items() if key not in wanted}, frozen)
        super().load_adapter_state_dict(found)

    def _layers(self) -> list[ReleaseLayer]:
        return cast("list[ReleaseLayer]", list(self.get_submodule("memory_attention.layers").children()))

    def _read(self, memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
        tokens = pointer_tokens(memory_attention, args, kwargs)
        return {
            f"{i}.{place}": self._gates_of(layer.gate(place), tokens)
            for i, layer in enumerate(self._layers())
            for place in PLACES
        }

    def _gates_of(self, gate: nn.Module, tokens: Tensor) -> Tensor:
        if not len(tokens):
            return tokens.new_zeros(tokens.shape[1], self.rank)
        return self.drawn(gate(tokens)).mean(0)

    def _change_input(self, layer: int, place: str, projection: nn.Module, args: tuple[Tensor]) -> tuple[Tensor] | None:
        if not self.enabled:
            return None
        gate = self.opened(SCOPE, f"{layer}.{place}")
        a, b = self._layers()[layer].matrices(place)
        return (args[0] + gated_low_rank(args[0], a, b, gate, self.alpha / self.rank),)
