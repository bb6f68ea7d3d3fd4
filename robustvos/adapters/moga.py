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
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters import folding, low_rank
from robustvos.adapters.gate import (
    GatedAdapter,
    PointerGate,
    Standardisation,
    check_batch_first,
    check_pointers,
    current_tokens,
    mean_per_clip,
    object_pointers,
    pointer_sizes,
    pointer_tokens,
)
from robustvos.adapters.layer_norms import AUTO, layer_norm_parameters
from robustvos.adapters.maps import MapReader, memory_maps
from robustvos.adapters.parts import with_parts
from robustvos.errors import UnknownName, UserError
from robustvos.seeding import generator

SCOPE = "layers"
"""What the names of the gates begin with."""
Conditioning = Literal["object", "memory", "none"]
Gates = Literal["learned", "shuffled", "open"]
Reads = Literal["pointers", "maps"]
_Beside = dict[str, tuple[nn.Linear, low_rank.LowRank]]
"""Name of a projection's gates -> the projection and its update."""


class MoGA(GatedAdapter):
    """Memory-object-conditioned gated-rank adaptation.

    Args:
        rank: Number ``R`` of rank-1 components of each update. None: half the width of memory attention, which is the
            paper's 128 (Table 7) on every official SAM 2 and 32 on nano.
        tau: Temperature of the Gumbel-sigmoid, above 0 (Table 8: 0.3).
        conditioning: ``object``: each object's gates come from its own pointers. ``memory``: the pointers of all
            objects of a clip are averaged first, and all its objects share the gates; of objects that were prompted on
            different frames, which SAM 2 runs apart, those that run together. ``none``: no gates, every
            component open, which is LoRA (Table 6).
        reads: What gates read: ``pointers``, as the paper has it; or ours, ``maps``, the features that the memory holds of
            the object, averaged over where it is in each map (:class:`robustvos.adapters.maps.MapReader`), which say more of
            what an object suffers from (docs/experiments.md).
        gate_hidden: Size of the gate MLP's hidden layers; one MLP per layer of memory attention.
        scale: Factor of the updates.
        layer_norms: Layer norms trained besides: a preset or patterns, see
            :func:`robustvos.adapters.layer_norms.layer_norm_parameters`.
        gate_bias: What the gate logits start around; why 1.0, see :class:`robustvos.adapters.gate.PointerGate`.
        evaluation_gates: What evaluation uses: the ``learned`` gates; the same ``shuffled`` over the components of each
            projection, so that as many are open, but not those; or all ``open``. Training always uses the learned ones.
        parts: Parts of the model trained whole besides, see :func:`robustvos.adapters.parts.part_parameters`.
        motion: Whether the mask decoder is shown where an object was and would be, see :mod:`robustvos.adapters.motion`.
        standardise: Whether gates read what they read less its running mean, over its running deviation. Ours: pointers
            have a large part that is the same for every object, which carries all gates to one side before they learn to
            tell objects apart (docs/experiments.md). False: as the paper writes it.

    Attributes:
        rank: ``R``; known once attached.
        object_to_clip: Which clip each object belongs to; only ``memory`` asks.

    Its gates are called ``layers.{i}.{projection}``: the share of the object's pointers, or maps, that open each component
    on a tracked frame. With ``none`` there are none.

    Raises:
        UserError: If an argument is out of range. UnknownName: If the conditioning is not known.

    In inference without autocast the update of a projection is folded into its weight, once a frame for each object
    (:mod:`robustvos.adapters.folding`); the same up to rounding, in a fraction of the time.

    A frame that finds nothing to read in the memory has nothing to open the gates with and gets nothing added.

    Source: RobustPVOS, section 4.2, equations 2 to 6. There the sum of equation 6 runs over objects; SAM 2 keeps each
    object apart on the batch dimension, so that here it runs over an object's stored pointers.
    """

    anneals_tau: ClassVar[bool] = True

    def __init__(
        self,
        rank: int | None = None,
        tau: float = 0.3,
        conditioning: Conditioning = "object",
        reads: Reads = "pointers",
        gate_hidden: int = 16,
        scale: float = 1.0,
        layer_norms: str | Sequence[str] = AUTO,
        gate_bias: float = 1.0,
        evaluation_gates: Gates = "learned",
        standardise: bool = False,
        parts: Sequence[str] = (),
        motion: bool = False,
    ) -> None:
        super().__init__(tau)
        low_rank.check_rank(rank)
        if gate_hidden < 1:
            raise UserError(f"gate_hidden is {gate_hidden}; a gate needs at least 1 hidden unit")
        if conditioning not in get_args(Conditioning):
            raise UnknownName.of("conditioning", conditioning, get_args(Conditioning))
        if reads not in get_args(Reads):
            raise UnknownName.of("reads", reads, get_args(Reads))
        if evaluation_gates not in get_args(Gates):
            raise UnknownName.of("evaluation_gates", evaluation_gates, get_args(Gates))
        if conditioning == "none" and evaluation_gates != "learned":
            raise UserError(
                f"evaluation_gates is {evaluation_gates}, but conditioning none has no gates; leave one of them out"
            )
        if conditioning == "none" and standardise:
            raise UserError("standardise is true, but conditioning none has no gates; leave one of them out")
        if conditioning == "none" and reads != "pointers":
            raise UserError(f"reads is {reads}, but conditioning none has no gates; leave one of them out")
        self.wanted_rank = rank
        self.conditioning = conditioning
        self.reads = reads
        self.gate_hidden = gate_hidden
        self.scale = scale
        self.layer_norms = layer_norms
        self.gate_bias = gate_bias
        self.evaluation_gates = evaluation_gates
        self.standardise = standardise
        self.parts = tuple(parts)
        self.motion = motion
        self._is_folded = False  # while memory attention runs

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """Memory attention's projections."""
        return low_rank.memory_attention_targets(model)

    def check(self, model: nn.Module) -> None:
        """The gates need what they read in the memory, and tokens of one object together."""
        if self.conditioning != "none":
            check = check_pointers if self.reads == "pointers" else check_batch_first
            check(model, type(self).__name__)

    def host_parameters(self, model: nn.Module) -> list[str]:
        """The layer norms, and the parts."""
        return with_parts(model, layer_norm_parameters(model, self.layer_norms), self.parts)

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create updates and gates; add the former beside the projections, decide the latter before memory attention."""
        self.rank = low_rank.rank_for(model, self.wanted_rank)
        self.low_rank = low_rank.low_rank_updates(model, self.rank)
        handles = [*low_rank.add_to_outputs(model, self.low_rank, self._delta), *self.install_motion(model)]
        if self.conditioning == "none":
            return handles
        memory_attention = model.get_submodule("memory_attention")
        map_dim, pointer_dim = pointer_sizes(model)
        self.read_dim = map_dim if self.reads == "maps" else pointer_dim
        like = next(self.low_rank.parameters())
        if self.reads == "maps":
            self.map_reader = MapReader(model).to(like)
        self.pointer_gates = nn.ModuleList(self._new_gate() for _ in self.low_rank).to(like)
        self.standardisation = Standardisation(self.read_dim).to(like.device) if self.standardise else nn.Identity()
        beside: _Beside = {
            f"{i}.{name}": (linear, low_rank.update_of(self.low_rank, i, name))
            for i, layer in enumerate(low_rank.adapted_projections(model))
            for name, linear in layer.items()
        }
        return [
            *handles,
            *self.open_before(memory_attention, SCOPE, self._read),
            memory_attention.register_forward_pre_hook(partial(self._fold, beside), with_kwargs=True),
            memory_attention.register_forward_hook(partial(self._unfold, beside), always_call=True),
        ]

    def function_settings(self) -> dict[str, Any]:
        """What the gates read."""
        return {"conditioning": self.conditioning, "reads": self.reads, "standardise": self.standardise}

    @property
    def is_gated(self) -> bool:
        """Not without conditioning."""
        return self.conditioning != "none"

    def merged_weights(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Without gates those of LoRA."""
        if self.is_gated or self.motion:
            return super().merged_weights()
        return low_rank.merged_into_projections(self._attached_host().model, self.low_rank, self.scale)

    def adds_nothing(self) -> bool:
        """Whether every ``B`` is zero."""
        return low_rank.adds_nothing(self.low_rank) and self.moves_nothing()

    def _new_gate(self) -> PointerGate:
        return PointerGate(self.read_dim, self.gate_hidden, len(low_rank.PROJECTIONS), self.rank, self.gate_bias)

    def _read(self, memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
        if self.reads == "maps":
            read: Tensor = self.map_reader(memory_maps(memory_attention, args, kwargs))
        else:
            read = object_pointers(pointer_tokens(memory_attention, args, kwargs), self.read_dim)
        return {
            f"{i}.{name}": gate
            for i, gates in enumerate(self._layer_gates(read))
            for name, gate in zip(low_rank.PROJECTIONS, self._altered(gates, i).unbind(1), strict=True)
        }

    def _layer_gates(self, pointers: Tensor) -> list[Tensor]:
        """Pointers, or what maps hold, ``(P, B, C)`` -> gates ``(B, N, R)`` of each layer, averaged over the pointers."""
        count, objects, _ = pointers.shape
        if not count:
            shut = pointers.new_zeros(objects, len(low_rank.PROJECTIONS), self.rank)
            return [shut for _ in self.pointer_gates]
        if self.conditioning == "object":
            read = self.standardisation(pointers)
            return [self.drawn(gate(read)).mean(0) for gate in self.pointer_gates]
        means, clip_row = mean_per_clip(pointers, self.object_to_clip)
        read = self.standardisation(means)
        return [self.drawn(gate(read))[clip_row] for gate in self.pointer_gates]

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

    def _fold(
        self, beside: _Beside, memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Where nothing is learnt, let the projections do the work of their updates."""
        current = current_tokens(memory_attention, args, kwargs)
        linears = [linear for linear, _ in beside.values()]
        if not (self.enabled and self._may_fold(current) and folding.is_worthwhile(linears, current.shape[0])):
            return
        updates = [update for _, update in beside.values()]
        gates = torch.stack([self.opened(SCOPE, name) for name in beside])
        gates = gates.to(current.dtype) if self.scale == 1.0 else self.scale * gates.to(current.dtype)
        weights = [linear.weight for linear in linears]
        folding.fold(
            linears, folding.folded_weights(weights, [one.A for one in updates], [one.B for one in updates], gates)
        )
        self._is_folded = True

    def _unfold(self, beside: _Beside, memory_attention: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        folding.unfold(linear for linear, _ in beside.values())
        self._is_folded = False

    def _may_fold(self, current: Tensor) -> bool:
        """Not in half precision, where a small update would be lost in the weight; nor where a graph is recorded."""
        return not (
            self.training
            or torch.is_grad_enabled()
            or torch.is_autocast_enabled(current.device.type)
            or torch.compiler.is_compiling()
            or torch.jit.is_tracing()
        )

    def _delta(self, layer: int, name: str, update: low_rank.LowRank, x: Tensor) -> Tensor | None:
        if self._is_folded or not self.enabled:
            return None
        gate = self.opened(SCOPE, f"{layer}.{name}") if self.is_gated else None
        return update.delta(x, gate, self.scale)
