"""Prompts of a file, matched to the videos of a dataset and to the objects of their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from robustvos.datasets.prompts.benchmark_files import PromptFile
from robustvos.datasets.vos.masks import read_ids, visible_ids
from robustvos.errors import BadPrompt
from robustvos.files.names import nfc
from robustvos.files.naming import name_some
from robustvos.types import Prompt
from robustvos.video.layouts import SequenceRecord
from robustvos.video.luma import read_lumas


@dataclass(frozen=True)
class ClipPrompts:
    """What a file says of one clip.

    Attributes:
        prompts: One an object, all on the clip's first key frame.
        classes: Names of classes by object id, as far as the file says.
        unprompted: Objects of that frame which the file passes over, though there is room for them.
    """

    prompts: tuple[Prompt, ...]
    classes: Mapping[int, str]
    unprompted: tuple[int, ...]


@dataclass
class MatchedFile:
    """What a file says of many clips.

    Attributes:
        clips: Prompts by name of clip.
        missing: Clips that the file does not name.
        empty: Clips without any of the objects that the file knows of in their video.
        unprompted: Clips with objects that the file passes over.
    """

    clips: dict[str, ClipPrompts] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unprompted: list[str] = field(default_factory=list)

    def describe(self, file: PromptFile) -> list[str]:
        """One line for each thing that is left out."""
        total = len(self.clips) + len(self.missing) + len(self.empty)
        lines = [
            (self.missing, "of {} clips are not in {} and are left out"),
            (self.empty, "of {} clips show none of the objects of {} and are left out"),
            (self.unprompted, "of {} clips have objects that {} passes over; these are not tracked"),
        ]
        return [
            f"{len(names)} {line.format(total, file.path.name)}: {name_some(names)}" for names, line in lines if names
        ]


def match_prompts(
    file: PromptFile, clips: Sequence[tuple[str, SequenceRecord]], limit: int | None, by_luma: bool
) -> MatchedFile:
    """Prompts of all clips that the file knows; reads the first annotation of each.

    Args:
        file: The file.
        clips: What the file calls each clip, and the clip, by whose own name its prompts are returned.
        limit: See :func:`prompts_from_file`.
        by_luma: Likewise.

    Raises:
        BadPrompt: If it knows none of them, or see :func:`prompts_from_file`.
        BadMask: If an annotation cannot be read.
    """
    matched = MatchedFile()
    for called, record in clips:
        key, name = nfc(called), record.name
        if key not in file.videos:
            matched.missing.append(name)
            continue
        found = prompts_from_file(file, key, record, limit, by_luma)
        if not found.prompts:
            matched.empty.append(name)
            continue
        matched.clips[name] = found
        if found.unprompted:
            matched.unprompted.append(f"{name} ({', '.join(map(str, found.unprompted))})")
    if not matched.clips:
        raise _of_another_set(file, clips)
    return matched


def describe_unlisted(file: PromptFile, clips: Sequence[tuple[str, SequenceRecord]]) -> list[str]:
    """A line on the clips that a file does not name, if it names others; they are tracked without it.

    Args:
        file: The file.
        clips: As for :func:`match_prompts`.

    Raises:
        BadPrompt: If it knows none of them.
    """
    unlisted = [record.name for key, record in clips if nfc(key) not in file.videos]
    if len(unlisted) == len(clips):
        raise _of_another_set(file, clips)
    if not unlisted:
        return []
    return [
        f"{len(unlisted)} of {len(clips)} clips are not in {file.path.name}; all their regions are tracked, from clicks of "
        f"the evaluator's own: {name_some(unlisted)}"
    ]


def _of_another_set(file: PromptFile, clips: Sequence[tuple[str, SequenceRecord]]) -> BadPrompt:
    return BadPrompt(
        f"prompt file {file.path} has prompts for none of {len(clips)} clips: it names {name_some(file.videos, 2)}, "
        f"the dataset has {name_some((key for key, _ in clips), 2)}; give the file of this dataset"
    )


def prompts_from_file(
    file: PromptFile, key: str, record: SequenceRecord, limit: int | None, by_luma: bool
) -> ClipPrompts:
    """Prompts of one clip, on its first key frame.

    A file that has one set of points for all splits of a video (ACDC) is followed as the public evaluator does: a point
    outside of its object moves to the object's nearest pixel, and objects that a later split does not show are passed
    over.

    Args:
        file: The file; it must know the clip.
        key: What it calls the clip.
        record: The clip.
        limit: At most so many objects, those of the lowest ids; None: all.
        by_luma: Whether an id is as low as its colour is dark, instead of as stored.

    Raises:
        BadPrompt: If the file has an object that the frame which it was made from does not show, or a point lies outside
            of the frame.
        BadMask: If the annotation cannot be read.
    """
    listed = file.videos[key]
    frame, path = next((i, path) for i, path in enumerate(record.annotation_paths) if path is not None)
    size = record.open_frames().size
    ids, lumas = read_ids(path, size), read_lumas(path)
    seen = visible_ids(ids)
    object_of = {lumas[object_id]: object_id for object_id in reversed(seen)}
    absent = [entry.luma for entry in listed.objects if entry.luma not in object_of]
    where = f"{file.path}, video '{key}'"
    if absent and listed.first_frame in (None, path.stem):
        raise BadPrompt(
            f"{where}: objects {absent} are not in {path}, which shows {sorted(object_of)}; is the file for other masks?"
        )
    entries = [(object_of[entry.luma], entry) for entry in listed.objects if entry.luma in object_of]
    chosen = sorted(entries, key=lambda item: (item[1].luma if by_luma else 0, item[0]))[:limit]
    prompts = [entry.as_prompt(object_id, frame, size, file.side, where) for object_id, entry in chosen]
    if file.follows_truth:
        prompts = [moved_inside(prompt, ids == prompt.object_id) for prompt in prompts]
    room = limit is None or len(chosen) < limit
    return ClipPrompts(
        tuple(prompts),
        {object_id: entry.class_name for object_id, entry in chosen if entry.class_name is not None},
        tuple(sorted(set(seen) - {object_id for object_id, _ in entries})) if room else (),
    )


def moved_inside(prompt: Prompt, mask: np.ndarray) -> Prompt:
    """Each point that is not on the object, on the object's pixel nearest to it."""
    assert prompt.points is not None
    rows, columns = np.nonzero(mask)
    points = []
    for x, y in prompt.points.tolist():
        if not mask[int(y), int(x)]:
            nearest = np.hypot(columns - x, rows - y).argmin()
            x, y = float(columns[nearest]), float(rows[nearest])
        points.append((x, y))
    return replace(prompt, points=torch.tensor(points, dtype=torch.float32))
