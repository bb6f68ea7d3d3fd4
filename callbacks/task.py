"""Which task is evaluated."""

from __future__ import annotations

from typing import Any


def is_amodal(module: Any) -> bool:
    """Whether whole objects are asked for, so that masks may overlap, rather than what is seen of them."""
    return bool(module.protocol.task == "amodal")
