"""Prompt files in JSON lines: what a person said about objects of videos, one prompt a line.

``{"video": "a.mp4", "frame": 40, "object": 2, "points": [[x, y, 1], ...], "box": [x0, y0, x1, y1], "mask": "m.png", "remove":
false, "role": "container", "rest_frame": 96}``: paths relative to the file, native pixels of the frame as shown, frames
counted from 0; everything but ``frame`` and ``object`` is optional. A ``container`` or ``carrier`` (the part that moves with
the object) is that of the object with the same number; ``category`` and ``depth`` say more about it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robustvos.errors import BadMask, BadPrompt
from robustvos.files.atomic import atomic_write_text
from robustvos.types import Prompt
from robustvos.video.masks import read_binary_mask

ROLES = ("object", "container", "carrier")
CATEGORIES = ("surface", "articulated", "mobile")
_KEYS = ("video", "frame", "object", "points", "box", "mask", "remove", "role", "rest_frame", "category", "depth")

Point = tuple[float, float, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class PromptLine:
    """One prompt of a file.

    Attributes:
        frame: Index of the frame it was made on.
        object_id: The object meant, or whose container is meant.
        video: The video; None: whichever the file is used for.
        points: ``(x, y, label)`` of each click; label 1 inside, 0 outside.
        box: ``x0, y0, x1, y1``.
        mask: PNG with the mask.
        remove: From this frame on the object is not followed any more.
        role: One of :data:`ROLES`.
        rest_frame: First frame in which object and container move as one.
        category: Kind of containment, one of :data:`CATEGORIES`.
        depth: How far behind the carrier's tracked face the object's middle lies, in widths of that face.
    """

    frame: int
    object_id: int
    video: Path | None = None
    points: tuple[Point, ...] = ()
    box: Box | None = None
    mask: Path | None = None
    remove: bool = False
    role: str = "object"
    rest_frame: int | None = None
    category: str | None = None
    depth: float | None = None

    @property
    def marks(self) -> bool:
        """Whether it points at something in its frame."""
        return bool(self.points) or self.box is not None or self.mask is not None

    def as_prompt(self, size: tuple[int, int]) -> Prompt:
        """The prompt for a tracker.

        Args:
            size: ``(H, W)`` of the video.

        Raises:
            BadPrompt: If it marks nothing, or a point or box lies outside of the frame.
            BadMask: If the mask is not of the frame's size, or no mask.
            DataNotFound: If the mask's file is missing.
        """
        height, width = size
        where = f"the {self.role} prompt of object {self.object_id} on frame {self.frame}"
        for x, y, *_ in self.points:
            if not (0 <= x < width and 0 <= y < height):
                raise BadPrompt(f"{where}: point {x:g},{y:g} lies outside of the frame of {width}x{height} pixels")
        if self.box is not None and not (self.box[0] < width and self.box[1] < height and min(self.box[2:]) > 0):
            raise BadPrompt(f"{where}: its box lies outside of the frame of {width}x{height} pixels")
        if self.mask is not None:
            mask = read_binary_mask(self.mask)
            if tuple(mask.shape) != tuple(size):
                raise BadMask(
                    f"{self.mask} is {mask.shape[1]}x{mask.shape[0]}, the video {width}x{height} pixels; export it at that size"
                )
            return Prompt(self.object_id, mask=mask, frame=self.frame)
        clicks = torch.tensor([p[:2] for p in self.points], dtype=torch.float32) if self.points else None
        labels = torch.tensor([p[2] for p in self.points], dtype=torch.int32) if self.points else None
        box = None if self.box is None else torch.tensor(self.box, dtype=torch.float32)
        return Prompt(self.object_id, points=clicks, labels=labels, box=box, frame=self.frame)


def read_prompt_lines(path: str | os.PathLike[str]) -> tuple[PromptLine, ...]:
    """Read a prompt file, in the order of its lines; empty lines are passed over.

    Raises:
        BadPrompt: If there is no such file, it holds no prompt, or a line is not one; says which and why.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise BadPrompt(f"prompt file {file} cannot be read ({reason}); check the path") from error
    lines = [
        _parse(line, f"{file}, line {number}", file.parent)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
    if not lines:
        raise BadPrompt(
            f'prompt file {file} holds no prompt; expected lines like {{"frame": 0, "object": 1, "box": [...]}}'
        )
    return tuple(lines)


def write_prompt_lines(lines: Iterable[PromptLine], path: str | os.PathLike[str]) -> None:
    """Write a prompt file in one step; paths become relative to it. What is not set is left out.

    Raises:
        UserError: If the file cannot be written.
    """
    file = Path(path)
    text = "".join(json.dumps(_as_json(line, file.parent), ensure_ascii=False) + "\n" for line in lines)
    atomic_write_text(file, text)


def _as_json(line: PromptLine, folder: Path) -> dict[str, Any]:
    def relative(target: Path | None) -> str | None:
        return None if target is None else Path(os.path.relpath(target, folder)).as_posix()

    values = {
        "video": relative(line.video),
        "frame": line.frame,
        "object": line.object_id,
        "points": [list(point) for point in line.points] or None,
        "box": None if line.box is None else list(line.box),
        "mask": relative(line.mask),
        "remove": line.remove or None,
        "role": None if line.role == "object" else line.role,
        "rest_frame": line.rest_frame,
        "category": line.category,
        "depth": line.depth,
    }
    return {key: value for key, value in values.items() if value is not None}


def _parse(text: str, where: str, folder: Path) -> PromptLine:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadPrompt(f"{where} is not JSON ({' '.join(str(error).split())}); one prompt a line") from error
    if not isinstance(value, dict):
        raise BadPrompt(f"{where} is no JSON object; expected frame, object and points, a box or a mask")
    unknown = [key for key in value if key not in _KEYS]
    if unknown:
        raise BadPrompt(f"{where} has the unknown key '{unknown[0]}'; known: {', '.join(_KEYS)}")
    line = PromptLine(
        frame=_whole(value.get("frame"), "frame", where, least=0),
        object_id=_whole(value.get("object"), "object", where, least=1),
        video=_path(value.get("video"), "video", where, folder),
        points=tuple(_point(point, where) for point in _list(value.get("points"), "points", where)),
        box=_box(value.get("box"), where),
        mask=_path(value.get("mask"), "mask", where, folder),
        remove=_flag(value.get("remove"), where),
        role=_word(value.get("role", "object"), "role", ROLES, where),
        rest_frame=None
        if value.get("rest_frame") is None
        else _whole(value["rest_frame"], "rest_frame", where, least=0),
        category=None if value.get("category") is None else _word(value["category"], "category", CATEGORIES, where),
        depth=None if value.get("depth") is None else _number(value["depth"], "depth", where),
    )
    if line.mask is not None and (line.points or line.box is not None):
        raise BadPrompt(f"{where} has a mask and also points or a box: give one kind")
    if not (line.marks or line.remove or line.rest_frame is not None):
        raise BadPrompt(f"{where} says nothing: give points, a box, a mask, a rest_frame, or remove")
    return line


def _whole(value: Any, name: str, where: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadPrompt(f"{where}: {name} is {value!r}; expected a whole number from {least}")
    return value


def _number(value: Any, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadPrompt(f"{where}: {name} is {value!r}; expected a number")
    return float(value)


def _list(value: Any, name: str, where: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadPrompt(f"{where}: {name} is {value!r}; expected a list")
    return value


def _point(value: Any, where: str) -> Point:
    parts = _list(value, "a point", where)
    if len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] not in (0, 1)):
        raise BadPrompt(f"{where}: point {value} is not [x, y, 1] (inside) or [x, y, 0] (outside)")
    x, y = (_number(v, "a coordinate", where) for v in parts[:2])
    return x, y, int(parts[2]) if len(parts) == 3 else 1


def _box(value: Any, where: str) -> Box | None:
    if value is None:
        return None
    corners = tuple(_number(v, "a corner", where) for v in _list(value, "box", where))
    if len(corners) != 4 or corners[2] <= corners[0] or corners[3] <= corners[1]:
        raise BadPrompt(f"{where}: box {value} is not [x0, y0, x1, y1] with x1 > x0 and y1 > y0")
    return corners


def _path(value: Any, name: str, where: str, folder: Path) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise BadPrompt(f"{where}: {name} is {value!r}; expected a path relative to the file")
    return folder / value


def _flag(value: Any, where: str) -> bool:
    if value not in (None, True, False):
        raise BadPrompt(f"{where}: remove is {value!r}; expected true or false")
    return bool(value)


def _word(value: Any, name: str, known: Sequence[str], where: str) -> str:
    if value not in known:
        raise BadPrompt(f"{where}: {name} is {value!r}; expected one of {', '.join(known)}")
    return str(value)
