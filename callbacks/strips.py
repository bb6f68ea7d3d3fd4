"""A video in one row of pictures: a few of its frames with the truth, and the same with what was found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor

from callbacks.base import VideoCallback
from callbacks.task import is_amodal
from robustvos.errors import UserError
from robustvos.report.draw import overlay, strip, upscale
from robustvos.types import TrackedFrame, Video, VideoResult, empty_masks

_SMALLEST, _LARGEST = 240, 320  # shorter side of a picture, pixels: large enough to see, small enough to keep many


class StripRecorder:
    """Keeps the pictures of some frames of one video while it is tracked.

    Modal task: masks are painted and outlined. Amodal task: what is painted is what is seen of the objects (truth) or
    the whole objects that were found (prediction), and in both rows the outline is the true whole object.

    Args:
        video: The video.
        frames: How many frames, evenly spread from the first to the last; fewer where the video has fewer. Where only
            some frames carry ground truth, the nearest of those.
        amodal: Whether the task is amodal.

    Attributes:
        indices: The frames.
    """

    def __init__(self, video: Video, frames: int, amodal: bool) -> None:
        self.video = video
        self.amodal = amodal
        self.indices = frames_to_show(video.masks, frames)
        self._truth: list[Tensor] = []
        self._prediction: list[Tensor] = []

    def add(self, frame: Tensor, tracked: TrackedFrame) -> None:
        """Keep a frame if it is one to show: ``frame`` ``(3, H, W)`` uint8 as the tracker saw it."""
        if tracked.index not in self.indices:
            return
        video, ids = self.video, self.video.object_ids
        modal, outline = video.masks[tracked.index], None
        if self.amodal:
            whole = video.amodal[tracked.index] if video.amodal is not None else None
            outline = empty_masks(video.size) if whole is None else whole
        original = video.frames[tracked.index]  # the tracker may have seen a restored one
        visible = empty_masks(video.size) if modal is None else modal
        self._truth.append(_picture(original, visible, ids, outline, ids))
        self._prediction.append(_picture(frame, tracked.masks, tracked.object_ids, outline, ids))

    @property
    def is_empty(self) -> bool:
        """Whether no frame was kept."""
        return not self._truth

    def truth(self) -> Tensor:
        """``(3, H, W)`` uint8, frame numbers in the corners."""
        return strip(self._truth, [f"frame {t}" for t in self.indices[: len(self._truth)]])

    def prediction(self) -> Tensor:
        """Of the same size."""
        return strip(self._prediction)


class StripCallback(VideoCallback, ABC):
    """Records strips of the videos that its heirs choose, and hands them over when a video is done.

    Args:
        frames: How many frames of each, at least 1.

    Raises:
        UserError: If that is below 1.
    """

    def __init__(self, frames: int) -> None:
        if frames < 1:
            raise UserError(f"{type(self).__name__}: frames is {frames}; a strip shows at least 1")
        self.frames = frames
        self._recorder: StripRecorder | None = None

    @abstractmethod
    def chooses(self, trainer: L.Trainer, video: Video) -> bool:
        """Whether to show this video; asked once for each."""

    @abstractmethod
    def show(self, trainer: L.Trainer, strips: StripRecorder) -> None:
        """Bring out the strips of a video that was chosen; there is at least one frame."""

    def on_video_start(self, trainer: L.Trainer, module: Any, video: Video) -> None:
        """Choose the frames, if the video is one to show."""
        chosen = self.chooses(trainer, video)
        self._recorder = StripRecorder(video, self.frames, is_amodal(trainer)) if chosen else None

    def on_tracked_frame(
        self, trainer: L.Trainer, module: Any, video: Video, frame: Tensor, tracked: TrackedFrame
    ) -> None:
        """Keep the picture of a chosen frame."""
        if self._recorder is not None:
            self._recorder.add(frame, tracked)

    def on_video_end(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Show what was kept."""
        strips, self._recorder = self._recorder, None
        if strips is not None and not strips.is_empty:
            self.show(trainer, strips)


def frames_to_show(masks: Sequence[Tensor | None], wanted: int) -> tuple[int, ...]:
    """At most ``wanted`` different frames, evenly spread, first and last included; where possible with ground truth.

    A frame without ground truth gives way to the nearest one that has it, if that is closer than the next to show. One
    frame is the middle one.

    Args:
        masks: The ground truth of each frame; None where there is none.
        wanted: At least 1.

    >>> truth = torch.zeros(1, 4, 4, dtype=torch.bool)
    >>> frames_to_show([truth] * 11, 6), frames_to_show([truth] * 3, 6), frames_to_show([truth] * 11, 1)
    ((0, 2, 4, 6, 8, 10), (0, 1, 2), (5,))
    >>> frames_to_show([truth, None, None, None, truth, None, None, None, None], 3)
    (0, 4, 8)
    """
    last = len(masks) - 1
    if last < 0:
        return ()
    if wanted == 1 or last == 0:
        return (_annotated_near(masks, last // 2, last),)
    gap = last / (wanted - 1)
    spread = [round(i * gap) for i in range(wanted)]
    return tuple(sorted({_annotated_near(masks, t, int(gap / 2)) for t in spread}))


def _annotated_near(masks: Sequence[Tensor | None], frame: int, reach: int) -> int:
    for distance in range(reach + 1):
        for near in (frame - distance, frame + distance):
            if 0 <= near < len(masks) and masks[near] is not None:
                return near
    return frame


def _picture(
    frame: Tensor, masks: Tensor, ids: Sequence[int], outline: Tensor | None, outline_ids: Sequence[int]
) -> Tensor:
    """Paint ``masks``; outline them, or else the masks of ``outline``."""
    ids = ids[: len(masks)]  # frames without truth have no masks
    image = overlay(upscale(frame.cpu(), _SMALLEST), upscale(masks.cpu(), _SMALLEST), ids, contour=outline is None)
    if outline is not None:
        image = overlay(image, upscale(outline.cpu(), _SMALLEST), outline_ids[: len(outline)], alpha=0)
    return _reduce(image, _LARGEST)


def _reduce(image: Tensor, shortest: int) -> Tensor:
    """Bring the shorter side of ``(3, H, W)`` uint8 down to ``shortest`` pixels; never enlarges."""
    factor = shortest / min(image.shape[-2:])
    if factor >= 1:
        return image
    size = [max(1, round(side * factor)) for side in image.shape[-2:]]
    small = F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True, align_corners=False)[0]
    return small.round().clamp(0, 255).to(torch.uint8)
