"""MoGA: memory-object-conditioned gated-rank adaptation, as the paper's text has it.

Beside each adapted projection stands a low-rank update of ``R`` rank-1 components, shared by all objects. In front of
every tracked frame, an MLP reads the object pointers in the memory and opens some of the components::

    pointers (P, B, C) -> logits (P, B, N, R) -> gates z in {0, 1} -> mean over P -> (B, N, R)
    h = W0 x + B (mean_p(z_p) * A x)                                  per object, for each of N projections

On Hiera-B+ at rank 128, with the image encoder's layer norms (41,440), 1,142,368 parameters are trained.
The public code differs: see :class:`robustvos.adapters.moga_release.MoGARelease`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters import projections
from robustvos.adapters.base import Adapter
from robustvos.adapters.gate import PointerGate, Standardisation, decided_gate, sampled_gate
from robustvos.adapters.layer_norms import layer_norm_parameters
from robustvos.adapters.low_rank import LowRank
from robustvos.adapters.pointers import (
    check_pointers,
    mean_per_clip,
    object_pointers,
    pointer_sizes,
    pointer_tokens,
)
from robustvos.errors import UnknownName, UserError
from robustvos.seeding import generator

Conditioning = Literal["object", "memory", "none"]
Gates = Literal["learned", "shuffled", "open"]


class MoGA(Adapter):
    """Memory-object-conditioned gated-rank adaptation.

    Args:
        rank: Number ``R`` of rank-1 components of each update. None: half the width of memory attention, which is the
            paper's 128 (Table 7) on every official SAM 2 and 32 on nano.
        tau: Temperature of the Gumbel-sigmoid, above 0 (Table 8: 0.3).
        conditioning: ``object``: each object's gates come from its own pointers. ``memory``: the pointers of all
            objects of a clip are averaged first, and all its objects share the gates; of objects that were prompted on
            different frames, which SAM 2 runs apart, those that run together. ``none``: no gates, every
            component open, which is LoRA (Table 6).
        gate_hidden: Size of the gate MLP's hidden layers; one MLP per layer of memory attention.
        scale: Factor of the updates.
        layer_norms: Layer norms trained besides: a preset or patterns, see
            :func:`robustvos.adapters.layer_norms.layer_norm_parameters`.
        gate_bias: What the gate logits start around; why 1.0, see :class:`robustvos.adapters.gate.PointerGate`.
        evaluation_gates: What evaluation uses: the ``learned`` gates; the same ``shuffled`` over the components of each
            projection, so that as many are open, but not those; or all ``open``. Training always uses the learned ones.
        standardise: Whether gates read what they read less its running mean, over its running deviation. Ours: pointers
            have a large part that is the same for every object, which carries all gates to one side before they learn to
            tell objects apart (docs/experiments.md). False: as the paper writes it.

    Attributes:
        rank: ``R``; known once attached.
        tau: May be set at any time; a callback anneals it.
        object_to_clip: ``(B,)`` int64, which clip each object belongs to; only ``memory`` asks. None: all to one clip.
            To be set by the host before each training step that puts several clips side by side.
        record_gates: Keep the latest gates, for monitors.
        gates: ``layers.{i}.{projection}`` -> ``(B, R)`` float, detached: the share of the object's pointers that open
            each component on the latest tracked frame. Empty unless ``record_gates``, and with ``none``.

    Raises:
        UserError: If an argument is out of range. UnknownName: If the conditioning is not known.

    A frame that finds no pointer in the memory has nothing to open the gates with and gets nothing added.

    Source: RobustPVOS, section 4.2, equations 2 to 6. There the sum of equation 6 runs over objects; SAM 2 keeps each
    object apart on the batch dimension, so that here it runs over an object's stored pointers.
    """

    anneals_tau: ClassVar[bool] = True

    def __init__(
        self,
        rank: int | None = None,
        tau: float = 0.3,
        conditioning: Conditioning = "object",
        gate_hidden: int = 16,
        scale: float = 1.0,
        layer_norms: str | Sequence[str] = "image_encoder",
        gate_bias: float = 1.0,
        evaluation_gates: Gates = "learned",
        standardise: bool = False,
    ) -> None:
        super().__init__()
        projections.check_rank(rank)
        if gate_hidden < 1:
            raise UserError(f"gate_hidden is {gate_hidden}; a gate needs at least 1 hidden unit")
        if not tau > 0:
            raise UserError(f"tau is {tau}; a temperature must be above 0")
        if conditioning not in get_args(Conditioning):
            raise UnknownName.of("conditioning", conditioning, get_args(Conditioning))
        if evaluation_gates not in get_args(Gates):
            raise UnknownName.of("evaluation_gates", evaluation_gates, get_args(Gates))
        if conditioning == "none" and evaluation_gates != "learned":
            raise UserError(
                f"evaluation_gates is {evaluation_gates}, but conditioning none has no gates; leave one of them out"
            )
        if conditioning == "none" and standardise:
            raise UserError("standardise is true, but conditioning none has no gates; leave one of them out")
        self.wanted_rank = rank
        self.tau = tau
        self.conditioning = conditioning
        self.gate_hidden = gate_hidden
        self.scale = scale
        self.layer_norms = layer_norms
        self.gate_bias = gate_bias
        self.evaluation_gates = evaluation_gates
        self.standardise = standardise
        self.object_to_clip: Tensor | None = None
        self.record_gates = False
        self.gates: dict[str, Tensor] = {}
        self._open: list[dict[str, Tensor]] | None = None  # per layer and projection (B, R), during a call

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """Memory attention's projections."""
        return projections.memory_attention_targets(model)

    def check(self, model: nn.Module) -> None:
        """The gates need object pointers in the memory."""
        if self.conditioning != "none":
            check_pointers(model, type(self).__name__)

    def host_parameters(self, model: nn.Module) -> list[str]:
        """The layer norms."""
        return layer_norm_parameters(model, self.layer_norms)

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create updates and gates; hang the former beside the projections, the latter before memory attention."""
        self.rank = projections.rank_for(model, self.wanted_rank)
        self.low_rank = projections.low_rank_updates(model, self.rank)
        handles = projections.add_to_outputs(model, self.low_rank, self._delta)
        if self.conditioning == "none":
            return handles
        memory_attention = model.get_submodule("memory_attention")
        _, self.pointer_dim = pointer_sizes(model)
        like = next(self.low_rank.parameters())
        self.pointer_gates = nn.ModuleList(self._new_gate() for _ in self.low_rank).to(like)
        self.standardisation = Standardisation(self.pointer_dim).to(like.device) if self.standardise else nn.Identity()
        return [
            *handles,
            memory_attention.register_forward_pre_hook(self._set_gates, with_kwargs=True),
            memory_attention.register_forward_hook(self._forget_gates, always_call=True),
        ]

    def function_settings(self) -> dict[str, Any]:
        """What the gates read."""
        return {"conditioning": self.conditioning, "standardise": self.standardise}

    def adds_nothing(self) -> bool:
        """Whether every ``B`` is zero."""
        return projections.adds_nothing(self.low_rank)

    def _new_gate(self) -> PointerGate:
        return PointerGate(self.pointer_dim, self.gate_hidden, len(projections.PROJECTIONS), self.rank, self.gate_bias)

    def _set_gates(self, memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.enabled:
            return
        pointers = object_pointers(pointer_tokens(memory_attention, args, kwargs), self.pointer_dim)
        layers = self._layer_gates(pointers)
        self._open = [
            dict(zip(projections.PROJECTIONS, self._altered(gates, i).unbind(1), strict=True))
            for i, gates in enumerate(layers)
        ]
        if self.record_gates:
            self.gates = {
                f"layers.{i}.{name}": gate.detach()
                for i, layer in enumerate(self._open)
                for name, gate in layer.items()
            }

    def _layer_gates(self, pointers: Tensor) -> list[Tensor]:
        """Pointers ``(P, B, C)`` -> gates ``(B, N, R)`` of each layer, averaged over the pointers."""
        count, objects, _ = pointers.shape
        if not count:
            shut = pointers.new_zeros(objects, len(projections.PROJECTIONS), self.rank)
            return [shut for _ in self.pointer_gates]
        if self.conditioning == "object":
            read = self.standardisation(pointers)
            return [self._binary(gate(read)).mean(0) for gate in self.pointer_gates]
        means, clip_row = mean_per_clip(pointers, self.object_to_clip)
        read = self.standardisation(means)
        return [self._binary(gate(read))[clip_row] for gate in self.pointer_gates]

    def _altered(self, gates: Tensor, layer: int) -> Tensor:
        """What becomes of a layer's gates ``(B, N, R)`` in evaluation."""
        if self.training or self.evaluation_gates == "learned":
            return gates
        if self.evaluation_gates == "open":
            return gates.new_ones(gates.shape)
        orders = [
            torch.randperm(gates.shape[-1], generator=generator("shuffled gates", layer, projection))
            for projection in range(gates.shape[1])
        ]
        return gates.gather(2, torch.stack(orders).to(gates.device).expand(len(gates), -1, -1))

    def _binary(self, logits: Tensor) -> Tensor:
        return sampled_gate(logits, self.tau) if self.training else decided_gate(logits)

    def _forget_gates(self, memory_attention: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._open = None

    def _delta(self, layer: int, name: str, update: LowRank, x: Tensor) -> Tensor | None:
        if not self.enabled:
            return None
        if self.conditioning == "none":
            return update.delta(x, scale=self.scale)
        if self._open is None:
            raise RuntimeError("MoGA's gates are set when memory_attention is called: call it rather than its layers")
        return update.delta(x, self._open[layer][name], self.scale)
