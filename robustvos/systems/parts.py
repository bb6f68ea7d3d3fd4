"""A class that is a part of a system, given where a system is named: the message says how to give it."""

from __future__ import annotations

from robustvos.adapters import Adapter
from robustvos.errors import UserError
from robustvos.parsing import class_named
from robustvos.restoration import Restorer
from robustvos.sam2.memory_policies import MemoryPolicy

_PARTS: dict[str, tuple[type, str]] = {
    "adapter": (Adapter, "an adapter"),
    "restorer": (Restorer, "a restorer"),
    "memory": (MemoryPolicy, "a memory policy"),
}


def refuse_part(name: str) -> None:
    """Let pass what is no part of a system.

    Args:
        name: What ``--model`` was given; a class by its short name or its import path, if it is one.

    Raises:
        UserError: If it is the class of an adapter, a restorer or a memory policy.
    """
    for part, (kind, words) in _PARTS.items():
        if class_named(name, kind) is not None:
            raise UserError(f"{name.rpartition('.')[2]} is {words}: --model sam2 --model.{part} {name}")
