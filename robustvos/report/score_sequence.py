"""Score one sequence of masks on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustvos.errors import BadMask
from robustvos.metrics.davis_statistics import davis_statistics
from robustvos.metrics.rules import ScoringRules
from robustvos.metrics.video_scores import VideoScores, counted_scores
from robustvos.report.score_jobs import PredictedFrame, ScoringJob
from robustvos.video.annotations import ids_in
from robustvos.video.luma import lowest_by_luma
from robustvos.video.masks import VOID, masks_from_ids, read_binary_mask, read_indexed_mask
from robustvos.video.naming import name_some

Scored = tuple[list[dict[str, Any]], list[dict[str, float]]]
"""Records of a sequence's objects, and DAVIS's statistics of those with a frame that counts."""


def score_sequence(job: ScoringJob) -> Scored:
    """J and F of every object of a sequence.

    Raises:
        BadMask: If a mask cannot be read, has another size than the truth, or holds ids that the truth does not know.
    """
    scores = VideoScores(job.name, (), rules=job.rules, tags={"corruption": job.corruption} if job.corruption else None)
    predicted_ids: dict[int, Path] = {}
    known: set[int] = set()
    for frame, (prediction, true_path) in enumerate(zip(job.predicted, job.true, strict=True)):
        true = read_indexed_mask(true_path)
        true_ids = ids_in(true)
        _take_up(scores, sorted(true_ids - {0, VOID}), true_path, job.rules)
        known |= true_ids - {0, VOID}
        ids = scores.object_ids
        predicted, found = _read(prediction, ids, true, true_path)
        if prediction != true_path:
            predicted_ids |= found
        void = torch.from_numpy(true == VOID) if VOID in true_ids else None
        scores.update(frame, predicted, masks_from_ids(true, ids), void)
    _check_ids(predicted_ids, sorted(known), job.name)
    records = sorted(scores.objects(), key=lambda record: record["object"])
    counted = counted_scores(scores.frame_scores(), job.rules, range(len(job.true)))
    return records, [davis_statistics(counted[object_id]) for object_id in sorted(counted)]


def _take_up(scores: VideoScores, seen: Sequence[int], path: Path, rules: ScoringRules) -> None:
    """Objects of a frame that are scored from now on."""
    if rules.first_objects:
        seen = () if scores.object_ids else lowest_by_luma(seen, path, rules.max_objects)
    for object_id in seen:
        scores.add_object(object_id)


def _read(
    prediction: PredictedFrame, ids: Sequence[int], true: np.ndarray, true_path: Path
) -> tuple[Tensor, dict[int, Path]]:
    """Masks ``(O, H, W)`` of ``ids``, and which ids are predicted where."""
    if isinstance(prediction, Path):
        labels = read_indexed_mask(prediction)
        _check_size(labels.shape, true.shape, prediction)
        return masks_from_ids(labels, ids), dict.fromkeys(ids_in(labels) - {0}, prediction)
    masks = torch.zeros((len(ids), *true.shape), dtype=torch.bool)
    for row, object_id in enumerate(ids):
        if object_id not in prediction:
            folder = next(iter(prediction.values())).parent.parent
            raise BadMask(
                f"{folder} has no folder for object {object_id}; write its masks, black where it was not found"
            )
        mask = read_binary_mask(prediction[object_id])
        _check_size(tuple(mask.shape), true.shape, prediction[object_id])
        masks[row] = mask
    return masks, dict(prediction)


def _check_size(predicted: Sequence[int], true: Sequence[int], path: Path) -> None:
    if tuple(predicted) != tuple(true):
        (height, width), (true_height, true_width) = predicted, true
        raise BadMask(
            f"{path} is {width}x{height}, its ground truth {true_width}x{true_height}; resize the prediction with "
            "nearest neighbour, or give masks at the original resolution"
        )


def _check_ids(predicted: dict[int, Path], known: Sequence[int], sequence: str) -> None:
    unknown = sorted(set(predicted) - set(known))
    if unknown:
        raise BadMask(
            f"{predicted[unknown[0]]}: holds the ids {name_some(map(str, unknown))}, but the truth of {sequence} knows "
            f"only {name_some(map(str, known)) or 'none'}; save the object ids themselves, not colours or 255"
        )
