"""J and F of one clip, gathered frame by frame; masks are forgotten at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from robustvos.metrics.functional.checks import count_pixels
from robustvos.metrics.functional.contours import contour_accuracy
from robustvos.metrics.functional.regions import region_similarity
from robustvos.metrics.object_tags import tags_of_object
from robustvos.metrics.rules import ScoringRules


class FrameScore(NamedTuple):
    """One object in one frame.

    Attributes:
        frame: Frame index.
        object_id: The object.
        region: J.
        contour: F.
        present: Whether the object's truth is not empty.
    """

    frame: int
    object_id: int
    region: float
    contour: float
    present: bool


class VideoScores:
    """Scores one clip against its ground truth as frames come, in any order.

    Args:
        clip: Name of the clip.
        object_ids: The objects, in the order of the masks' first dimension.
        rules: Which frames count; DAVIS's if not given.
        tags: What results are grouped by, copied to each object; ``class:5`` is the ``class`` of object 5 alone.

    >>> scores = VideoScores("boat", (1,))
    >>> mask = torch.tensor([[[True, False], [False, False]]])
    >>> _ = scores.update(0, mask, mask)
    >>> scores.objects()[0]["scores"]
    {'J&F': 1.0, 'J': 1.0, 'F': 1.0}
    """

    def __init__(
        self,
        clip: str,
        object_ids: Sequence[int],
        *,
        rules: ScoringRules | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.clip = clip
        self.object_ids = tuple(object_ids)
        self.rules = rules or ScoringRules()
        self.tags = dict(tags or {})
        self._frames: dict[int, list[FrameScore]] = {}

    def add_object(self, object_id: int) -> None:
        """Take up an object that first appears now; it comes last in the masks of the frames that follow."""
        if object_id not in self.object_ids:
            self.object_ids = (*self.object_ids, object_id)

    def update(self, frame: int, prediction: Tensor, target: Tensor, void: Tensor | None = None) -> list[FrameScore]:
        """Score one annotated frame.

        Args:
            frame: Its index in the clip.
            prediction: ``(O, H, W)`` bool.
            target: ``(O, H, W)`` bool.
            void: ``(H, W)`` bool, pixels that do not count.

        Returns:
            The frame's scores, one per object.

        Raises:
            ValueError: If shapes differ, masks are not bool, the number of masks is not that of the objects, or the
                frame was scored before.
        """
        if frame in self._frames:
            raise ValueError(f"clip {self.clip}: frame {frame} was scored already")
        self._frames[frame] = score_frame(frame, self.object_ids, prediction, target, void, rules=self.rules)
        return self._frames[frame]

    def frame_scores(self) -> list[FrameScore]:
        """Every score so far by frame, whether the rules count it or not."""
        return [score for frame in sorted(self._frames) for score in self._frames[frame]]

    def counted(self) -> dict[int, list[FrameScore]]:
        """The scores so far that the rules count, per object and in order of frames."""
        return counted_scores(self.frame_scores(), self.rules, self._frames)

    def objects(self) -> list[dict[str, Any]]:
        """One record per object, as stored in ``results.json``: clip, object, frames counted, tags, mean scores.

        The scores of an object no frame of which counts are None.
        """
        counted = self.counted()
        return [
            object_record(self.clip, object_id, counted.get(object_id, []), tags_of_object(self.tags, object_id))
            for object_id in self.object_ids
        ]


def score_frame(
    frame: int,
    object_ids: Sequence[int],
    prediction: Tensor,
    target: Tensor,
    void: Tensor | None = None,
    *,
    rules: ScoringRules,
) -> list[FrameScore]:
    """J and F of each object of one frame; arguments and errors as for :meth:`VideoScores.update`."""
    if len(target) != len(object_ids):
        raise ValueError(f"{len(object_ids)} objects need as many masks, got {len(target)}")
    regions = region_similarity(prediction, target, void).tolist()
    contours = contour_accuracy(
        prediction,
        target,
        void,
        tolerance=rules.tolerance,
        whole_pixels=rules.whole_pixels,
        contour=rules.contour,
    ).tolist()
    present = (count_pixels(target if void is None else target & ~void) > 0).tolist()
    rows = zip(object_ids, regions, contours, present, strict=True)
    return [FrameScore(frame, object_id, j, f, seen) for object_id, j, f, seen in rows]


def counted_scores(
    scores: Iterable[FrameScore], rules: ScoringRules, frames: Collection[int]
) -> dict[int, list[FrameScore]]:
    """The scores of one clip that count under ``rules``, per object and in order of frames.

    Args:
        scores: Of any objects and frames of the clip.
        rules: Which of them count.
        frames: Every annotated frame, also those in which no object was looked for.
    """
    ordered = sorted(scores, key=lambda score: score.frame)
    ends = {min(frames, default=0), max(frames, default=0)}
    counted: dict[int, list[FrameScore]] = {}
    appeared: set[int] = set()
    for score in ordered:
        if score.present:
            appeared.add(score.object_id)
        skipped = rules.skip_first_last and score.frame in ends
        if score.object_id in appeared and not skipped and (score.present or not rules.skip_empty_truth):
            counted.setdefault(score.object_id, []).append(score)
    return counted


def object_record(
    clip: str, object_id: int, counted: Sequence[FrameScore], tags: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The ``results.json`` record of an object from the frames that count: means over frames."""
    region = _mean([score.region for score in counted])
    contour = _mean([score.contour for score in counted])
    both = None if region is None or contour is None else (region + contour) / 2
    return {
        "clip": clip,
        "object": object_id,
        "frames": len(counted),
        "tags": dict(tags or {}),
        "scores": {"J&F": both, "J": region, "F": contour},
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(torch.tensor(values, dtype=torch.float64).mean()) if values else None
