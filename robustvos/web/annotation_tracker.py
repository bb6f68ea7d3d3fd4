"""The tracker behind the page: a mask for clicks and boxes on one frame, and runs through the video from there."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from robustvos.errors import BadPrompt, UserError
from robustvos.systems.system import System
from robustvos.types import Prompt, TrackedFrame
from robustvos.video.backwards import backwards
from robustvos.video.prompt_file import Box, Point
from robustvos.video.track_scores import scores_of
from robustvos.web.annotation import Annotation, Mark, Plane, State, ids_of
from robustvos.web.frames import FramePictures
from robustvos.web.identities import regions_of

_NEAR = 3  # pixels
_PRIMED = 4  # marked frames that a run remembers before it begins


@dataclass(frozen=True)
class Run:
    """A run through the video, as the page shows it.

    Attributes:
        start: Its first frame.
        end: Its last.
        frame: Where it is.
        object_ids: Who is followed.
    """

    start: int
    end: int
    frame: int
    object_ids: tuple[int, ...]


class AnnotationTracker:
    """Marks objects and follows them.

    Args:
        annotation: Where masks go.
        system: What tracks.
        pictures: The video.

    Attributes:
        run: The run that is under way; None: none is.
        reached: Where the last run is, or ended.
        trouble: Why the last run ended early; empty: it did not.
    """

    def __init__(self, annotation: Annotation, system: System, pictures: FramePictures) -> None:
        self.annotation, self.system, self.pictures = annotation, system, pictures
        self.run: Run | None = None
        self.reached = 0
        self.trouble = ""
        self._model = threading.Lock()  # one at a time; taken before the annotation's lock, never after
        self._control = threading.RLock()  # who starts and stops runs
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._runs = 0

    def click(self, frame: int, object_id: int, point: Point) -> None:
        """Add a click; the mask is made anew from all that was said of the object on this frame.

        Raises:
            BadPrompt: If the point lies outside of the frame, or the first one outside of the object.
        """
        self.stop()
        with self._model, self.annotation.lock:
            mark = self._mark(frame, object_id)
            self._mark_frame(frame, object_id, replace(mark, points=(*mark.points, point)))

    def box(self, frame: int, object_id: int, box: Box) -> None:
        """Say which box an object fills; clicks of this frame stay, an earlier box and mask do not.

        Raises:
            BadPrompt: If it lies outside of the frame.
        """
        self.stop()
        with self._model, self.annotation.lock:
            self.annotation.check_frame(frame)
            mark = self.annotation.state.marks.get((frame, object_id), Mark())
            height, width = self.annotation.size
            x0, x1 = sorted(min(max(v, 0.0), float(width)) for v in (box[0], box[2]))
            y0, y1 = sorted(min(max(v, 0.0), float(height)) for v in (box[1], box[3]))
            self._mark_frame(frame, object_id, Mark(points=mark.points, box=(x0, y0, x1, y1)))

    def start(self, frame: int, step: int, object_ids: Sequence[int] = ()) -> None:
        """Follow objects from a frame to the end of the video, or (step -1) to its beginning; returns at once.

        Args:
            frame: Where to begin: what is marked there is taken as it is.
            step: 1 forwards, -1 backwards.
            object_ids: Who; empty: all that have a mask there, or were marked anywhere.

        Raises:
            UserError: If there is nothing to follow, or nothing left of the video.
        """
        with self._control:
            self._start(frame, step, object_ids)

    def _start(self, frame: int, step: int, object_ids: Sequence[int]) -> None:
        self.stop()
        self.annotation.check_frame(frame)
        state = self.annotation.state
        known = {i for _, i in state.marks} | set(state.planes[frame].ids if frame in state.planes else ())
        chosen = tuple(sorted(known & set(object_ids) if object_ids else known))
        if not chosen:
            raise UserError("nothing to follow yet: mark an object on this frame first")
        end = self.annotation.count - 1 if step > 0 else 0
        run = Run(frame, end, frame, chosen)
        if not self._prompts_on(frame, run, 0, every=True) and not any(
            self._prompts_on(f, run, 0) for f in _marked_before(state, run)
        ):
            raise UserError("none of these objects has a mask here, nor was one marked before: mark it on this frame")
        if frame == end:
            raise UserError(f"this is the {'last' if step > 0 else 'first'} frame: there is nowhere to track to")
        self._stop.clear()
        self.trouble = ""
        self._runs += 1
        self.run = run
        self._thread = threading.Thread(target=self._follow, args=(self.run, f"run {self._runs}"), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the run after the frame it is at; what it found stays."""
        with self._control:
            if self._thread is not None:
                self._stop.set()
                self._thread.join()
            self._thread = None

    def wait(self) -> None:
        """Wait for the run to end."""
        if self._thread is not None:
            self._thread.join()

    def _mark(self, frame: int, object_id: int) -> Mark:
        """What is said so far; a mask that nobody clicked is what clicks will correct."""
        self.annotation.check_frame(frame)
        self.annotation.check_object(object_id)
        mark = self.annotation.state.marks.get((frame, object_id))
        if mark is not None and not (mark.painted and mark.base is None):
            return mark
        mask = self.annotation.ids(frame) == object_id
        return replace(mark or Mark(), base=Plane.of(mask.astype(np.uint8)) if mask.any() else None)

    def _mark_frame(self, frame: int, object_id: int, mark: Mark) -> None:
        self.annotation.check_object(object_id)
        if mark.base is None and mark.box is None and not any(label for *_, label in mark.points):
            raise BadPrompt("the first click on an object must be inside it; a right click says what is outside")
        prompt = prompt_of(object_id, mark)
        picture = self.pictures.frame(frame)
        tracker, shown = self.system.tracker(), self._shown(picture)
        if mark.base is not None:
            tracker.step(shown, [Prompt(object_id, mask=torch.from_numpy(mark.base.array > 0))])
        found = tracker.step(shown, [replace(prompt, frame=tracker.index)])
        sure = scores_of(found, frame)[0].sureness
        self.annotation.set_mask(frame, object_id, pointed_at(found.masks[0].cpu().numpy(), mark), mark, sure)

    def _follow(self, run: Run, tag: str) -> None:
        try:
            with self._model:
                for frame, found in self._found(run):
                    new = partial(with_tracked, frame=frame, found=found, size=self.annotation.size)
                    self.annotation.change(new, tag)
                    self.run, self.reached = replace(run, frame=frame), frame
                    if self._stop.is_set():
                        break
        except UserError as error:
            self.trouble = str(error)
        except Exception as error:  # a thread has nobody else to tell
            self.trouble = f"the tracker failed: {type(error).__name__}: {error}"
        finally:
            self.run = None

    def _found(self, run: Run) -> Iterator[tuple[int, TrackedFrame]]:
        """What is found on each frame after the first; the tracker first sees frames that a person marked."""
        tracker = self.system.tracker()
        forwards = run.end > run.start
        order = range(run.start, run.end + 1) if forwards else None
        frames = ((t, self.pictures.frame(t)) for t in order) if order else backwards(_Reader(self.pictures), run.start)
        for frame in _marked_before(self.annotation.state, run):
            prompts = self._prompts_on(frame, run, tracker.index)
            if prompts:
                tracker.step(self._shown(self.pictures.frame(frame)), prompts)
                tracker.jump()
        for frame, picture in frames:
            if self._stop.is_set():
                return
            prompts = self._prompts_on(frame, run, tracker.index, every=frame == run.start)
            found = tracker.step(self._shown(picture), prompts)
            if frame != run.start:
                yield frame, found

    def _prompts_on(self, frame: int, run: Run, index: int, every: bool = False) -> list[Prompt]:
        """Masks that a person marked on a frame (``every``: all masks there are), as prompts."""
        state = self.annotation.state
        if frame not in state.planes:
            return []
        ids = state.planes[frame].array
        who = [i for i in run.object_ids if every or (frame, i) in state.marks]
        masks = {i: ids == i for i in who}
        return [Prompt(i, mask=torch.from_numpy(m), frame=index) for i, m in masks.items() if m.any()]

    def _shown(self, picture: torch.Tensor) -> torch.Tensor:
        return picture if self.system.restorer is None else self.system.restorer(picture)


