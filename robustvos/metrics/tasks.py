"""The two tasks: which figures each has, what their means run over, and how the processes of a run put them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from robustvos.metrics.aggregate import Unit
from robustvos.types import VideoResult

METRICS: dict[str, tuple[str, ...]] = {
    "modal": ("J&F", "J", "F"),
    "amodal": ("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ"),
}
"""Figures of each task, the main one first."""

UNITS: dict[str, Unit] = {"modal": "objects", "amodal": "clips"}
"""What the means of each task run over."""

Scored = tuple[str, VideoResult]
"""Corruption and scores of a video."""


def gather_results(results: Sequence[Scored]) -> list[Scored]:
    """Results of all processes, in order of name, on every process; to be called by all of them.

    Samplers repeat some videos to even out the load: each counts once.
    """
    gathered = list(results)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        parts: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, gathered)
        gathered = [result for part in parts for result in part]
    unique = {(corruption, result.clip): (corruption, result) for corruption, result in gathered}
    return [unique[key] for key in sorted(unique)]


def object_records(results: Iterable[Scored]) -> list[Mapping[str, Any]]:
    """The objects of all videos, as :func:`robustvos.metrics.aggregate.aggregate` takes them."""
    return [dict(record) for _, result in results for record in result.objects]
