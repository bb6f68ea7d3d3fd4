"""The amodal IoU figures of one video, gathered frame by frame; only pixel counts are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from robustvos.evaluation.object_tags import tags_of_object
from robustvos.evaluation.protocol import AmodalScoring
from robustvos.evaluation.records import ObjectScore
from robustvos.files.naming import name_some
from robustvos.metrics.amodal_figures import (
    AMODAL_AREA,
    OCCLUDED_ABOVE,
    occlusion_measures,
    occlusion_tags,
    pooled_amodal_iou,
    tabe_amodal_iou,
)
from robustvos.metrics.kernels import amodal_counts, check_masks


class AmodalScores:
    """Scores one video's amodal masks against whole and visible ground truth, frames in any order.

    Args:
        video: Name of the video.
        object_ids: The objects, in the order of the masks' first dimension.
        scoring: How counts become figures; Real-VAS's if not given.
        tags: What results are grouped by, copied to each object.
    """

    def __init__(
        self,
        video: str,
        object_ids: Sequence[int],
        *,
        scoring: AmodalScoring | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.video = video
        self.object_ids = tuple(object_ids)
        self.scoring = scoring or AmodalScoring()
        self.tags = dict(tags or {})
        self._counts: dict[int, np.ndarray] = {}

    def update(self, frame: int, prediction: np.ndarray, amodal: np.ndarray, modal: np.ndarray) -> np.ndarray:
        """Count one annotated frame.

        Args:
            frame: Its index in the video.
            prediction: ``(O, H, W)`` bool, predicted amodal masks.
            amodal: ``(O, H, W)`` bool, true amodal masks.
            modal: ``(O, H, W)`` bool, true visible masks.

        Returns:
            ``(O, 7)`` int64 counts; see :func:`robustvos.metrics.kernels.amodal_counts`.

        Raises:
            ValueError: If shapes differ, masks are not bool, the number of masks is not that of the objects, or the
                frame was scored before.
        """
        if frame in self._counts:
            raise ValueError(f"video {self.video}: frame {frame} was scored already")
        self._counts[frame] = count_frame(self.object_ids, prediction, amodal, modal, scoring=self.scoring)
        return self._counts[frame]

    def objects(self) -> list[ObjectScore]:
        """One record an object; a figure that is undefined for the video is None."""
        counts = np.zeros((0, len(self.object_ids), 7), dtype=np.int64)
        if self._counts:
            counts = np.stack([self._counts[frame] for frame in sorted(self._counts)])
        return [
            amodal_score(self.video, object_id, counts[:, position], self.scoring, tags_of_object(self.tags, object_id))
            for position, object_id in enumerate(self.object_ids)
        ]


def count_frame(
    object_ids: Sequence[int],
    prediction: np.ndarray,
    amodal: np.ndarray,
    modal: np.ndarray,
    *,
    scoring: AmodalScoring,
) -> np.ndarray:
    """The ``(O, 7)`` counts of one frame; arguments and errors as for :meth:`AmodalScores.update`."""
    check_masks(prediction, amodal, modal)
    if len(amodal) != len(object_ids):
        raise ValueError(f"{len(object_ids)} objects need as many masks, got {len(amodal)}")
    rows = [amodal_counts(*planes, scoring.signed_difference) for planes in zip(prediction, amodal, modal, strict=True)]
    return np.array(rows, dtype=np.int64).reshape(-1, 7)


def amodal_score(
    video: str, object_id: int, counts: np.ndarray, scoring: AmodalScoring, tags: Mapping[str, str] | None = None
) -> ObjectScore:
    """The record of an object from its ``(T, 7)`` counts; ``frames`` are those that hold it, all of them to TABE.

    Besides ``tags`` it carries how much and how long the object was hidden, see
    :func:`robustvos.metrics.amodal_figures.occlusion_tags`, and the numbers behind that.
    """
    figures = pooled_amodal_iou if scoring.pooled else tabe_amodal_iou
    frames = int((counts[:, AMODAL_AREA] > 0).sum()) if scoring.pooled else len(counts)
    all_tags = {**(tags or {}), **occlusion_tags(counts, occluded_above=scoring.occluded_above)}
    measures = occlusion_measures(counts, occluded_above=scoring.occluded_above)
    scores = figures(counts, occluded_above=scoring.occluded_above)
    return ObjectScore(video, object_id, frames, all_tags, scores, measures)


def occlusion_lines(objects: Sequence[ObjectScore]) -> list[str]:
    """Lines on clips that are not what the amodal task takes for granted; none for other tasks.

    Source: Real-VAS, the task: the object is seen whole in the query frame, and hidden later.
    """
    measured = [record for record in objects if "severity" in record.measures]
    never = [record.sequence for record in measured if not record.measures["severity"]]
    begun = [record.sequence for record in measured if record.measures.get("first_hidden", 0.0) > OCCLUDED_ABOVE]
    lines = []
    if never:
        lines.append(
            f"{len(never)} of {len(measured)} clips are never occluded and count in mIoU alone: {name_some(never)}"
        )
    if begun:
        lines.append(
            f"{len(begun)} of {len(measured)} clips show the object hidden in part in their first scored frame, where the task "
            f"takes it to be seen whole: {name_some(begun)}"
        )
    return lines
