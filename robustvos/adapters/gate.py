"""Gates: which rank-1 components are open; the base of adapters that have them, and the object pointers that they read.

In training a gate is drawn, hard forward and soft backward; in evaluation it is decided. The noise of equation 3 is
Gumbel's and one-sided, so that the chance of an open gate in training is ``P(alpha + G > 0) = 1 - exp(-exp(alpha))``:
0.632 at ``alpha = 0``, where evaluation, which wants ``alpha > 0`` strictly, shuts it. The temperature does not enter
that chance: it shapes the gradient alone (the slope at the threshold is ``1 / (4 tau)``).

SAM 2 keeps objects on the batch dimension. ``memory`` is ``(M + T, B, mem_dim)``: ``M`` tokens of memory maps, then ``T``
tokens of object pointers. A pointer of ``hidden_dim`` channels is cut into ``k = hidden_dim / mem_dim`` tokens that
follow one another, so that ``T = k P`` for ``P`` stored pointers of each object.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from robustvos.adapters.base import Adapter
from robustvos.errors import UserError

Read = Callable[[nn.Module, "tuple[Any, ...]", "dict[str, Any]"], "dict[str, Tensor]"]
"""``(module, args, kwargs)`` of a call -> name -> gates ``(B, R)``."""


class GatedAdapter(Adapter):
    """An adapter whose rank-1 components are opened by gates that read what is tracked.

    A subclass makes its gates in :meth:`install`, and there calls :meth:`open_before` for every module whose call decides
    them; its hooks take them by :meth:`opened` while that call runs.

    Args:
        tau: Temperature of the Gumbel-sigmoids, above 0.

    Attributes:
        anneals_tau: Whether a schedule may move ``tau`` in training; not where a fixed one is part of the method.
        per_object: Whether a row of the gates belongs to an object that memory attention tracks; else to a frame.
        object_to_clip: ``(B,)`` int64, which clip each object belongs to; None: all to one clip. To be set by the host
            before each training step that puts several clips side by side; not every method asks.

    Raises:
        UserError: If ``tau`` is not above 0.
    """

    anneals_tau: ClassVar[bool] = False
    per_object: ClassVar[bool] = True

    def __init__(self, tau: float) -> None:
        super().__init__()
        self.tau = tau
        self.object_to_clip: Tensor | None = None
        self._open: dict[str, dict[str, Tensor]] = {}  # scope -> name -> gates, while the scope's module runs
        self._records: list[dict[str, Tensor]] = []

    @property
    def tau(self) -> float:
        """Temperature; may be set at any time, to a number above 0."""
        return self._tau

    @tau.setter
    def tau(self, value: float) -> None:
        if not value > 0:
            raise UserError(f"tau is {value}; a temperature must be above 0")
        self._tau = value

    @property
    def is_gated(self) -> bool:
        """Whether there are gates at all; a setting may do without."""
        return True

    def gates(self) -> dict[str, Tensor]:
        """The latest gates by projection: ``(B, R)`` float in [0, 1], detached; empty unless they are recorded."""
        return dict(self._records[-1]) if self._records else {}

    @contextmanager
    def recording(self) -> Iterator[dict[str, Tensor]]:
        """Within this context the latest gates are kept; gives the mapping that they are kept in, which stays the caller's.

        Several may record at once; they may end in any order.
        """
        kept: dict[str, Tensor] = {}
        self._records.append(kept)
        try:
            yield kept
        finally:
            self._records = [one for one in self._records if one is not kept]

    def open_before(self, module: nn.Module, scope: str, read: Read) -> list[RemovableHandle]:
        """Let each call of ``module`` begin with deciding gates and end with forgetting them.

        Args:
            module: Whose call it is.
            scope: What the names of its gates begin with.
            read: ``(module, args, kwargs)`` of the call -> name within the scope -> gates ``(B, R)``. A bound method, or a
                ``partial`` of one, so that a deep copy of model and adapter reads its own.
        """
        return [
            module.register_forward_pre_hook(partial(self._begin, scope, read), with_kwargs=True),
            module.register_forward_hook(partial(self._end, scope), always_call=True),
        ]

    def opened(self, scope: str, name: str) -> Tensor:
        """Gates of the call that runs.

        Raises:
            RuntimeError: If none does: a part of the module was called by itself.
        """
        if scope not in self._open:
            raise RuntimeError(
                f"{type(self).__name__}'s gates of {scope} are set when the module around it is called: call that rather than "
                "its parts"
            )
        return self._open[scope][name]

    def drawn(self, logits: Tensor) -> Tensor:
        """Gates of exact zeros and ones: drawn in training, decided in evaluation."""
        return sampled_gate(logits, self.tau) if self.training else decided_gate(logits)

    def _begin(self, scope: str, read: Read, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.enabled:
            return
        self._open[scope] = read(module, args, kwargs)
        for record in self._records:
            record.update({f"{scope}.{name}": gate.detach() for name, gate in self._open[scope].items()})

    def _end(self, scope: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._open.pop(scope, None)


def gumbel_noise(like: Tensor) -> Tensor:
    """Independent draws from Gumbel(0, 1), float32, of the shape and on the device of ``like``."""
    return -torch.empty_like(like, dtype=torch.float32).exponential_().log()


def sampled_gate(logits: Tensor, tau: float, noise: Tensor | None = None) -> Tensor:
    """Gate of training: ``1[s > 0.5]`` forward, ``s = sigmoid((logits + noise) / tau)`` backward.

    Args:
        logits: ``alpha``, any shape.
        tau: Temperature, above 0.
        noise: Of the shape of ``logits``; None draws it from :func:`gumbel_noise`.

    Returns:
        Exact zeros and ones, of the shape of ``logits``; float32 at least.

    Source: RobustPVOS, equations 3 and 4.
    """
    noise = gumbel_noise(logits) if noise is None else noise
    soft = torch.sigmoid((logits + noise) / tau)  # float32 noise lifts half-precision logits
    hard = (soft > 0.5).to(soft.dtype)
    return hard + (soft - soft.detach())  # the bracket is exactly zero, so that the sum is exactly hard


def decided_gate(logits: Tensor) -> Tensor:
    """Gate of evaluation: ``1[sigmoid(logits) > 0.5]``, strict; float32 at least, without gradient.

    >>> decided_gate(torch.tensor([-1.0, 0.0, 0.1]))
    tensor([0., 0., 1.])
    """
    return (logits > 0).to(torch.promote_types(logits.dtype, torch.float32))


class Standardisation(nn.Module):
    """Subtract the mean of each channel and divide by its deviation, as they ran in training.

    Both move with each call in training, by a share of ``momentum`` once there were more than ``1 / momentum`` calls and
    evenly before that. They are buffers, which no optimiser moves. With several processes those of the first hold: DDP
    hands its buffers to the others.

    Args:
        channels: Number of channels.
        momentum: Share of the latest call, that is of one tracked frame of a batch of clips.
    """

    mean: Tensor
    variance: Tensor
    calls: Tensor

    def __init__(self, channels: int, momentum: float = 0.01) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """``(..., channels)`` -> the same shape and type, standardised."""
        if self.training:
            self._observe(x.detach().flatten(0, -2).to(self.mean))
        return ((x - self.mean) / (self.variance + 1e-6).sqrt()).to(x.dtype)

    @torch.no_grad()
    def _observe(self, rows: Tensor) -> None:
        share = (1.0 / (self.calls + 1)).clamp(min=self.momentum).to(self.mean)
        mean = rows.mean(0)
        spread = (rows - mean).square().mean(0)
        # of two groups together: what each varies by itself, and how far their means lie apart
        self.variance.lerp_(spread, share).add_(share * (1.0 - share) * (mean - self.mean).square())
        self.mean.lerp_(mean, share)
        self.calls += 1


class PointerGate(nn.Module):
    """Three-layer MLP from an object pointer to the gate logits of several projections.

    All objects share it. Its last layer is divided between the projections, so that each has its own selection.

    Args:
        pointer_dim: Size of an object pointer.
        hidden: Size of the two hidden layers.
        projections: Number ``N`` of projections.
        rank: Number ``R`` of components of each.
        bias: What the last layer's bias starts at. The paper is silent. Above 0, components start open, in evaluation
            too: 1.0 opens 93 % of the draws in training and, pointers apart, all in evaluation. At 0 evaluation would
            start with whatever half of them the random weights happen to open.

    Source: RobustPVOS, equation 2.
    """

    def __init__(self, pointer_dim: int, hidden: int, projections: int, rank: int, bias: float = 1.0) -> None:
        super().__init__()
        self.projections = projections
        last = nn.Linear(hidden, projections * rank)
        nn.init.constant_(last.bias, bias)
        self.mlp = nn.Sequential(nn.Linear(pointer_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last)

    def forward(self, pointers: Tensor) -> Tensor:
        """Object pointers ``(..., pointer_dim)`` -> logits ``(..., N, R)``."""
        first, second, last = (layer for layer in self.mlp if isinstance(layer, nn.Linear))
        # Called by their functions: this runs on every frame.
        hidden = functional.linear(pointers, first.weight, first.bias).relu_()
        hidden = functional.linear(hidden, second.weight, second.bias).relu_()
        return torch.unflatten(functional.linear(hidden, last.weight, last.bias), -1, (self.projections, -1))


def pointer_sizes(model: nn.Module) -> tuple[int, int]:
    """``mem_dim`` and ``hidden_dim`` of a SAM 2: channels of a pointer token and of a whole pointer; 0 if unknown."""
    return int(getattr(model, "mem_dim", 0)), int(getattr(model, "hidden_dim", 0))


def check_pointers(model: nn.Module, owner: str) -> None:
    """Check that ``model`` keeps object pointers in its memory, in tokens that can be put together again.

    Raises:
        UserError: If it does not.
    """
    mem_dim, hidden_dim = pointer_sizes(model)
    if not getattr(model, "use_obj_ptrs_in_encoder", False):
        raise UserError(f"{owner} reads object pointers, and this model has use_obj_ptrs_in_encoder off; use LoRA")
    if not mem_dim or hidden_dim % mem_dim:
        raise UserError(
            f"{owner} needs a hidden_dim that is a multiple of mem_dim, not {hidden_dim} and {mem_dim}; use LoRA"
        )
    check_batch_first(model, owner)


def check_batch_first(model: nn.Module, owner: str) -> None:
    """Check that gates of an object meet its tokens in ``model``'s memory attention.

    Raises:
        UserError: If they do not.
    """
    if not getattr(model.get_submodule("memory_attention"), "batch_first", True):
        raise UserError(f"{owner} needs a memory_attention with batch_first on; this model has it off; use LoRA")


def memory_tokens(memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """What a call of ``memory_attention`` is given of the memory: tokens of maps, and of pointers.

    Args:
        memory_attention: The module that is called.
        args: Positional arguments of the call.
        kwargs: Keyword arguments of the call.

    Returns:
        ``(M, B, mem_dim)`` and ``(T, B, mem_dim)``; either may be empty.
    """
    call = arguments_of(memory_attention, args, kwargs)
    memory: Tensor = call["memory"]
    maps = memory.shape[0] - call.get("num_obj_ptr_tokens", 0)
    return memory[:maps], memory[maps:]


def pointer_tokens(memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The pointer tokens ``(T, B, mem_dim)`` of :func:`memory_tokens`."""
    return memory_tokens(memory_attention, args, kwargs)[1]


