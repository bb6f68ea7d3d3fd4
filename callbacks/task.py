"""Which task the data set."""

from __future__ import annotations

import lightning as L


def is_amodal(trainer: L.Trainer) -> bool:
    """Whether whole objects are asked for, so that masks may overlap, rather than what is seen of them."""
    return getattr(getattr(trainer, "datamodule", None), "task", "modal") == "amodal"
