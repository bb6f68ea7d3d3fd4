"""Means over everything evaluated so far, as torchmetrics classes: on one process or many.

Their state is one record a video. Gathering records, instead of sums, makes many processes give what one gives: a video that
a distributed sampler repeats to even out the load is found and counted once.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.utilities import dim_zero_cat

from robustvos.evaluation.aggregate import mean_of
from robustvos.evaluation.protocol import Averaging, Protocol
from robustvos.evaluation.records import VideoResult

_END = b"\n"


class MeanScore(Metric):
    """The mean of one figure over all videos, as a protocol averages it: the headline of a run.

    Args:
        score: Name of the figure, e.g. ``J&F``.
        averaging: What the mean runs over, see :func:`robustvos.evaluation.aggregate.mean_of`.

    >>> from robustvos.evaluation.records import ObjectScore
    >>> metric = MeanScore("J")
    >>> metric.update(VideoResult("boat", "clean", (ObjectScore("boat", 1, 9, {}, {"J": 0.5}),)))
    >>> float(metric.compute())
    0.5
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    records: list[Tensor]

    def __init__(self, score: str, averaging: Averaging = "objects") -> None:
        super().__init__()
        self.score = score
        self.averaging: Averaging = averaging
        self.add_state("records", default=[], dist_reduce_fx="cat")

    def update(self, result: VideoResult) -> None:
        """Take up a video."""
        self.records.append(_encode(result, self.device))

    def compute(self) -> Tensor:
        """A float32 scalar; NaN where nothing defines it."""
        objects = [record for result in self.results() for record in result.objects]
        mean = mean_of(objects, self.score, averaging=self.averaging, resamples=0).mean
        return torch.tensor(mean, dtype=torch.float32, device=self.device)

    def results(self) -> list[VideoResult]:
        """The videos of all processes, in order of condition and name, each once; within ``sync_context``."""
        if len(self.records) == 0:
            return []
        lines = bytes(dim_zero_cat(self.records).cpu().numpy()).split(_END)
        found = (VideoResult.from_json(json.loads(line)) for line in lines if line)
        unique = {(result.corruption, result.video): result for result in found}
        return [unique[key] for key in sorted(unique)]

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather the records of all processes; one that saw no video joins in with nothing, else gathering would hang."""
        if len(self.records) == 0:
            self.records.append(torch.zeros(0, dtype=torch.uint8, device=self.device))
        super().sync(*args, **kwargs)


def mean_scores(protocol: Protocol, prefix: str) -> MetricCollection:
    """One :class:`MeanScore` for each figure of a protocol, which share their records."""
    metrics: dict[str, Any] = {name: MeanScore(name, protocol.averaging) for name in protocol.metrics}
    return MetricCollection(metrics, prefix=prefix, compute_groups=[list(metrics)])


def gathered_results(metrics: MetricCollection) -> list[VideoResult]:
    """The videos that a collection of :func:`mean_scores` has seen, on all processes; to be called by all of them."""
    first: Any = next(iter(metrics.values(copy_state=True)))
    with first.sync_context(should_sync=not first._is_synced):
        results: list[VideoResult] = first.results()
        return results


def _encode(result: VideoResult, device: torch.device) -> Tensor:
    """As a line of JSON, ``(N,)`` uint8."""
    line = json.dumps(result.to_json()).encode() + _END
    return torch.frombuffer(bytearray(line), dtype=torch.uint8).to(device)
