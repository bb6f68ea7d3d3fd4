"""GaRA: gated-rank adaptation of the image encoder, frame by frame; what MoGA is compared with.

Beside the queries, keys and values of every block of Hiera stand two sets of rank-1 components, a small one L and a
large one H. What a block receives, averaged over the frame, decides which set is used and which of its components are
open::

    x (F, H, W, C) -> mean over the frame (F, C) -> gate 1: z_s in {0, 1};  gate 2: z^L (F, 3, R_L), z^H (F, 3, R_H)
    dW = (1 - z_s) sum_i z^L_i b^L_i (a^L_i)^T + z_s sum_i z^H_i b^H_i (a^H_i)^T          for each of q, k and v

Frames know nothing of one another, nor of objects: that is the point of the comparison.

There is no public code. The papers give the sets' sizes (16 and 256), the gates' layers, tau and the rule of evaluation.
Decided here:

* SAM 2 fuses q, k and v in one linear layer of ``3 C'`` outputs. Each third has components of its own, ``A`` included.
* A block has one gate 1, whose choice holds for q, k and v, and one gate 2 for each set, whose last layer is divided
  between q, k and v. So each has its own selection, as in MoGA, and the gates stay small beside the components.
* The gates read the block's input as it arrives, before its layer norm.
* Gate noise is MoGA's one-sided Gumbel noise. Components start open (``gate_bias``); gate 1 starts undecided.
* The default sizes are 2 and 32, in the papers' proportion: 3,128,904 trained parameters on Hiera-B+, 2,113,440 of them
  components. 16 and 256 are 18,214,296, of which 16.9 M components (11.5 M if q, k and v shared ``A``). MoGA trains 1.1 M.

Source: Lee et al., GaRA-SAM, NeurIPS 2025; as the baseline of RobustPVOS, Table 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from robustvos.adapters.gate import GatedAdapter, PointerGate
from robustvos.adapters.layer_norms import layer_norm_parameters
from robustvos.adapters.low_rank import LowRank
from robustvos.errors import UserError

BLOCKS = "image_encoder.trunk.blocks"
QKV = "attn.qkv"
PARTS = ("q", "k", "v")
"""The thirds of a fused projection's output, in order."""


