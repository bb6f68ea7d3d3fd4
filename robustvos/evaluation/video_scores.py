"""J and F of one video, gathered frame by frame; masks are forgotten at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import fsum
from typing import get_args

import numpy as np

from robustvos.errors import UnknownName
from robustvos.evaluation.object_tags import tags_of_object
from robustvos.evaluation.protocol import ModalScoring
from robustvos.evaluation.records import FrameScore, ObjectScore
from robustvos.metrics.kernels import ContourMap, IdPlanes, check_masks, matching_radius, score_pair

Masks = np.ndarray | IdPlanes
"""``(O, H, W)`` bool: an array, or planes of a map of ids that are made when they are looked at."""


class VideoScores:
    """Scores one video against its ground truth as frames come, in any order.

    Args:
        video: Name of the video.
        object_ids: The objects, in the order of the masks' first dimension.
        scoring: Which frames count; DAVIS's if not given.
        tags: What results are grouped by, copied to each object; ``class:5`` is the ``class`` of object 5 alone.

    >>> scores = VideoScores("boat", (1,))
    >>> mask = np.array([[[True, False], [False, False]]])
    >>> _ = scores.update(0, mask, mask)
    >>> scores.objects()[0].scores
    {'J&F': 1.0, 'J': 1.0, 'F': 1.0}
    """

    def __init__(
        self,
        video: str,
        object_ids: Sequence[int],
        *,
        scoring: ModalScoring | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.video = video
        self.object_ids = tuple(object_ids)
        self.scoring = scoring or ModalScoring()
        self.tags = dict(tags or {})
        self._frames: dict[int, list[FrameScore]] = {}

    def add_object(self, object_id: int) -> None:
        """Take up an object that first appears now; it comes last in the masks of the frames that follow."""
        if object_id not in self.object_ids:
            self.object_ids = (*self.object_ids, object_id)

    def update(self, frame: int, prediction: Masks, target: Masks, void: np.ndarray | None = None) -> list[FrameScore]:
        """Score one annotated frame.

        Args:
            frame: Its index in the video.
            prediction: ``(O, H, W)`` bool, in the order of the objects.
            target: ``(O, H, W)`` bool.
            void: ``(H, W)`` bool, pixels that do not count.

        Returns:
            The frame's scores, one an object.

        Raises:
            ValueError: If shapes differ, masks are not bool, the number of masks is not that of the objects, or the
                frame was scored before.
        """
        if frame in self._frames:
            raise ValueError(f"video {self.video}: frame {frame} was scored already")
        self._frames[frame] = score_frame(frame, self.object_ids, prediction, target, void, scoring=self.scoring)
        return self._frames[frame]

    def frame_scores(self) -> list[FrameScore]:
        """Every score so far by frame; each says whether it counts."""
        return marked(
            (score for frame in sorted(self._frames) for score in self._frames[frame]), self.scoring, self._frames
        )

    def counted(self) -> dict[int, list[FrameScore]]:
        """The scores so far that count, per object and in order of frames."""
        return by_object(self.frame_scores())

    def objects(self) -> list[ObjectScore]:
        """One record an object; the scores of an object no frame of which counts are None."""
        counted = self.counted()
        return [
            object_score(self.video, object_id, counted.get(object_id, []), tags_of_object(self.tags, object_id))
            for object_id in self.object_ids
        ]


def score_frame(
    frame: int,
    object_ids: Sequence[int],
    prediction: Masks,
    target: Masks,
    void: np.ndarray | None = None,
    *,
    scoring: ModalScoring,
) -> list[FrameScore]:
    """J and F of each object of one frame; arguments and errors as for :meth:`VideoScores.update`."""
    check_masks(prediction, target)
    if len(target) != len(object_ids):
        raise ValueError(f"{len(object_ids)} objects need as many masks, got {len(target)}")
    if scoring.contour not in get_args(ContourMap):
        raise UnknownName.of("contour", scoring.contour, get_args(ContourMap))
    radius = matching_radius(target.shape[-2:], scoring.tolerance, scoring.whole_pixels)
    known = None if void is None else ~void
    scores = []
    for object_id, predicted, true in zip(object_ids, prediction, target, strict=True):
        if known is not None:
            predicted, true = predicted & known, true & known
        scores.append(FrameScore(frame, object_id, *score_pair(predicted, true, radius, scoring.contour)))
    return scores


def marked(scores: Iterable[FrameScore], scoring: ModalScoring, frames: Collection[int]) -> list[FrameScore]:
    """The scores of one video in order of frames, each with whether it counts.

    Args:
        scores: Of any objects and frames of the video.
        scoring: Which of them count.
        frames: Every annotated frame, also those in which no object was looked for.
    """
    ends = {min(frames, default=0), max(frames, default=0)}
    appeared: set[int] = set()
    found = []
    for score in sorted(scores, key=lambda score: score.frame):
        if score.present:
            appeared.add(score.object_id)
        skipped = scoring.skip_first_last and score.frame in ends
        counts = score.object_id in appeared and not skipped and (score.present or not scoring.skip_empty_truth)
        found.append(score._replace(counts=counts))
    return found


def by_object(scores: Iterable[FrameScore]) -> dict[int, list[FrameScore]]:
    """Those that count, per object and in the order given."""
    counted: dict[int, list[FrameScore]] = {}
    for score in scores:
        if score.counts:
            counted.setdefault(score.object_id, []).append(score)
    return counted


def object_score(
    video: str, object_id: int, counted: Sequence[FrameScore], tags: Mapping[str, str] | None = None
) -> ObjectScore:
    """The record of an object from the frames that count: means over frames."""
    region = _mean([score.region for score in counted])
    contour = _mean([score.contour for score in counted])
    both = None if region is None or contour is None else (region + contour) / 2
    scores = {"J&F": both, "J": region, "F": contour}
    return ObjectScore(video, object_id, len(counted), dict(tags or {}), scores)


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None
