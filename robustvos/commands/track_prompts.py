"""Prompts of ``track``: typed points and boxes, a mask, or a prompt file; checked before anything is tracked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from robustvos.errors import BadMask, BadPrompt
from robustvos.files.naming import printable
from robustvos.program import program
from robustvos.sam2.prompts import check_prompt
from robustvos.types import Prompt
from robustvos.video.masks import masks_from_ids, read_objects
from robustvos.video.prompt_file import PromptLine, read_prompt_lines


@dataclass(frozen=True)
class Prompts:
    """Everything that is said about a video.

    Attributes:
        prompts: At most one for each object on each frame, sorted by frame.
        removals: Frame to objects that are followed no more from there on.
    """

    prompts: tuple[Prompt, ...]
    removals: dict[int, frozenset[int]]

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Every object, ascending."""
        return tuple(sorted({prompt.object_id for prompt in self.prompts}))

    @property
    def last_frame(self) -> int:
        """The last frame that something is said on."""
        return max([prompt.frame for prompt in self.prompts] + list(self.removals))

    def on(self, frame: int) -> list[Prompt]:
        """What is said on a frame."""
        return [prompt for prompt in self.prompts if prompt.frame == frame]

    def first(self) -> dict[int, Prompt]:
        """Of each object, what is said first."""
        return {prompt.object_id: prompt for prompt in reversed(self.prompts)}


@dataclass(frozen=True)
class Typed:
    """What was typed: ``--box``, ``--point``, ``--mask``, ``--frame`` and ``--prompts``."""

    boxes: Sequence[str] = ()
    points: Sequence[str] = ()
    mask: Path | None = None
    frame: int = 0
    file: Path | None = None

    def read(self, size: tuple[int, int], video: str, notes: Sequence[str] = ()) -> Prompts:
        """The same, read and checked.

        Args:
            size: ``(H, W)`` of the frames.
            video: As typed; prompts of a file that are for another video are passed over.
            notes: What is special about the frames, for messages.

        Raises:
            BadPrompt: If nothing, or a mixture that cannot be meant, was given; a number cannot be read; or a point or box
                lies outside of the frame.
            BadMask: If the mask is not of the frame's size, or marks no pixel.
        """
        if self.frame < 0:
            raise BadPrompt(f"--frame {self.frame}: frames are counted from 0")
        if self.file is not None:
            if self.boxes or self.points or self.mask is not None or self.frame:
                raise BadPrompt("--prompts says it all: give it without --box, --point, --mask and --frame")
            found = _of_file(self.file, size, video)
        elif self.mask is not None:
            if self.boxes or self.points:
                raise BadPrompt("--mask says it all: give it without --box and --point")
            found = Prompts(tuple(_of_mask(self.mask, size, notes, self.frame)), {})
        else:
            found = Prompts(tuple(_of_words(self.boxes, self.points, self.frame)), {})
        for prompt in found.prompts:
            check_prompt(prompt, size)
        return found


def _of_words(boxes: Sequence[str], points: Sequence[str], frame: int) -> list[Prompt]:
    if not boxes and not points:
        raise BadPrompt(
            "nothing to follow: point at it with --box x0,y0,x1,y1, --point x,y, --mask first.png or --prompts FILE; "
            f"`{program()} annotate VIDEO` opens the frame to mark it with the mouse"
        )
    named = [":" in text for text in (*boxes, *points)]
    if any(named) and not all(named):
        raise BadPrompt("some of --box and --point name their object (OBJECT:x,y) and some do not: name all of them")
    if not any(named):
        if len(boxes) > 1 and points:
            raise BadPrompt("--point refines one object; with several --box it is not clear which: write OBJECT:x,y")
        boxes = [f"{number}:{text}" for number, text in enumerate(boxes, start=1)]
        points = [f"1:{text}" for text in points]
    corners: dict[int, list[float]] = {}
    clicks: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for text in boxes:
        object_id, numbers = _object_and_numbers(text, (4,), "--box x0,y0,x1,y1 or OBJECT:x0,y0,x1,y1")
        if object_id in corners:
            raise BadPrompt(f"two --box for object {object_id}; give one")
        corners[object_id] = numbers
    for text in points:
        object_id, numbers = _object_and_numbers(text, (2, 3), "--point x,y or x,y,0, or OBJECT:x,y")
        if len(numbers) == 3 and numbers[2] not in (0, 1):
            raise BadPrompt("the third number of --point is 1 inside the object, 0 outside of it")
        clicks[object_id].append((numbers[0], numbers[1], int(numbers[2]) if len(numbers) == 3 else 1))
    return [
        _prompt(object_id, frame, corners.get(object_id), clicks.get(object_id, []))
        for object_id in sorted({*corners, *clicks})
    ]


