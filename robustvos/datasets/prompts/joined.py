"""Prompts of a video that was joined of several clips (``join_frames``; the long videos of the paper's Table 5).

An id that two clips share is taken for the same object: clips of one source show the same scene, and no dataset says
otherwise. MVSeg's ids are numbers of objects, so this is exact as far as its annotators kept them from clip to clip.
ACDC's ids are classes: what bears one in two clips is of one class, and counts as one object, as it does within a clip;
under the protocol ``release``, whose objects are regions of a class, a later clip adds regions of those classes alone
that are not tracked yet.

No clip starts anew: an object is prompted once, on the first frame that shows it (under ``release``, and with a prompt
file, in the first clip whose own prompts have it), and followed to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from robustvos.datasets.prompts.matched import ClipPrompts
from robustvos.types import Prompt
from robustvos.video.layouts import SequenceRecord


def parts_with_offsets(record: SequenceRecord) -> list[tuple[int, SequenceRecord]]:
    """The clips of a video, itself if it was not joined, and the index of each one's first frame in it."""
    offset, parts = 0, []
    for part in record.parts or (record,):
        parts.append((offset, part))
        offset += len(part.frame_paths)
    return parts


def prompts_of_parts(
    record: SequenceRecord, prompts_of: Callable[[SequenceRecord], Sequence[Prompt]], limit: int | None = None
) -> tuple[Prompt, ...]:
    """Each object's prompt from the first clip that has one for it, with the frame's index in the whole video.

    Args:
        record: A video, joined or not.
        prompts_of: Prompts of one clip; none where it has none.
        limit: At most so many objects, those that come first; None: all.
    """
    prompts: dict[int, Prompt] = {}
    for offset, part in parts_with_offsets(record):
        for prompt in prompts_of(part):
            if prompt.object_id not in prompts:
                prompts[prompt.object_id] = replace(prompt, frame=prompt.frame + offset)
    return tuple(prompts.values())[:limit]


def prompts_of_joined(
    record: SequenceRecord, listed: Mapping[str, ClipPrompts], limit: int | None = None
) -> ClipPrompts | None:
    """What a prompt file says of a video: of its clips, put together; None if it names none of them."""
    named = [listed[part.name] for _, part in parts_with_offsets(record) if part.name in listed]
    if not named:
        return None
    prompts = prompts_of_parts(record, lambda part: listed[part.name].prompts if part.name in listed else (), limit)
    classes = {object_id: name for one in reversed(named) for object_id, name in one.classes.items()}
    tracked = {prompt.object_id for prompt in prompts}
    return ClipPrompts(prompts, {i: name for i, name in classes.items() if i in tracked}, ())
