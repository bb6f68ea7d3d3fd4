"""A tracker that looks at a window has another beside it, which sees whole frames now and then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from torch import Tensor

from robustvos.sam2.views import FollowingWindow
from robustvos.types import Prompt, TrackedFrame

EVERY = 5
"""Frames from one look to the next, while nothing is searched for: so things are known at the size they have there."""


class Seen(NamedTuple):
    """An object as it is seen in the whole frame: ``(H, W)`` bool, and two numbers as tensors, a logit and an IoU."""

    mask: Tensor
    presence: Tensor
    iou: Tensor


class SeesAll(Protocol):
    """What a scout needs of a tracker: :class:`robustvos.sam2.tracker.Tracker` with the view ``frame``."""

    @property
    def index(self) -> int:
        """Index that the next frame will have."""

    @property
    def active_ids(self) -> tuple[int, ...]:
        """Objects of the forward pass now running."""

    def step(self, frame: Tensor, prompts: Sequence[Prompt] = ()) -> TrackedFrame:
        """Take the next frame."""

    def remove(self, object_id: int) -> None:
        """Stop tracking an object."""


class Scout:
    """Says where objects are that the window has lost, and what clicks mean on things that it did not know.

    A base takes other things for one that it remembers at another size. So what the whole frame shows is asked of a tracker
    that has never seen anything else; it looks at every :data:`EVERY` th frame, at those with prompts, and at all while
    something is searched for.

    Args:
        tracker: Of the same weights; its frames are those that it is shown.

    Attributes:
        window: Where the other tracker looks.
        looking: Whether the tracker of whole frames is now at work.
    """

    def __init__(self, tracker: SeesAll) -> None:
        self._tracker = tracker
        self.window = FollowingWindow()
        self.looking = False

    @property
    def active_ids(self) -> tuple[int, ...]:
        """Objects of the forward pass now running, while it looks."""
        return self._tracker.active_ids

    def remove(self, object_id: int) -> None:
        """An object is no longer tracked."""
        self._tracker.remove(object_id)
        self.window.forget(object_id)

    def look(self, frame: Tensor, prompted: Mapping[int, Prompt], index: int) -> dict[int, Seen]:
        """What the whole frame shows, of those objects for which that counts.

        Args:
            frame: ``(3, H, W)`` uint8.
            prompted: What is said of objects on it, by id.
            index: Of the frame.
        """
        if not prompted and not self.window.searching and index % EVERY:
            return {}
        self.looking = True
        try:
            said = [replace(prompt, frame=self._tracker.index) for prompt in prompted.values()]
            found = self._tracker.step(frame, said)
        finally:
            self.looking = False
        seen = dict(zip(found.object_ids, map(Seen, found.masks, found.presence, found.predicted_iou), strict=True))
        counts = [
            i for i, prompt in prompted.items() if self.window.reaches_further(prompt) and bool(seen[i].mask.any())
        ]
        counts += [i for i in seen if i not in prompted and self.window.believes(i, seen[i].mask)]
        self.window.settle(prompted)
        return {i: seen[i] for i in counts}
