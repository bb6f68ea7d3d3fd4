"""Promptable video object segmentation that survives the real world.

Four names are public, and imported when they are first used::

    from robustvos import corrupt, evaluate, load_system, track
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robustvos.api import corrupt, evaluate, load_system, track

__all__ = ["corrupt", "evaluate", "load_system", "track"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from robustvos import api

        return getattr(api, name)
    raise AttributeError(f"module 'robustvos' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
