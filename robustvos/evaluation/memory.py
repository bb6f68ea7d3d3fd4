"""Peak memory of this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_MIB = 2**20


def peak_memory() -> dict[str, float]:
    """MiB so far: ``host``, the largest resident set; ``device``, what torch held at most on the GPU, where there is one.

    Empty where the platform does not say (Windows).
    """
    try:
        import resource
    except ImportError:
        return {}
    unit = 1 if sys.platform == "darwin" else 1024
    found = {"host": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MIB, 1)}
    import torch

    if torch.cuda.is_available():
        found["device"] = round(torch.cuda.max_memory_allocated() / _MIB, 1)
    return found


def memory_of_training(checkpoint: str | None) -> dict[str, float]:
    """What the training that left a checkpoint took at most, MiB: ``fit_host``, ``fit_device``; nothing if it is not known.

    Args:
        checkpoint: In ``checkpoints/`` of a run that was trained to its end, which keeps its peak in ``trained.json``.
    """
    note = Path(checkpoint or "").parent.parent / "trained.json"
    if not checkpoint or not note.is_file():
        return {}
    try:
        kept = json.loads(note.read_text(encoding="utf-8")).get("memory_mib") or {}
        return {f"fit_{name}": float(value) for name, value in kept.items()}
    except (OSError, ValueError, AttributeError):
        return {}
