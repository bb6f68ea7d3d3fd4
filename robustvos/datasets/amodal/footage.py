"""Clips of a folder to train on and to validate on, apart by the footage that they show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robustvos.datasets.amodal.hub_fetch import is_on_hub
from robustvos.datasets.amodal.training import has_all_masks, sources_of, split_by_footage
from robustvos.datasets.published_sets import PUBLISHED
from robustvos.errors import UserError
from robustvos.video.native import NativeClip, find_native_clips


@dataclass(frozen=True)
class AmodalFootage:
    """What a folder gives to a training.

    Attributes:
        trained: Clips to train on.
        held_out: Clips to validate on, whose source videos the former do not show.
        notes: A line each on what was found and what was left out.
    """

    trained: tuple[NativeClip, ...] = ()
    held_out: tuple[NativeClip, ...] = ()
    notes: tuple[str, ...] = ()


def find_footage(root: Path, held_out: float) -> AmodalFootage:
    """Clips in the native format with whole masks on every frame.

    Args:
        root: Their folder.
        held_out: Share of the groups of source videos that is validated on.

    Raises:
        UserError: If there is nothing to train on.
    """
    found = [clip for clip in find_native_clips(root) if clip.amodal is not None]
    if not found:
        raise UserError(f"{root}: no clip has whole masks (gt_masks), so that there is nothing to train on")
    clips = [clip for clip in found if has_all_masks(clip)]
    if not clips:
        raise UserError(
            f"{root}: every clip has masks on some frames alone, so that there is nothing to train on; these clips are "
            "for test"
        )
    notes = []
    if len(clips) < len(found):
        notes.append(f"left out {len(found) - len(clips)} clips that have masks on some frames alone")
    trained, validated = split_by_footage(clips, held_out)
    videos = [len({name for clip in part for name in sources_of(clip)}) for part in (trained, validated)]
    notes.append(
        f"{len(trained)} clips of {videos[0]} source videos to train on, {len(validated)} of {videos[1]} others to validate"
    )
    return AmodalFootage(tuple(trained), tuple(validated), tuple(notes))


def describe_missing_root(name: str, root: Path | str | None) -> str | None:
    """One line if a root of amodal clips does not exist; the embedded sample always does, and the Hub is asked later."""
    if root is None or is_on_hub(root) or Path(root).expanduser().is_dir():
        return None
    return (
        f"no data: {name} ({PUBLISHED[name]}): {root} does not exist; give a folder of clips or of a snapshot with "
        f"--data.root FOLDER, have it fetched with --data.root hf://{PUBLISHED[name].hub}, or leave --data.root out "
        "for the embedded sample"
    )
