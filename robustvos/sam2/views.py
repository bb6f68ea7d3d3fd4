"""Which part of a frame a tracker looks at: all of it, or a window that follows what it tracks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from robustvos.types import Prompt

View = Literal["frame", "objects"]
VIEW = "view"
"""Attribute of a model: where its trackers look, see :class:`robustvos.sam2.config.Sam2Config`."""
OUTSIDE = -1024.0
"""Logit of what a window does not show; SAM 2's of an object that is not there."""

_AROUND = 1.75  # times as high and wide as what is tracked
_LEAST = 0.25  # of the frame's height and width
_GROWING, _SHRINKING = 0.5, 0.05  # of the way, in logarithms, that a window goes in a frame
_SEARCHING = 1.1  # times higher and wider with each frame on which something is not found
_SPECKS = 0.01  # of a mask's area, that may lie beyond each side of its box

Box = tuple[float, float, float, float]  # x0, y0, x1, y1


@dataclass(frozen=True)
class Window:
    """A rectangle of a frame, in native pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def size(self) -> tuple[int, int]:
        """``(h, w)``."""
        return self.height, self.width

    def cut(self, frame: Tensor) -> Tensor:
        """What it shows of ``(..., H, W)``; a view, not a copy."""
        return frame[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def prompt(self, said: Prompt) -> Prompt:
        """A prompt of the frame, that lies inside, as one of the window."""
        corner = torch.tensor([self.left, self.top], dtype=torch.float32)
        return replace(
            said,
            points=None if said.points is None else said.points.cpu().float() - corner,
            box=None if said.box is None else said.box.cpu().float() - corner.repeat(2),
            mask=None if said.mask is None else self.cut(said.mask),
        )

    def paste(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """``(O, h, w)`` logits of the window as ``(O, H, W)`` of the frame, :data:`OUTSIDE` around them."""
        if size == self.size:
            return logits
        whole = logits.new_full((len(logits), *size), OUTSIDE)
        self.cut(whole).copy_(logits)
        return whole

    def boxes(self, masks: Tensor) -> list[Box | None]:
        """Boxes in the frame around ``(O, h', w')`` bool masks of the window, at any resolution, without specks."""
        rows, columns = (_middle(masks.sum(axis)).tolist() for axis in (2, 1))
        down, across = self.height / masks.shape[1], self.width / masks.shape[2]
        found: list[Box | None] = []
        for (y0, y1), (x0, x1) in zip(rows, columns, strict=True):
            box = (self.left + x0 * across, self.top + y0 * down, self.left + x1 * across, self.top + y1 * down)
            found.append(box if y1 > y0 else None)
        return found


class FollowingWindow:
    """A window around all objects of a tracker, from frame to frame.

    It is square or has the frame's proportions, or something between: what fits the objects. It widens fast, narrows
    slowly, and widens step by step to the whole frame while one of the objects is not found. Objects that lie far apart
    are seen in the whole frame, as without it.

    A small base gains most: what covers a tenth of the frame is seen as finely as what fills it (``docs/small.md``).
    """

    def __init__(self) -> None:
        self._boxes: dict[int, Box | None] = {}
        self._extent: tuple[float, float] | None = None  # height, width
        self._centre = (0.0, 0.0)  # y, x

    def forget(self, object_id: int) -> None:
        """An object is no longer tracked."""
        self._boxes.pop(object_id, None)

    def place(self, size: tuple[int, int], prompts: Iterable[Prompt] = ()) -> Window:
        """Where to look on the next frame.

        Args:
            size: ``(H, W)`` of the frame.
            prompts: Those of that frame; all lie inside the window.
        """
        prompts = list(prompts)
        said = [box for box in map(extent, prompts) if box is not None]
        if any(self._boxes.get(p.object_id) is None and is_click(p) for p in prompts):
            return Window(0, 0, *size)  # how far the thing reaches is not known
        seen = [box for box in self._boxes.values() if box is not None]
        if said or seen:
            x0, y0, x1, y1 = union([*said, *seen])
            self._centre = (y0 + y1) / 2, (x0 + x1) / 2
            wanted = _proportioned(_AROUND * (y1 - y0), _AROUND * (x1 - x0), size)
            self._extent = self._towards(wanted, at_once=bool(said))
        lost = {i for i, box in self._boxes.items() if box is None} - {p.object_id for p in prompts}
        if self._extent is None:
            return Window(0, 0, *size)
        if lost:
            self._extent = tuple_of(_SEARCHING * side for side in self._extent)
        self._extent = tuple_of(min(side, full) for side, full in zip(self._extent, size, strict=True))
        spans = [_span(c, n, full) for c, n, full in zip(self._centre, self._extent, size, strict=True)]
        (top, height), (left, width) = spans
        return Window(top, left, height, width)

    def saw(self, window: Window, object_ids: Sequence[int], masks: Tensor) -> None:
        """Remember where objects were found: ``(O, h', w')`` bool masks of the window."""
        self._boxes.update(zip(object_ids, window.boxes(masks), strict=True))

    def _towards(self, wanted: tuple[float, float], at_once: bool) -> tuple[float, float]:
        if self._extent is None:
            return wanted
        if at_once:
            return tuple_of(max(pair) for pair in zip(wanted, self._extent, strict=True))
        return tuple_of(
            now * (goal / now) ** (_GROWING if goal > now else _SHRINKING)
            for now, goal in zip(self._extent, wanted, strict=True)
        )


def is_click(prompt: Prompt) -> bool:
    """Whether a prompt has points alone, which do not tell how far an object reaches."""
    return prompt.mask is None and prompt.box is None


def extent(prompt: Prompt) -> Box | None:
    """The smallest box around all that a prompt says; None if it says nothing."""
    boxes: list[Box] = []
    if prompt.mask is not None:
        rows, columns = (prompt.mask.any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box.tolist()
        boxes.append((x0, y0, x1, y1))
    if prompt.points is not None:
        boxes.extend((x, y, x + 1, y + 1) for x, y in prompt.points.tolist())
    return union(boxes) if boxes else None


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box around all."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def tuple_of(sides: Iterable[float]) -> tuple[float, float]:
    """Height and width."""
    height, width = sides
    return height, width


def _proportioned(height: float, width: float, size: tuple[int, int]) -> tuple[float, float]:
    """At least so high and wide, neither flatter nor steeper than the frame and a square are."""
    height, width = max(height, _LEAST * size[0]), max(width, _LEAST * size[1])
    steepest, flattest = sorted((1.0, size[1] / size[0]))
    height, width = max(height, width / flattest), max(width, height * steepest)
    return min(height, size[0]), min(width, size[1])


def _span(centre: float, length: float, full: int) -> tuple[int, int]:
    """First pixel and number of pixels of a span, moved into ``full``."""
    first = min(max(centre - length / 2, 0), full - length)
    start = min(max(round(first), 0), full - 1)
    return start, max(1, min(round(length), full - start))


def _middle(counts: Tensor) -> Tensor:
    """``(O, 2)`` where the middle 98 % of ``(O, n)`` counts begin and end; equal where all are 0."""
    counts = counts.float()
    before, total = counts.cumsum(1), counts.sum(1, keepdim=True)
    inside = (before > _SPECKS * total) & (before - counts < (1 - _SPECKS) * total)
    first, last = (inside.cumsum(1) == 0).sum(1), counts.shape[1] - (inside.flip(1).cumsum(1) == 0).sum(1)
    return torch.stack([first, last], 1) * (total > 0)