class FrameGates(nn.Module):
    """Gates 1 and 2 of a block.

    Args:
        dim: Channels of the block's input.
        rank_low: Components of the small set, for each of q, k and v.
        rank_high: Components of the large set.
        choice_hidden: Size of gate 1's hidden layer.
        gate_hidden: Size of gate 2's two hidden layers.
        bias: What the logits of gate 2 start around.
    """

    def __init__(
        self, dim: int, rank_low: int, rank_high: int, choice_hidden: int, gate_hidden: int, bias: float
    ) -> None:
        super().__init__()
        self.choice = nn.Sequential(nn.Linear(dim, choice_hidden), nn.ReLU(), nn.Linear(choice_hidden, 1))
        self.low = PointerGate(dim, gate_hidden, len(PARTS), rank_low, bias)
        self.high = PointerGate(dim, gate_hidden, len(PARTS), rank_high, bias)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled frames ``(F, dim)`` -> logits: choice ``(F, 1)``, low ``(F, 3, R_L)``, high ``(F, 3, R_H)``."""
        return self.choice(frames), self.low(frames), self.high(frames)


class GaRA(GatedAdapter):
    """Gated-rank adaptation of Hiera's queries, keys and values.

    Args:
        rank_low: Components of the small set, for each of q, k and v of each block, at least 1. The papers: 16.
        rank_high: Components of the large set. The papers: 256.
        tau: Temperature of the Gumbel-sigmoids, above 0.
        choice_hidden: Size of the hidden layer of gate 1.
        gate_hidden: Size of the hidden layers of gate 2.
        gate_bias: What gate 2's logits start around; why 1.0, see :class:`robustvos.adapters.gate.PointerGate`.
        layer_norms: Layer norms trained besides: a preset or patterns, see
            :func:`robustvos.adapters.layer_norms.layer_norm_parameters`. The papers have none.

    Its gates are called ``blocks.{i}.{q|k|v}``, a row a frame; the first ``rank_low`` components are the small set.

    Raises:
        UserError: If an argument is out of range.
    """

    per_object: ClassVar[bool] = False

    def __init__(
        self,
        rank_low: int = 2,
        rank_high: int = 32,
        tau: float = 0.5,
        choice_hidden: int = 64,
        gate_hidden: int = 16,
        gate_bias: float = 1.0,
        layer_norms: str | Sequence[str] = "none",
    ) -> None:
        super().__init__(tau)
        sizes = {
            "rank_low": rank_low,
            "rank_high": rank_high,
            "choice_hidden": choice_hidden,
            "gate_hidden": gate_hidden,
        }
        for name, size in sizes.items():
            if size < 1:
                raise UserError(f"{name} is {size}; GaRA needs at least 1")
        self.rank_low = rank_low
        self.rank_high = rank_high
        self.choice_hidden = choice_hidden
        self.gate_hidden = gate_hidden
        self.gate_bias = gate_bias
        self.layer_norms = layer_norms

    def targets(self, model: nn.Module) -> dict[str, type[nn.Module]]:
        """The fused projection of every block of Hiera."""
        trunk = getattr(getattr(model, "image_encoder", None), "trunk", None)
        count = len(getattr(trunk, "blocks", ()))
        targets: dict[str, type[nn.Module]] = {BLOCKS: nn.ModuleList}
        return targets | {f"{BLOCKS}.{i}.{QKV}": nn.Linear for i in range(max(1, count))}

    def check(self, model: nn.Module) -> None:
        """The fused projections must be queries, keys and values of one size."""
        for i, block in enumerate(_blocks(model)):
            outputs = _qkv(block).out_features
            if outputs % len(PARTS):
                raise UserError(
                    f"GaRA cannot part {BLOCKS}.{i}.{QKV} into q, k and v: it has {outputs} outputs; "
                    "choose another --sam2, or LoRA"
                )

    def host_parameters(self, model: nn.Module) -> list[str]:
        """The layer norms."""
        return layer_norm_parameters(model, self.layer_norms)

    def install(self, model: nn.Module) -> list[RemovableHandle]:
        """Create components and gates; add the former beside the fused projections, decide the latter before the blocks."""
        blocks = _blocks(model)
        self.low_rank = nn.ModuleList(self._components(_qkv(block)) for block in blocks)
        self.frame_gates = nn.ModuleList(self._gates(_qkv(block)) for block in blocks)
        handles: list[RemovableHandle] = []
        for i, block in enumerate(blocks):
            handles += self.open_before(block, f"blocks.{i}", partial(self._read, i))
            handles.append(_qkv(block).register_forward_hook(partial(self._add, i)))
        return handles

    def adds_nothing(self) -> bool:
        """Whether every ``B`` is zero."""
        return all(part.is_zero() for part in self.low_rank.modules() if isinstance(part, LowRank))

    def _components(self, qkv: nn.Linear) -> nn.ModuleDict:
        """Both sets of q, k and v: the first ``rank_low`` rows of ``A`` are the small set, the rest the large one."""
        rank, outputs = self.rank_low + self.rank_high, qkv.out_features // len(PARTS)
        return nn.ModuleDict({part: LowRank(qkv.in_features, outputs, rank) for part in PARTS}).to(qkv.weight)

    def _gates(self, qkv: nn.Linear) -> FrameGates:
        sizes = (self.rank_low, self.rank_high, self.choice_hidden, self.gate_hidden)
        return FrameGates(qkv.in_features, *sizes, self.gate_bias).to(qkv.weight)

    def _read(self, i: int, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
        """From the block's input ``(F, H, W, C)``."""
        choice, low, high = map(self.drawn, self.frame_gates[i](args[0].mean((1, 2))))
        z_s = choice[..., None]
        gates = torch.cat([(1 - z_s) * low, z_s * high], -1)
        return dict(zip(PARTS, gates.unbind(1), strict=True))

    def _add(self, i: int, qkv: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor | None:
        """Input ``(F * windows, h, w, C)``, the windows of a frame beside one another -> output plus the update."""
        if not self.enabled:
            return None
        x, components = args[0], cast("nn.ModuleDict", self.low_rank[i])
        deltas = []
        for part in PARTS:
            gate = self.opened(f"blocks.{i}", part)
            windows = gate.repeat_interleave(len(x) // len(gate), 0)
            deltas.append(cast(LowRank, components[part]).delta(x.flatten(1, -2), windows))
        return output + torch.cat(deltas, -1).reshape(output.shape)


def _blocks(model: nn.Module) -> list[nn.Module]:
    return list(model.get_submodule(BLOCKS).children())


def _qkv(block: nn.Module) -> nn.Linear:
    return cast(nn.Linear, block.get_submodule(QKV))
