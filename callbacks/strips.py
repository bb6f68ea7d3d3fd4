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
from robustvos.drawing.dashed import QUERY, dashed_outline
from robustvos.drawing.draw import overlay, strip, upscale
from robustvos.errors import UserError
from robustvos.evaluation.records import VideoResult
from robustvos.types import TrackedFrame, Video, empty_masks

_SMALLEST, _LARGEST = 240, 320  # shorter side of a picture, pixels: large enough to see, small enough to keep many


class StripRecorder:
    """Keeps the pictures of some frames of one video while it is tracked.

    In both rows the truth is a thin dashed outline: of what is seen of the objects or, in the amodal task, of whole
    objects, and yellow where it is the mask that was given. What is painted is what was found (prediction) or, in the amodal
    task, what is truly seen (truth). A legend says so.

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
        truth = truth_to_outline(video, tracked.index, self.amodal)
        original = video.frames[tracked.index]  # the tracker may have seen a restored one
        # A modal truth is its outlines alone.
        painted = truth_to_outline(video, tracked.index, False) if self.amodal else empty_masks(video.size)
        given = [p.mask for p in video.prompts if self.amodal and p.frame == tracked.index and p.mask is not None]
        query = torch.stack(given) if given else None
        self._truth.append(painted_and_outlined(original, painted, ids, truth, query=query))
        self._prediction.append(painted_and_outlined(frame, tracked.masks, tracked.object_ids, truth, query=query))

    @property
    def is_empty(self) -> bool:
        """Whether no frame was kept."""
        return not self._truth

    def truth(self) -> Tensor:
        """``(3, H, W)`` uint8, frame numbers in the corners."""
        captions = [f"frame {t}" for t in self.indices[: len(self._truth)]]
        captions[0] += ": query yellow" if self.amodal else ": truth dashed"
        if self.amodal:
            captions[-1] += ": seen filled, whole dashed"
        return strip(self._truth, captions)

    def prediction(self) -> Tensor:
        """Of the same size."""
        legend = "found filled, truth dashed"
        return strip(self._prediction, [legend, *[""] * (len(self._prediction) - 1)])


class StripCallback(VideoCallback, ABC):
    """Records strips of the videos that its subclasses choose, and hands them over when a video is done.

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
        self._recorder = StripRecorder(video, self.frames, is_amodal(module)) if chosen else None

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


def truth_to_outline(video: Video, index: int, amodal: bool) -> Tensor:
    """``(O, H, W)`` bool: what is seen of the objects on a frame or, in the amodal task, whole objects; none where unknown."""
    masks = video.amodal if amodal else video.masks
    found = None if masks is None else masks[index]
    return empty_masks(video.size) if found is None else found


def painted_and_outlined(
    frame: Tensor,
    masks: Tensor,
    ids: Sequence[int],
    truth: Tensor,
    sides: tuple[int, int] = (_SMALLEST, _LARGEST),
    query: Tensor | None = None,
) -> Tensor:
    """Paint ``masks``, and outline ``truth`` and above it ``query`` by dashes.

    Args:
        frame: ``(3, H, W)`` uint8.
        masks: ``(O, H, W)`` bool.
        ids: Of the masks; they decide the colours.
        truth: ``(P, H, W)`` bool.
        sides: Shorter side in pixels: smaller frames are enlarged by a whole factor, larger ones reduced.
        query: ``(Q, H, W)`` bool, in its own colour.

    Returns:
        ``(3, h, w)`` uint8 on the CPU.
    """
    smallest, largest = sides
    ids = ids[: len(masks)]  # frames without truth have no masks
    image = overlay(upscale(frame.cpu(), smallest), upscale(masks.cpu(), smallest), ids, contour=False)
    # Dashes are drawn last: made smaller, they would fade.
    image = _reduce(image, largest)
    image = dashed_outline(image, _at_size(upscale(truth.cpu(), smallest), image))
    if query is not None:
        image = dashed_outline(image, _at_size(upscale(query.cpu(), smallest), image), bright=QUERY)
    return image


def _at_size(masks: Tensor, image: Tensor) -> Tensor:
    """``(O, H, W)`` bool masks in the size of a picture of the same frame."""
    if masks.shape[-2:] == image.shape[-2:] or not len(masks):
        return masks
    return F.interpolate(masks[None].float(), size=image.shape[-2:], mode="nearest")[0].bool()


def _reduce(image: Tensor, shortest: int) -> Tensor:
    """Bring the shorter side of ``(3, H, W)`` uint8 down to ``shortest`` pixels; never enlarges."""
    factor = shortest / min(image.shape[-2:])
    if factor >= 1:
        return image
    size = [max(1, round(side * factor)) for side in image.shape[-2:]]
    small = F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True, align_corners=False)[0]
    return small.round().clamp(0, 255).to(torch.uint8)
