"""Track one video and score it, frame by frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from robustvos.errors import DataNotFound
from robustvos.metrics.aggregate import estimate
from robustvos.metrics.amodal_scores import AmodalScores
from robustvos.metrics.rules import ScoringRules
from robustvos.metrics.tasks import METRICS, UNITS, Scored, gather_results, object_records
from robustvos.metrics.video_scores import VideoScores
from robustvos.sam2.tracker import Tracker
from robustvos.types import Prompt, TrackedFrame, Video, VideoResult


def track_video(
    tracker: Tracker, video: Video, restore: Callable[[Tensor], Tensor] | None = None
) -> Iterator[tuple[Tensor, TrackedFrame]]:
    """Stream a video: each frame as the tracker saw it, ``(3, H, W)`` uint8, and what was found on it."""
    told: dict[int, list[Prompt]] = defaultdict(list)
    for prompt in video.prompts:
        told[prompt.frame].append(prompt)
    for t in range(len(video.frames)):
        frame = video.frames[t]
        if restore is not None:
            frame = restore(frame)
        yield frame, tracker.step(frame, told.get(t, ()))


class Scorer:
    """Scores of one video under its task.

    Args:
        video: What is tracked.
        task: ``modal`` (J and F) or ``amodal`` (the four mIoU; needs amodal truth).
        rules: Which frames count; modal only.

    Raises:
        DataNotFound: If the task is amodal, and the video has no amodal truth.
    """

    def __init__(self, video: Video, task: str, rules: ScoringRules) -> None:
        self.video = video
        tags = {**video.tags, "corruption": video.corruption}
        self.scores: VideoScores | AmodalScores
        if task == "amodal":
            if video.amodal is None:
                raise DataNotFound(
                    f"video '{video.name}' has no amodal masks to score against; choose data that have them"
                )
            self.scores = AmodalScores(video.name, video.object_ids, tags=tags)
        else:
            self.scores = VideoScores(video.name, video.object_ids, rules=rules, tags=tags)

    def update(self, tracked: TrackedFrame) -> None:
        """Score a frame if it carries ground truth."""
        masks = self.video.masks
        modal = masks[tracked.index]
        if modal is None:
            return
        void = masks.void(tracked.index) if hasattr(masks, "void") else None
        prediction = masks_in_order(tracked, self.video)
        match = getattr(masks, "matched_to", None)  # truth without identities: what fits a prediction best
        if match is not None:
            modal = match(tracked.index, prediction)
        if isinstance(self.scores, AmodalScores):
            amodal = self.video.amodal[tracked.index] if self.video.amodal is not None else None
            if amodal is not None:
                self.scores.update(tracked.index, prediction, amodal, modal)
        else:
            self.scores.update(tracked.index, prediction, modal, void)

    def result(self) -> VideoResult:
        """Scores of the whole video; ``counts`` says of each frame whether the object's score is made of it."""
        frames: list[Mapping[str, Any]] = []
        if isinstance(self.scores, VideoScores):
            counted = {(s.frame, s.object_id) for found in self.scores.counted().values() for s in found}
            frames = [
                {
                    "frame": s.frame,
                    "object": s.object_id,
                    "J": s.region,
                    "F": s.contour,
                    "counts": (s.frame, s.object_id) in counted,
                }
                for s in self.scores.frame_scores()
            ]
        return VideoResult(self.video.name, tuple(self.scores.objects()), tuple(frames))


def masks_in_order(tracked: TrackedFrame, video: Video) -> Tensor:
    """``(O, H, W)`` bool on the CPU in the order of the video's ids; objects not introduced yet are empty."""
    masks = torch.zeros(len(video.object_ids), *video.size, dtype=torch.bool)
    position = {object_id: i for i, object_id in enumerate(video.object_ids)}
    for object_id, mask in zip(tracked.object_ids, tracked.masks.cpu(), strict=True):
        if object_id in position:
            masks[position[object_id]] = mask
    return masks


def overall_means(results: Sequence[Scored], task: str) -> dict[str, float]:
    """The figures of ``results.json`` over everything, on every process; without those that no object has."""
    objects = object_records(gather_results(results))
    means = {m: estimate(objects, m, unit=UNITS[task], resamples=1)["mean"] for m in METRICS[task]}
    return {metric: float(mean) for metric, mean in means.items() if mean is not None}
