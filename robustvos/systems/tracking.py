"""Stream a video through a tracker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from torch import Tensor

from robustvos.sam2.tracker import Tracker
from robustvos.types import Prompt, TrackedFrame, Video


def track_video(
    tracker: Tracker, video: Video, restore: Callable[[Tensor], Tensor] | None = None
) -> Iterator[tuple[Tensor, TrackedFrame]]:
    """Each frame as the tracker saw it, ``(3, H, W)`` uint8, and what was found on it."""
    prompts: dict[int, list[Prompt]] = defaultdict(list)
    for prompt in video.prompts:
        prompts[prompt.frame].append(prompt)
    for t in range(len(video.frames)):
        frame = video.frames[t]
        if restore is not None:
            frame = restore(frame)
        yield frame, tracker.step(frame, prompts.get(t, ()))