class _Reader(Sequence[torch.Tensor]):
    """The frames of pictures, for :func:`robustvos.video.backwards.backwards`."""

    def __init__(self, pictures: FramePictures) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures.frames)

    def __getitem__(self, index: Any) -> Any:
        return self.pictures.frame(index)


def prompt_of(object_id: int, mark: Mark) -> Prompt:
    """Clicks and box of a mark, for frame 0."""
    return Prompt(
        object_id,
        points=torch.tensor([p[:2] for p in mark.points], dtype=torch.float32) if mark.points else None,
        labels=torch.tensor([p[2] for p in mark.points], dtype=torch.int32) if mark.points else None,
        box=None if mark.box is None else torch.tensor(mark.box, dtype=torch.float32),
    )


def pointed_at(mask: np.ndarray, mark: Mark) -> np.ndarray:
    """The connected regions of a mask that a mark points at: what a small tracker sees elsewhere was not meant.

    A region is meant if a click inside lies within three pixels of it, if more than half of it lies in the box, or if it
    meets the mask that clicks correct. Where no region is meant, all are.

    Args:
        mask: ``(H, W)`` bool.
        mark: What was said.

    Returns:
        ``(H, W)`` bool.
    """
    meant = np.zeros_like(mask)
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    near = np.zeros_like(mask)
    for x, y, label in mark.points:
        if label:
            near |= (abs(columns - x) <= _NEAR) & (abs(rows - y) <= _NEAR)
    if mark.base is not None:
        near |= mark.base.array > 0
    boxed = np.zeros_like(mask)
    if mark.box is not None:
        x0, y0, x1, y1 = mark.box
        boxed = (columns >= x0 - _NEAR) & (columns < x1 + _NEAR) & (rows >= y0 - _NEAR) & (rows < y1 + _NEAR)
    for region in regions_of(mask):
        if (region & near).any() or 2 * int((region & boxed).sum()) > int(region.sum()):
            meant |= region
    return meant if meant.any() else mask


def _marked_before(state: State, run: Run) -> list[int]:
    """Marked frames that a run remembers: the nearest to its start, farthest first; of frames to come none."""
    past = {
        f for f, i in state.marks if i in run.object_ids and (f < run.start if run.end > run.start else f > run.start)
    }
    return sorted(past, key=lambda f: -abs(f - run.start))[-_PRIMED:]


def with_tracked(state: State, frame: int, found: TrackedFrame, size: tuple[int, int]) -> State:
    """A state with what was tracked on a frame; objects marked there, and those not followed, keep their pixels."""
    ids = ids_of(state, frame, size)
    rows = [row for row, i in enumerate(found.object_ids) if (frame, i) not in state.marks and i in state.names]
    ids[np.isin(ids, [found.object_ids[row] for row in rows])] = 0
    masks = found.masks.cpu().numpy()
    for row in rows:
        ids[masks[row] & (ids == 0)] = found.object_ids[row]
    scores = scores_of(found, frame)
    sure = {(frame, scores[row].object_id): scores[row].sureness for row in rows}
    return replace(state, planes={**state.planes, frame: Plane.of(ids)}, sureness={**state.sureness, **sure})
