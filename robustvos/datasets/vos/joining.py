"""Long videos out of numbered clips of the same source: ``<video>.-1``, ``<video>.-2``, or ``<video>_split_000``, ..."""

from __future__ import annotations

import re
from collections.abc import Sequence

from robustvos.errors import UserError
from robustvos.files.naming import natural_key
from robustvos.video.layouts import SequenceRecord

_PART = re.compile(r"(.+?(?:\.-|_split_))(\d+)")


def source_of(name: str) -> tuple[str, str] | None:
    """Source video, with what marks its parts, and number of a clip; None for a clip that is no numbered part.

    >>> source_of("KAIST_set04_V001_2.-10"), source_of("fog_GOPR0476_split_002"), source_of("bear")
    (('KAIST_set04_V001_2.-', '10'), ('fog_GOPR0476_split_', '002'), None)
    """
    match = _PART.fullmatch(name)
    return None if match is None else (match[1], match[2])


def join_records(records: Sequence[SequenceRecord], frames: int) -> list[SequenceRecord]:
    """Join the clips of each source video, in the order of their numbers, to videos of about ``frames`` frames.

    A clip is added as long as that brings the length nearer to ``frames``; clips are never cut, so the last video of a source
    may be short. Object ids are kept: see :mod:`robustvos.datasets.prompts.joined` for what they mean across clips.

    Args:
        records: Clips; those of one source may carry several corruptions, and are joined within each.
        frames: 1 or more.

    Returns:
        In the order in which the sources come. A video is named after its clips, ``<video>.-1to3``, or ``1to3+5`` where
        one is missing; a clip that stays alone is returned as it is.

    Raises:
        UserError: If no source has two clips, so that there is nothing to join.
    """
    sources: dict[tuple[str, ...], list[SequenceRecord]] = {}
    for record in records:
        source = source_of(record.name)
        key = (record.corruption, record.name, "") if source is None else (record.corruption, source[0])
        sources.setdefault(key, []).append(record)
    if all(len(clips) == 1 for clips in sources.values()):
        shown = f", e.g. {records[0].name}" if records else ""
        raise UserError(
            f"join_frames is {frames}, but no two of {len(records)} clips are numbered parts of one video{shown}; their names "
            "would end in .-1, .-2 or _split_000, _split_001; leave join_frames out"
        )
    return [video for clips in sources.values() for video in _join(clips, frames)]


def _join(clips: Sequence[SequenceRecord], frames: int) -> list[SequenceRecord]:
    groups: list[list[SequenceRecord]] = []
    length = 0
    for clip in sorted(clips, key=lambda clip: natural_key(clip.name)):
        longer = length + len(clip.frame_paths)
        if groups and abs(longer - frames) < abs(length - frames):
            groups[-1].append(clip)
            length = longer
        else:
            groups.append([clip])
            length = len(clip.frame_paths)
    return [group[0] if len(group) == 1 else _joined(group) for group in groups]


def _joined(clips: Sequence[SequenceRecord]) -> SequenceRecord:
    return SequenceRecord(
        name_of_parts([clip.name for clip in clips]),
        tuple(path for clip in clips for path in clip.frame_paths),
        tuple(path for clip in clips for path in clip.annotation_paths),
        clips[0].corruption,
        tuple(clips),
    )


def name_of_parts(names: Sequence[str]) -> str:
    """What a video joined of these clips is called.

    >>> name_of_parts(["a.-1", "a.-2", "a.-3", "a.-5"])
    'a.-1to3+5'
    """
    found = [source_of(name) for name in names]
    numbers = [part[1] for part in found if part is not None]
    runs: list[list[str]] = []
    for number in numbers:
        if runs and int(number) == int(runs[-1][-1]) + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = (run[0] if len(run) == 1 else f"{run[0]}to{run[-1]}" for run in runs)
    return f"{found[0][0] if found[0] else ''}{'+'.join(texts)}"
