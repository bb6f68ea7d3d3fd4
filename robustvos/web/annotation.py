"""What a person has annotated in one video: masks, marks and names; every change can be undone and is on disk at once."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import numpy as np

from robustvos.errors import BadPrompt, UserError
from robustvos.video.masks import VOID
from robustvos.video.prompt_file import Box, Point

MOST_OBJECTS = VOID - 1
_UNDO_STEPS = 200


@dataclass(frozen=True)
class Plane:
    """A map of object ids, packed; immutable, so that a past state costs nothing to keep."""

    data: bytes
    shape: tuple[int, int]
    ids: tuple[int, ...]

    @classmethod
    def of(cls, ids: np.ndarray) -> Plane:
        """Pack ``(H, W)`` uint8; 0 is the background, 255 void."""
        counts = np.bincount(ids.ravel(), minlength=256)
        found = tuple(int(i) for i in np.flatnonzero(counts) if i not in (0, VOID))
        return cls(zlib.compress(np.ascontiguousarray(ids).tobytes(), 1), (ids.shape[0], ids.shape[1]), found)

    @property
    def array(self) -> np.ndarray:
        """``(H, W)`` uint8, to be written to at will."""
        return np.frombuffer(zlib.decompress(self.data), np.uint8).reshape(self.shape).copy()


@dataclass(frozen=True)
class Mark:
    """What a person said of one object on one frame.

    Attributes:
        points: ``(x, y, label)`` of each click.
        box: ``x0, y0, x1, y1``.
        painted: The mask itself was drawn.
        base: What clicks correct: the mask before the first of them; None where they start from nothing.
    """

    points: tuple[Point, ...] = ()
    box: Box | None = None
    painted: bool = False
    base: Plane | None = None


Place = tuple[int, int]  # frame, object
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class State:
    """All of it at one moment.

    Attributes:
        planes: Masks of the frames that have been looked at.
        marks: What a person said, by frame and object.
        names: Of the objects.
        sureness: Of the tracker, in [0, 1], by frame and object, where it made the mask.
    """

    planes: Mapping[int, Plane] = field(default_factory=dict)
    marks: Mapping[Place, Mark] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    sureness: Mapping[Place, float] = field(default_factory=dict)


class Store(Protocol):
    """Where changes go."""

    def save(self, before: State | None, now: State) -> None:
        """Write what differs; before is None if everything does."""


class Annotation:
    """The annotation of one video; its methods may be called from any thread.

    Args:
        count: Frames of the video.
        size: ``(H, W)``.
        store: Where every change is written before the method that made it returns.
        state: What is there already.

    Attributes:
        version: Grows with every change.
    """

    def __init__(self, count: int, size: tuple[int, int], store: Store, state: State | None = None) -> None:
        self.count, self.size, self.store = count, size, store
        self.version = 0
        self.lock = threading.RLock()
        self._state = state or State()
        self._past: list[tuple[str, State]] = []
        self._future: list[State] = []

    @property
    def state(self) -> State:
        """What is there now."""
        return self._state

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back."""
        return bool(self._future)

    def change(self, new: Callable[[State], State], tag: str = "") -> None:
        """Change the state.

        Args:
            new: From the state before to the one after.
            tag: Changes that follow one another under one tag are one step to undo; empty: a step of its own.
        """
        with self.lock:
            before = self._state
            after = new(before)
            self.store.save(before, after)
            if not (tag and self._past and self._past[-1][0] == tag):
                self._past = [*self._past[-_UNDO_STEPS:], (tag, before)]
            self._future = []
            self._state = after
            self.version += 1

    def undo(self) -> None:
        """Take the last step back.

        Raises:
            UserError: If there is none.
        """
        with self.lock:
            if not self._past:
                raise UserError("there is nothing to undo")
            before = self._past[-1][1]
            self.store.save(self._state, before)
            self._past.pop()
            self._future.append(self._state)
            self._state = before
            self.version += 1

    def redo(self) -> None:
        """Do again what was undone last.

        Raises:
            UserError: If there is nothing.
        """
        with self.lock:
            if not self._future:
                raise UserError("there is nothing to do again")
            after = self._future[-1]
            self.store.save(self._state, after)
            self._future.pop()
            self._past.append(("", self._state))
            self._state = after
            self.version += 1

    def ids(self, frame: int) -> np.ndarray:
        """``(H, W)`` uint8 of a frame; a copy."""
        self.check_frame(frame)
        return ids_of(self._state, frame, self.size)

    def add_object(self, name: str = "") -> int:
        """Make an object; returns its id, the lowest that is free.

        Raises:
            UserError: If there are as many as masks can hold.
        """
        with self.lock:
            object_id = free_id(self._state)
            self.change(lambda s: replace(s, names={**s.names, object_id: name or f"object {object_id}"}))
            return object_id

    def name(self, object_id: int, name: str) -> None:
        """Give an object another name."""
        self.check_object(object_id)
        text = " ".join(name.split())[:80] or f"object {object_id}"
        self.change(lambda s: replace(s, names={**s.names, object_id: text}))

    def set_mask(
        self, frame: int, object_id: int, mask: np.ndarray, mark: Mark, sure: float | None = None, tag: str = ""
    ) -> None:
        """Give an object a mask that a person has asked for.

        Pixels of other objects are taken. Where it meets an object that was marked on this frame too, the pixels go to
        whichever would lose the larger share of itself, unless they were painted: a ball before a man stays a ball.

        Args:
            frame: The frame.
            object_id: The object.
            mask: ``(H, W)`` bool.
            mark: What was said.
            sure: Of the tracker, if it made the mask.
            tag: See :meth:`change`.
        """
        self.check_frame(frame)
        self.check_object(object_id)

        def new(state: State) -> State:
            ids = ids_of(state, frame, self.size)
            firm = [] if mark.painted and not mark.points else [i for f, i in state.marks if f == frame]
            taken = mask.copy()
            for other in firm:
                if other != object_id and _loses_more(ids == other, mask):
                    taken &= ids != other
            ids[ids == object_id] = 0
            ids[taken] = object_id
            place = frame, object_id
            sureness = without(state.sureness, [place]) | ({} if sure is None else {place: sure})
            planes = {**state.planes, frame: Plane.of(ids)}
            return replace(state, planes=planes, marks={**state.marks, place: mark}, sureness=sureness)

        self.change(new, tag)

    def clear(self, frame: int, object_id: int) -> None:
        """Forget what was said and found of an object on one frame."""
        self.check_frame(frame)
        self.check_object(object_id)

        def new(state: State) -> State:
            ids = ids_of(state, frame, self.size)
            ids[ids == object_id] = 0
            place = frame, object_id
            planes = {**state.planes, frame: Plane.of(ids)}
            return replace(
                state, planes=planes, marks=without(state.marks, [place]), sureness=without(state.sureness, [place])
            )

        self.change(new)

    def check_frame(self, frame: int) -> None:
        """Refuse a frame that is not there.

        Raises:
            BadPrompt: If so.
        """
        if not 0 <= frame < self.count:
            raise BadPrompt(f"there is no frame {frame}; the video has frames 0 to {self.count - 1}")

    def check_object(self, object_id: int) -> None:
        """Refuse an object that is not there.

        Raises:
            BadPrompt: If so.
        """
        if object_id not in self._state.names:
            raise BadPrompt(f"there is no object {object_id}; it may have been deleted or undone")


def _loses_more(old: np.ndarray, new: np.ndarray) -> bool:
    """Whether what two masks share is a larger part of the old one than of the new one."""
    return bool((old & new).any()) and int(old.sum()) < int(new.sum())


def ids_of(state: State, frame: int, size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` uint8 of a frame; background where nothing is known."""
    plane = state.planes.get(frame)
    return np.zeros(size, np.uint8) if plane is None else plane.array


def free_id(state: State) -> int:
    """The lowest id that no object has.

    Raises:
        UserError: If all are taken.
    """
    for object_id in range(1, MOST_OBJECTS + 1):
        if object_id not in state.names:
            return object_id
    raise UserError(f"masks hold {MOST_OBJECTS} objects at most; merge or delete some")


def without(values: Mapping[Place, _Value], places: Iterable[Place]) -> dict[Place, _Value]:
    """The same without some places."""
    gone = set(places)
    return {place: value for place, value in values.items() if place not in gone}
