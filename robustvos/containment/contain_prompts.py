"""What a person says about one contained object: where it is, what contains it, what carries it, and when it is at rest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.errors import BadPrompt
from robustvos.video.prompt_file import PromptLine

DEFAULT_CATEGORY = "surface"


@dataclass(frozen=True)
class ContainPrompts:
    """Prompts for one object of one video.

    Attributes:
        video: Path; None: whichever the file is used for.
        object_id: The object.
        objects: Marks of the object, by frame; the first begins the clip.
        containers: Marks of the container, by frame.
        carriers: Marks of the part that moves with the object, by frame; the containers' where none was given.
        rest_frame: From here on object and carrier move as one; None: not said.
        category: Kind of containment.
        depth: See :class:`~robustvos.video.prompt_file.PromptLine`.
        ends: First frame that a person says is not to be used; None: the video's end.
    """

    video: Path | None
    object_id: int
    objects: tuple[PromptLine, ...]
    containers: tuple[PromptLine, ...]
    carriers: tuple[PromptLine, ...]
    rest_frame: int | None
    category: str
    depth: float | None
    ends: int | None = None

    def reference(self, rest: int) -> PromptLine:
        """The mark of the carrier that is nearest to the frame of rest."""
        return min(self.carriers, key=lambda line: (abs(line.frame - rest), line.frame))

    def rest_mark(self, rest: int) -> PromptLine | None:
        """The object's mask at rest, if a person gave it."""
        return next((line for line in self.objects if line.frame == rest and rest > self.objects[0].frame), None)

    def seen_again(self, rest: int) -> int | None:
        """First frame after its rest in which a person sees the object; the clip ends before it."""
        return next((line.frame for line in self.objects if line.frame > rest), None)


def group_prompts(lines: Iterable[PromptLine], only: Path | None = None) -> tuple[ContainPrompts, ...]:
    """One group a video and object, in order of video and object.

    Args:
        lines: Of one or more prompt files.
        only: The video that lines mean which name none; those that name it belong to the same groups.

    Raises:
        BadPrompt: If an object or its container is missing, or lines of one object disagree.
    """
    groups: dict[tuple[str, int], list[PromptLine]] = {}
    for line in lines:
        video = line.video or only
        groups.setdefault((os.path.abspath(video) if video else "", line.object_id), []).append(line)
    return tuple(_group(Path(video) if video else None, groups[video, number]) for video, number in sorted(groups))


def _group(video: Path | None, lines: Sequence[PromptLine]) -> ContainPrompts:
    where = f"object {lines[0].object_id}" + (f" of {video}" if video else "")
    marks = {role: _by_frame(lines, role) for role in ("object", "container", "carrier")}
    if not marks["object"]:
        raise BadPrompt(
            f'{where} is not marked: add a line with "role": "object" on a frame in which all of it is seen'
        )
    if not marks["container"] and not marks["carrier"]:
        raise BadPrompt(f'{where} has no container: add a line with "role": "container" and a mask, box or points')
    removed = [line.frame for line in lines if line.remove]
    return ContainPrompts(
        video,
        lines[0].object_id,
        marks["object"],
        marks["container"] or marks["carrier"],
        marks["carrier"] or marks["container"],
        _one(lines, "rest_frame", where),
        _one(lines, "category", where) or DEFAULT_CATEGORY,
        _one(lines, "depth", where),
        min(removed) if removed else None,
    )


def _by_frame(lines: Sequence[PromptLine], role: str) -> tuple[PromptLine, ...]:
    return tuple(sorted((line for line in lines if line.role == role and line.marks), key=lambda line: line.frame))


def _one(lines: Sequence[PromptLine], name: str, where: str) -> Any:
    said = {getattr(line, name) for line in lines} - {None}
    if len(said) > 1:
        raise BadPrompt(f"the prompts of {where} disagree about {name}: {', '.join(map(str, sorted(said)))}")
    return next(iter(said), None)