def _prompt(
    object_id: int, frame: int, box: Sequence[float] | None, clicks: Sequence[tuple[float, float, int]]
) -> Prompt:
    return Prompt(
        object_id,
        points=torch.tensor([click[:2] for click in clicks]) if clicks else None,
        labels=torch.tensor([click[2] for click in clicks]) if clicks else None,
        box=None if box is None else torch.tensor(box),
        frame=frame,
    )


def _object_and_numbers(text: str, lengths: tuple[int, ...], form: str) -> tuple[int, list[float]]:
    name, _, rest = text.partition(":")
    try:
        object_id, numbers = int(name), [float(part) for part in rest.split(",")]
    except ValueError:
        object_id, numbers = 0, []
    if len(numbers) not in lengths:
        typed = text.removeprefix("1:") if name == "1" else text
        raise BadPrompt(f"cannot read '{typed}'; the form is {form}")
    if not 1 <= object_id <= 255:
        raise BadPrompt(f"'{text}' names object {object_id}; give a number from 1 to 255")
    return object_id, numbers


def _of_mask(path: Path, size: tuple[int, int], notes: Sequence[str], frame: int) -> list[Prompt]:
    ids, note = read_objects(path)
    if note:
        print(printable(f"{path}: {note}"))
    if ids.shape != tuple(size):
        raise BadMask(
            f"{path} is {ids.shape[1]} x {ids.shape[0]}, but the frames are {size[1]} x {size[0]} pixels"
            + "".join(f" ({note})" for note in notes)
            + "; export the mask at that size"
        )
    object_ids = sorted(int(i) for i in set(ids.flatten().tolist()) - {0})
    if not object_ids:
        raise BadMask(f"{path} marks no object: every pixel is 0; paint each object in a number from 1 to 255")
    masks = masks_from_ids(ids, object_ids)
    return [Prompt(i, mask=m, frame=frame) for i, m in zip(object_ids, masks, strict=True)]


def _of_file(file: Path, size: tuple[int, int], video: str) -> Prompts:
    lines = [line for line in read_prompt_lines(file) if line.role == "object" and _is_for(line, video)]
    prompts: dict[tuple[int, int], Prompt] = {}
    removals: dict[int, frozenset[int]] = {}
    for line in lines:
        if line.remove:
            removals[line.frame] = removals.get(line.frame, frozenset()) | {line.object_id}
        elif line.marks:
            place = line.frame, line.object_id
            new = line.as_prompt(size)
            prompts[place] = _joined(prompts[place], new, file) if place in prompts else new
    if not prompts:
        raise BadPrompt(f"{file} holds no prompt for an object of {video}; check its keys video and role")
    big = [object_id for _, object_id in prompts if object_id > 255]
    if big:
        raise BadPrompt(
            f"{file}: object {big[0]} does not fit the masks that are written; number objects from 1 to 255"
        )
    return Prompts(tuple(prompts[place] for place in sorted(prompts)), removals)


def _joined(old: Prompt, new: Prompt, file: Path) -> Prompt:
    """Two lines about one object on one frame: clicks add up."""
    if old.mask is not None or new.mask is not None or (old.box is not None and new.box is not None):
        where = f"object {new.object_id} on frame {new.frame}"
        raise BadPrompt(f"{file} says two things of {where}: join its lines into one mask, or one box and clicks")
    points = [p for p in (old.points, new.points) if p is not None]
    labels = [p for p in (old.labels, new.labels) if p is not None]
    return replace(
        old,
        points=torch.cat(points) if points else None,
        labels=torch.cat(labels) if labels else None,
        box=new.box if old.box is None else old.box,
    )


def _is_for(line: PromptLine, video: str) -> bool:
    if line.video is None:
        return True
    try:
        return line.video.samefile(video)
    except OSError:  # one of them is not here: go by name
        return line.video.name == Path(video).name
