"""Which parts of a model are trained whole, beside an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from robustvos.errors import UserError


def part_parameters(model: nn.Module, parts: Sequence[str]) -> list[str]:
    """Names of the parameters of ``parts`` of a model, in its order, each once.

    Args:
        model: Any model; not changed.
        parts: Names of modules or parameters, as shell patterns: ``sam_mask_decoder``, ``memory_attention.layers.*.norm?``.

    Raises:
        UserError: If a pattern picks nothing.

    >>> part_parameters(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), ["1", "0.b*"])
    ['0.bias', '1.weight', '1.bias']
    """
    names = [name for name, _ in model.named_parameters()]
    for part in parts:
        if not any(_is_in(name, part) for name in names):
            places = ", ".join(sorted({name.split(".")[0] for name in names}))
            raise UserError(
                f"parts: nothing of {type(model).__name__} is called '{part}'; it is made of {places}, and of what is in them"
            )
    return [name for name in names if any(_is_in(name, part) for part in parts)]


def with_parts(model: nn.Module, names: Sequence[str], parts: Sequence[str]) -> list[str]:
    """``names`` of parameters, and those of ``parts`` that are not among them."""
    return [*names, *(name for name in part_parameters(model, parts) if name not in set(names))]


def _is_in(name: str, part: str) -> bool:
    return fnmatchcase(name, part) or fnmatchcase(name, f"{part}.*")
