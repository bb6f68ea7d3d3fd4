"""Read SAM 2's object pointers where memory attention receives them.

Objects live on the batch dimension. ``memory`` is ``(M + T, B, mem_dim)``: ``M`` tokens of memory maps, then ``T``
tokens of object pointers. A pointer of ``hidden_dim`` channels is cut into ``k = hidden_dim / mem_dim`` tokens that
follow one another, so that ``T = k P`` for ``P`` stored pointers of each object.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from robustvos.errors import UserError


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
        raise UserError(f"{owner} needs a hidden_dim that is a multiple of mem_dim, not {hidden_dim} and {mem_dim}")
    if not getattr(model.get_submodule("memory_attention"), "batch_first", True):
        raise UserError(f"{owner} needs a memory_attention with batch_first on; this model has it off")


def pointer_tokens(memory_attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The pointer tokens ``(T, B, mem_dim)`` of a call of ``memory_attention``; ``T`` may be 0.

    Args:
        memory_attention: The module that is called.
        args: Positional arguments of the call.
        kwargs: Keyword arguments of the call.
    """
    call = inspect.signature(memory_attention.forward).bind(*args, **kwargs).arguments
    memory, tokens = call["memory"], call.get("num_obj_ptr_tokens", 0)
    return memory[memory.shape[0] - tokens :]


def object_pointers(tokens: Tensor, hidden_dim: int) -> Tensor:
    """Put pointers together again: tokens ``(k P, B, mem_dim)`` -> pointers ``(P, B, hidden_dim)``."""
    _, objects, mem_dim = tokens.shape
    pieces = (
        tokens.unflatten(0, (-1, hidden_dim // mem_dim)) if len(tokens) else tokens.new_empty(0, 1, objects, mem_dim)
    )
    return pieces.transpose(1, 2).reshape(len(pieces), objects, hidden_dim)


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
    member = torch.nn.functional.one_hot(row).T.to(pointers.dtype)  # (clips, B)
    means = member @ pointers.mean(0) / member.sum(1, keepdim=True)
    return means, row
