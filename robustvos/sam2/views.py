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

_AROUND = 2.5  # times as high and wide as what is tracked; in less, a base takes for it what it leaves behind
_TRUSTED = 5  # frames for which it is believed where a thing is that has come back elsewhere
_LEAST = 0.25  # of the frame's height and width
_GROWING, _SHRINKING = 0.5, 0.05  # of the way, in logarithms, that a window goes in a frame
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

    It is square or has the frame's proportions, or something between: what fits the objects. It widens fast and narrows
    slowly. An object that is not found is awaited where it was last; where it is seen elsewhere in the whole frame, that is
    believed for some frames (:meth:`believes`). Objects that lie far apart are seen in the whole frame, as without it.

    A small base gains most: what covers a tenth of the frame is seen as finely as what fills it (``docs/small.md``).
    """

    def __init__(self) -> None:
        self._boxes: dict[int, Box] = {}  # where objects were last, if they were ever found
        self._lost: set[int] = set()  # of which it is not known where they are
        self._arrived: dict[int, int] = {}  # found elsewhere: frames for which what the whole frame shows is believed
        self._extent: tuple[float, float] | None = None  # height, width; None: as what is tracked asks for

    @property
    def searching(self) -> bool:
        """Whether somebody should look at the whole frame."""
        return bool(self._lost or self._arrived)

    def forget(self, object_id: int) -> None:
        """An object is no longer tracked."""
        self._boxes.pop(object_id, None)
        self._lost.discard(object_id)
        self._arrived.pop(object_id, None)
        if not self._boxes:
            self._extent = None

    def jump(self) -> None:
        """The next frame does not follow the last: objects may be anywhere."""
        self._lost.update(self._boxes)

    def believes(self, object_id: int, mask: Tensor) -> bool:
        """Whether an object is where an ``(H, W)`` bool mask of the whole frame shows it: lost, and then seen elsewhere."""
        box = Window(0, 0, *mask.shape).boxes(mask[None])[0]
        if box is None:
            return False
        last = self._boxes.get(object_id)
        if object_id in self._lost and (last is None or not _meet(box, last)):
            self._arrived[object_id] = _TRUSTED
        return object_id in self._arrived

    def settle(self, object_ids: Iterable[int]) -> None:
        """A person has said where these are: that counts, not what the whole frame showed before."""
        for object_id in object_ids:
            self._arrived.pop(object_id, None)

    def reaches_further(self, prompt: Prompt) -> bool:
        """Whether a prompt says by clicks alone that a thing is where it was not known to be."""
        if not is_click(prompt):
            return False
        known = None if prompt.object_id in self._lost else self._boxes.get(prompt.object_id)
        if known is None or prompt.points is None or prompt.labels is None:
            return known is None
        x, y = prompt.points[prompt.labels == 1].unbind(1)
        x0, y0, x1, y1 = known
        return bool(((x < x0) | (x > x1) | (y < y0) | (y > y1)).any())

    def place(self, size: tuple[int, int], prompts: Iterable[Prompt] = ()) -> Window:
        """Where to look on the next frame.

        Args:
            size: ``(H, W)`` of the frame.
            prompts: Those of that frame; all lie inside the window.
        """
        prompts = list(prompts)
        boxes = [box for box in (*map(extent, prompts), *self._boxes.values()) if box is not None]
        if not boxes or any(self.reaches_further(prompt) for prompt in prompts):
            self._extent = None
            return Window(0, 0, *size)
        x0, y0, x1, y1 = union(boxes)
        wanted = _proportioned(_AROUND * (y1 - y0), _AROUND * (x1 - x0), size)
        told = any(not is_click(prompt) for prompt in prompts)
        self._extent = wanted if told else self._towards(wanted, at_once=bool(prompts) or self.searching)
        self._extent = tuple_of(min(side, full) for side, full in zip(self._extent, size, strict=True))
        centre = (y0 + y1) / 2, (x0 + x1) / 2
        spans = [_span(c, n, full) for c, n, full in zip(centre, self._extent, size, strict=True)]
        (top, height), (left, width) = spans
        return Window(top, left, height, width)

    def saw(self, window: Window, object_ids: Sequence[int], masks: Tensor) -> None:
        """Remember where objects were found: ``(O, h', w')`` bool masks of the window."""
        self._arrived = {i: frames - 1 for i, frames in self._arrived.items() if frames > 1}
        for object_id, box in zip(object_ids, window.boxes(masks), strict=True):
            if box is None:
                self._lost.add(object_id)
            else:
                self._lost.discard(object_id)
                self._boxes[object_id] = box

    def _towards(self, wanted: tuple[float, float], at_once: bool) -> tuple[float, float]:
        if self._extent is None:
            return wanted
        growing = 1.0 if at_once else _GROWING
        return tuple_of(
            now * (goal / now) ** (growing if goal > now else _SHRINKING)
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


def _meet(one: Box, other: Box) -> bool:
    """Whether two boxes have something in common."""
    x0, y0, x1, y1 = one
    u0, v0, u1, v1 = other
    return x0 < u1 and u0 < x1 and y0 < v1 and v0 < y1


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
