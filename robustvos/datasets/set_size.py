"""How large a dataset is: clips, frames and objects of what is on disk, or is drawn; no frame is decoded for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robustvos.datasets.evaluation import VideoSet
from robustvos.datasets.vos.masks import visible_ids
from robustvos.progress import progress_bar
from robustvos.video.layouts import SequenceRecord
from robustvos.video.masks import read_black_and_white, read_indexed_mask


@dataclass(frozen=True)
class SetSize:
    """A row of a table like the paper's Table 1.

    Attributes:
        part: Which part of the dataset: a split, a weather, ...
        clips: Videos.
        frames: Of all of them, annotated or not.
        objects: Ids that the annotations of a clip show, summed over clips.
        masks: Ids that one annotation shows, summed over annotated frames.
    """

    part: str
    clips: int
    frames: int
    objects: int
    masks: int

    def times(self, count: int, part: str) -> SetSize:
        """The size of so many copies with other frames."""
        return SetSize(part, self.clips * count, self.frames * count, self.objects * count, self.masks * count)


def size_of_records(part: str, records: Sequence[SequenceRecord], binary: bool = False) -> SetSize:
    """The size of videos on disk; each annotation is read once.

    Args:
        part: What to call them.
        records: Their files.
        binary: Masks are black and white, with one object.
    """
    annotated = sum(path is not None for record in records for path in record.annotation_paths)
    objects = masks = 0
    with progress_bar(total=annotated, unit="mask", desc=part, delay=1, leave=False) as bar:
        for record in records:
            seen: set[int] = set()
            for path in record.annotation_paths:
                if path is not None:
                    shown = _ids(path, binary)
                    seen |= shown
                    masks += len(shown)
                    bar.update()
            objects += len(seen)
    frames = sum(len(record.frame_paths) for record in records)
    return SetSize(part, len(records), frames, objects, masks)


def size_of_videos(part: str, videos: VideoSet) -> SetSize:
    """The size of evaluation videos that are no files in a known layout, by the masks that they give."""
    frames = objects = masks = 0
    for index in progress_bar(range(len(videos)), unit="video", desc=part, delay=1, leave=False):
        video = videos.video(index)
        frames, objects = frames + len(video.frames), objects + len(video.object_ids)
        truth = video.masks if video.amodal is None else video.amodal
        for t in range(len(video.frames)):
            shown = truth[t]
            masks += 0 if shown is None else int(shown.flatten(1).any(1).sum())
    return SetSize(part, len(videos), frames, objects, masks)


def size_of_rendered(
    part: str, records: Sequence[SequenceRecord], copies: Sequence[str], binary: bool
) -> list[SetSize]:
    """The size of one copy and of all; copies have the masks of the original, and so each other's."""
    one = [record for record in records if record.corruption == copies[0]]
    size = size_of_records(f"{part}, each corruption", one, binary)
    return [size, size.times(len(copies), f"{part}, all {len(copies)} corruptions")]


def total_size(sizes: Sequence[SetSize]) -> SetSize:
    """The sum, as the part ``all``."""
    columns = ("clips", "frames", "objects", "masks")
    return SetSize("all", *(sum(getattr(size, name) for size in sizes) for name in columns))


def _ids(path: Path, binary: bool) -> set[int]:
    if binary:
        return {1} if bool(read_black_and_white(path)[0].any()) else set()
    return set(visible_ids(read_indexed_mask(path)))
