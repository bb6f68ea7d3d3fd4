"""How large a dataset is: clips, frames and objects of what is on disk, or is drawn; no frame is decoded for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from datamodules.base import Data
from datamodules.corrupted_vos import CorruptedVOS
from datamodules.real_adverse import RealAdverse
from datamodules.rendered_source import CLEAN, RenderedSource
from datamodules.shapes import Shapes
from datamodules.vos_masks import visible_ids
from robustvos.types import Video
from robustvos.video.layouts import SequenceRecord
from robustvos.video.masks import read_indexed_mask


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


def sizes_of(data: Data) -> list[SetSize]:
    """One row for each part of a dataset; reads annotations, with a progress bar if that takes more than a second.

    Raises:
        DataNotFound: If the dataset is missing or incomplete.
        BadMask: If an annotation cannot be read.
    """
    if isinstance(data, CorruptedVOS):
        return list(_sizes_of_folders(data))
    if isinstance(data, RealAdverse):
        return _sizes_of_clips(data)
    if isinstance(data, Shapes):
        splits = {"validation": (data.val, data.val_dataloader), "test": (data.test, data.test_dataloader)}
        data.val, data.test = (replace(settings, conditions=("clean",)) for settings, _ in splits.values())
        return [size_of_videos(part, loader()) for part, (_, loader) in splits.items()]
    data.prepare_data()
    data.setup("test")
    return [size_of_videos("all", data.test_dataloader())]


def size_of_records(part: str, records: Sequence[SequenceRecord], binary: bool = False) -> SetSize:
    """The size of videos on disk; each annotation is read once.

    Args:
        part: What to call them.
        records: Their files.
        binary: Masks are black and white, with one object.
    """
    annotated = sum(path is not None for record in records for path in record.annotation_paths)
    objects = masks = 0
    with tqdm(total=annotated, unit="mask", desc=part, delay=1, leave=False) as bar:
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


def size_of_videos(part: str, videos: Iterable[Video]) -> SetSize:
    """The size of evaluation videos that are no files in a known layout, by the masks that they give."""
    clips = frames = objects = masks = 0
    for video in videos:
        clips, frames, objects = clips + 1, frames + len(video.frames), objects + len(video.object_ids)
        truth = video.masks if video.amodal is None else video.amodal
        masks += sum(int(shown.flatten(1).any(1).sum()) for shown in truth if shown is not None)
    return SetSize(part, clips, frames, objects, masks)


def _ids(path: Path, binary: bool) -> set[int]:
    ids = read_indexed_mask(path)
    return ({1} if bool(ids.any()) else set()) if binary else set(visible_ids(ids))


def _sizes_of_folders(data: CorruptedVOS) -> Iterator[SetSize]:
    sources = data.sources()
    for source in sources:
        name = f"{source.name}, " if len(sources) > 1 else ""
        splits = {"train": "train", "val": "validation and test"} if source.is_split else {"val": "all"}
        for split, part in splits.items():
            if not isinstance(source, RenderedSource):
                yield size_of_records(f"{name}{part}", source.sequences(split), data.binary)  # type: ignore[arg-type]
                continue
            # Copies have the masks of the original, and so each other's.
            copies = [corruption for corruption in source.copies if corruption != CLEAN]
            records = source.sequences(split, corruptions=copies)  # type: ignore[arg-type]
            one = [record for record in records if record.corruption == copies[0]]
            size = size_of_records(f"{name}{part}, each corruption", one, data.binary)
            yield size
            yield size.times(len(copies), f"{name}{part}, all {len(copies)} corruptions")


def _sizes_of_clips(data: RealAdverse) -> list[SetSize]:
    clips = data.clips()
    groups = list(dict.fromkeys(clip.group for clip in clips))
    sizes = [size_of_records(group, [clip.record for clip in clips if clip.group == group]) for group in groups]
    total = SetSize(
        "all", *(sum(getattr(size, name) for size in sizes) for name in ("clips", "frames", "objects", "masks"))
    )
    return [*sizes, total]
