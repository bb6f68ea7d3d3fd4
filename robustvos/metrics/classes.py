"""The same scores as torchmetrics classes, for validation loops on one or many processes.

Their state is one row of numbers per object and frame. Gathering rows, instead of sums, makes many processes give what
one gives: a clip that a distributed sampler repeats to even out the load is found and counted once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from robustvos.metrics.aggregate import estimate
from robustvos.metrics.amodal_scores import AmodalProtocol, amodal_record
from robustvos.metrics.functional.amodal import AMODAL_METRICS, OCCLUDED_ABOVE, amodal_counts
from robustvos.metrics.rules import ScoringRules
from robustvos.metrics.video_scores import FrameScore, counted_scores, object_record, score_frame
from robustvos.seeding import derive_seed


class _FrameRows(Metric):
    """Keeps ``(clip, object, frame)`` keys and a row of numbers for each.

    Args:
        width: Length of a row.
        dtype: Its type.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    keys: list[Tensor]
    rows: list[Tensor]

    def __init__(self, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self._width, self._row_dtype = width, dtype
        self.add_state("keys", default=[], dist_reduce_fx="cat")
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def _append(self, clip: str, frame: int, object_ids: Sequence[int], rows: Tensor) -> None:
        # Names cannot be gathered as tensors; 63 bits of their hash can, and do not collide.
        name = derive_seed(clip)
        keys = [(name, object_id, frame) for object_id in object_ids]
        self.keys.append(torch.tensor(keys, dtype=torch.int64, device=self.device).reshape(-1, 3))
        self.rows.append(rows.to(self.device, self._row_dtype).reshape(-1, self._width))

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather the rows of all processes.

        One that saw no clip joins in with no rows of the right type and width, else gathering would hang.
        """
        if len(self.keys) == 0:
            self._append("", 0, (), torch.zeros(0, self._width))
        super().sync(*args, **kwargs)

    def _clips(self) -> Iterator[tuple[str, dict[tuple[int, int], list[float]]]]:
        """For each clip its rows by object and frame, each once."""
        if len(self.keys) == 0:
            return
        keys, rows = dim_zero_cat(self.keys), dim_zero_cat(self.rows)
        clips: dict[int, dict[tuple[int, int], list[float]]] = {}
        for (clip, object_id, frame), row in zip(keys.tolist(), rows.tolist(), strict=True):
            clips.setdefault(clip, {})[object_id, frame] = row
        for clip, found in sorted(clips.items()):
            yield str(clip), found


class RegionAndContour(_FrameRows):
    """J, F and their mean J&F over everything seen: mean over frames, then over objects.

    Args:
        rules: Which frames count; DAVIS's if not given.

    >>> metric = RegionAndContour()
    >>> mask = torch.tensor([[[True, False], [False, False]]])
    >>> metric.update("boat", 0, (1,), mask, mask)
    >>> {name: float(value) for name, value in metric.compute().items()}
    {'J&F': 1.0, 'J': 1.0, 'F': 1.0}
    """

    def __init__(self, rules: ScoringRules | None = None) -> None:
        super().__init__(width=3, dtype=torch.float32)
        self.rules = rules or ScoringRules()

    def update(
        self,
        clip: str,
        frame: int,
        object_ids: Sequence[int],
        prediction: Tensor,
        target: Tensor,
        void: Tensor | None = None,
    ) -> None:
        """Score one annotated frame; arguments as for :meth:`robustvos.metrics.video_scores.VideoScores.update`."""
        scores = score_frame(frame, object_ids, prediction, target, void, rules=self.rules)
        rows = [(score.region, score.contour, float(score.present)) for score in scores]
        self._append(clip, frame, object_ids, torch.tensor(rows))

    def compute(self) -> dict[str, Tensor]:
        """``J&F``, ``J`` and ``F`` as scalars; NaN where no frame counts."""
        records = []
        for clip, rows in self._clips():
            scores = [FrameScore(frame, key, j, f, seen > 0) for (key, frame), (j, f, seen) in rows.items()]
            counted = counted_scores(scores, self.rules, {score.frame for score in scores})
            records += [object_record(clip, object_id, frames) for object_id, frames in counted.items()]
        return {name: _scalar(estimate(records, name, resamples=1)["mean"], self.device) for name in ("J&F", "J", "F")}


class AmodalIoU(_FrameRows):
    """``mIoU``, ``mIoU_fo``, ``mIoU_ffo`` and ``mIoU_occ`` over everything seen: mean over clips.

    Args:
        protocol: See :class:`~robustvos.metrics.amodal_scores.AmodalScores`.
        occluded_above: Likewise.
    """

    def __init__(self, protocol: AmodalProtocol = "realvas", occluded_above: float = OCCLUDED_ABOVE) -> None:
        super().__init__(width=7, dtype=torch.int64)
        self.protocol: AmodalProtocol = protocol
        self.occluded_above = occluded_above

    def update(
        self, clip: str, frame: int, object_ids: Sequence[int], prediction: Tensor, amodal: Tensor, modal: Tensor
    ) -> None:
        """Count one annotated frame; arguments as for :meth:`robustvos.metrics.amodal_scores.AmodalScores.update`."""
        if len(amodal) != len(object_ids):
            raise ValueError(f"{len(object_ids)} objects need as many masks, got {len(amodal)}")
        counts = amodal_counts(prediction, amodal, modal, signed_difference=self.protocol == "tabe")
        self._append(clip, frame, object_ids, counts)

    def compute(self) -> dict[str, Tensor]:
        """The four figures as scalars; NaN where no clip defines one."""
        records = []
        for clip, rows in self._clips():
            for object_id in sorted({object_id for object_id, _ in rows}):
                counts = torch.tensor([row for (key, _), row in sorted(rows.items()) if key == object_id])
                records.append(amodal_record(clip, object_id, counts, self.protocol, self.occluded_above))
        return {
            name: _scalar(estimate(records, name, unit="clips", resamples=1)["mean"], self.device)
            for name in AMODAL_METRICS
        }


def _scalar(value: float | int | None, device: torch.device) -> Tensor:
    return torch.tensor(float("nan") if value is None else value, dtype=torch.float32, device=device)
