"""What every point tracker is: points go in where they are first meant, their paths over the clip come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustvos.errors import BadPrompt, BadVideo
from robustvos.perception.frames import check_frame
from robustvos.perception.weights import Published


@dataclass(frozen=True)
class PointTracks:
    """Paths of ``N`` points over ``T`` frames.

    Attributes:
        points: ``(T, N, 2)`` float32, ``(x, y)`` in native pixels; NaN before a point's query frame. Where a point is not
            visible this is the tracker's guess, or where it was seen last.
        visible: ``(T, N)`` bool; False before a point's query frame.
    """

    points: Tensor
    visible: Tensor


class PointTracker(ABC):
    """Follows points through the frames of one clip.

    Attributes:
        name: Key in the registry.
        weights: What it needs from elsewhere; None if nothing.
    """

    name: ClassVar[str]
    weights: ClassVar[Published | None] = None

    def track(self, frames: Sequence[Tensor], queries: Tensor) -> PointTracks:
        """Follow points forwards from the frames on which they are given.

        Args:
            frames: ``T`` frames ``(3, H, W)`` uint8 RGB; may be lazy, and are read in order.
            queries: ``(N, 3)``: frame, x, y in native pixels. ``N`` may be 0.

        Raises:
            BadVideo: If there are no frames, or one is not uint8 RGB of the first one's size.
            BadPrompt: If a query lies outside the clip or the frame.
        """
        if not len(frames):
            raise BadVideo("there is nothing to track in: the clip is empty")
        check_frame(frames[0])
        size = (frames[0].shape[-2], frames[0].shape[-1])
        check_queries(queries, len(frames), size)
        if not len(queries):
            return PointTracks(torch.zeros(len(frames), 0, 2), torch.zeros(len(frames), 0, dtype=torch.bool))
        found = self.follow(frames, queries.float(), size)
        before = torch.arange(len(frames))[:, None] < queries[:, 0].long()[None]
        points = found.points.float().cpu().masked_fill(before[..., None], float("nan"))
        return PointTracks(points, found.visible.cpu() & ~before)

    @abstractmethod
    def follow(self, frames: Sequence[Tensor], queries: Tensor, size: tuple[int, int]) -> PointTracks:
        """Do the work of :meth:`track`: arguments are checked, and what is before a query is blanked afterwards.

        Args:
            frames: As there.
            queries: ``(N, 3)`` float32, ``N`` at least 1.
            size: ``(H, W)``.
        """


def check_queries(queries: Tensor, length: int, size: tuple[int, int]) -> None:
    """Refuse queries that lie outside a clip of ``length`` frames of ``size`` ``(H, W)``.

    Raises:
        BadPrompt: Naming the first of them.
    """
    if queries.ndim != 2 or queries.shape[1] != 3:
        raise BadPrompt(f"queries are (N, 3): frame, x, y; got {tuple(queries.shape)}")
    height, width = size
    for frame, x, y in queries.tolist():
        if not (frame == int(frame) and 0 <= frame < length):
            raise BadPrompt(f"a query names frame {frame:g} of a clip of {length} frames, counted from 0")
        if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            raise BadPrompt(f"query ({x:g}, {y:g}) on frame {frame:g} lies outside the frame of {width}x{height}")
