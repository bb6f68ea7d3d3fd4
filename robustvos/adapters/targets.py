"""Check that a model has what an adapter is put on, before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from robustvos.errors import UserError


def check_targets(model: nn.Module, targets: Mapping[str, type[nn.Module]], owner: str) -> None:
    """Check that every named submodule exists and has the expected type.

    Raises:
        UserError: Listing all that are missing or of another type.
    """
    modules = dict(model.named_modules())
    problems = []
    for name, expected in targets.items():
        if name not in modules:
            problems.append(f"{name} is missing")
        elif not isinstance(modules[name], expected):
            problems.append(f"{name} is a {type(modules[name]).__name__}, not a {expected.__name__}")
    if problems:
        raise UserError(
            f"{owner} cannot be attached to this {type(model).__name__}: {'; '.join(problems)}; "
            "it needs a SAM 2 video model"
        )