def current_tokens(memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The tokens ``(HW, B, C)`` of the frame that a call of ``memory_attention`` is about; arguments as for the memory's."""
    current = arguments_of(memory_attention, args, kwargs)["curr"]
    tokens: Tensor = current[0] if isinstance(current, list) else current
    return tokens


def arguments_of(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call of ``module``, by name."""
    if not args:  # as SAM 2 calls its memory attention
        return kwargs
    return inspect.signature(module.forward).bind(*args, **kwargs).arguments


def object_pointers(tokens: Tensor, hidden_dim: int) -> Tensor:
    """Put pointers together again: tokens ``(k P, B, mem_dim)`` -> pointers ``(P, B, hidden_dim)``."""
    count, objects, mem_dim = tokens.shape  # not len(), which would fix the number in an exported graph
    pieces = (
        torch.unflatten(tokens, 0, (-1, hidden_dim // mem_dim)) if count else tokens.new_empty(0, 1, objects, mem_dim)
    )
    return pieces.transpose(1, 2).reshape(pieces.shape[0], objects, hidden_dim)


def mean_per_clip(pointers: Tensor, object_to_clip: Tensor | None) -> tuple[Tensor, Tensor]:
    """Aggregate all pointers of a clip, of all its objects and frames, into their mean.

    Args:
        pointers: ``(P, B, C)``, ``P`` at least 1.
        object_to_clip: ``(B,)`` int64, the clip of each object; None puts all in one.

    Returns:
        Means ``(clips, C)`` and, for each object, the row of its clip ``(B,)``.

    Raises:
        ValueError: If ``object_to_clip`` does not have one entry per object.
    """
    objects = pointers.shape[1]
    if object_to_clip is None:
        object_to_clip = torch.zeros(objects, dtype=torch.int64)
    if len(object_to_clip) != objects:
        raise ValueError(
            f"object_to_clip has {len(object_to_clip)} entries, but the model tracks {objects} objects; "
            "set it anew for every batch"
        )
    _, row = torch.unique(object_to_clip.to(pointers.device), return_inverse=True)
    member = functional.one_hot(row).T.to(pointers.dtype)  # (clips, B)
    means = member @ pointers.mean(0) / member.sum(1, keepdim=True)
    return means, row
