"""Evaluation videos in folders of frames and indexed masks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robustvos.conditions import CLEAN
from robustvos.corruptions import AnyLayers
from robustvos.datasets.evaluation import Evaluation, VideoSet
from robustvos.datasets.prompts.benchmark_files import read_prompt_file
from robustvos.datasets.prompts.joined import prompts_of_joined
from robustvos.datasets.prompts.matched import ClipPrompts, match_prompts
from robustvos.datasets.prompts.prompting import prompt_file_of, prompts_where_first_seen
from robustvos.datasets.prompts.release import release_prompts
from robustvos.datasets.vos.depth_maps import depth_layers
from robustvos.datasets.vos.joining import join_records
from robustvos.datasets.vos.masks import VideoMasks, object_ids_of
from robustvos.errors import UserError
from robustvos.evaluation.protocol import Prompting, Protocol
from robustvos.types import Prompt, Video
from robustvos.video.layouts import SequenceRecord


@dataclass(frozen=True)
class JoiningEvaluation(Evaluation):
    """Evaluation of a dataset that holds long videos as numbered clips.

    Attributes:
        join_frames: Join clips of the same source, in order, to videos of about so many frames
            (:mod:`robustvos.datasets.vos.joining`, :mod:`robustvos.datasets.prompts.joined`); None or 0: leave them apart.

    Raises:
        UserError: If ``join_frames`` is negative, or comes with ``max_frames``.
    """

    join_frames: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.join_frames is not None and self.join_frames < 0:
            raise UserError(
                f"join_frames is {self.join_frames}; give the frames of a joined video, or 0 to leave clips apart"
            )
        if self.join_frames and self.max_frames:
            raise UserError("join_frames makes videos longer and max_frames shorter; give one of them")

    def facts(self, protocol: Protocol) -> dict[str, str]:
        """See :meth:`robustvos.datasets.evaluation.Evaluation.facts`."""
        joined = {"joined to frames": str(self.join_frames)} if self.join_frames else {}
        return {**joined, **super().facts(protocol)}


@dataclass(frozen=True)
class FolderEvaluation(JoiningEvaluation):
    """Evaluation of folders in DAVIS layout.

    Attributes:
        image_set: Text file with one video a line, to use instead of the dataset's own list.
        sets: Names of the datasets to use, where there are several; None: all.
    """

    image_set: str | None = None
    sets: tuple[str, ...] | None = None


class FolderVideos(VideoSet):
    """Videos in DAVIS layout, of one dataset or several.

    Args:
        videos: Dataset and files of each video; of rendered copies each video under each condition, as its record says.
        conditions: Of rendered copies, in order; None: the videos are clean.
        binary: Masks are black and white.
        tagged: Whether results are to be grouped by dataset; videos then bear the dataset's name before their own.
        depth: Folder of depth maps (:mod:`robustvos.datasets.vos.depth_maps`).
        join_frames: See :class:`JoiningEvaluation`.
        label: What messages call the set.

    Raises:
        UserError: If videos are to be joined, and none is a part of another.
    """

    def __init__(
        self,
        videos: Sequence[tuple[str, SequenceRecord]],
        conditions: Sequence[str] | None = None,
        binary: bool = False,
        tagged: bool = False,
        depth: Path | None = None,
        join_frames: int | None = None,
        label: str = "the dataset",
    ) -> None:
        self.copies = None if conditions is None else tuple(conditions)
        self.binary, self.tagged, self.depth, self.label = binary, tagged, depth, label
        self.has_layers = depth is not None
        self._listed: dict[str, ClipPrompts] = {}
        self._videos, self._join_frames = tuple(videos), join_frames
        self._arrange(self._videos)

    def _arrange(self, videos: Sequence[tuple[str, SequenceRecord]]) -> None:
        """Bring videos together by the names that results have; each has a record under each condition."""
        self._items: dict[str, tuple[str, dict[str, SequenceRecord]]] = {}
        for condition in self.copies or (CLEAN,):
            for source, record in self._under(condition, videos):
                self._items.setdefault(record.name, (source, {}))[1][condition] = record
        self.names = tuple(self._items)

    def _under(self, condition: str, videos: Sequence[tuple[str, SequenceRecord]]) -> list[tuple[str, SequenceRecord]]:
        """The videos of a condition, joined if they are to be."""
        frames = self._join_frames
        sources: dict[str, list[SequenceRecord]] = {}
        for source, record in videos:
            if self.copies is None or record.corruption == condition:
                sources.setdefault(source, []).append(replace(record, name=self._named(source, record)))
        joined = ((s, join_records(own, frames) if frames else own) for s, own in sources.items())
        return [(source, record) for source, records in joined for record in records]

    def seed_name(self, index: int) -> str:
        """The name in its own set."""
        name = self.names[index]
        return name.removeprefix(f"{self._items[name][0]}_") if self.tagged else name

    def prepare(self, indices: Sequence[int], prompting: Prompting) -> Sequence[int]:
        """With a prompt file, the videos that it knows."""
        path = prompt_file_of(prompting.kind)
        if path is None:
            return indices
        file = read_prompt_file(path)
        wanted = None if self._join_frames else {self.names[index] for index in indices}
        named = {
            self._named(source, record): (record.name, replace(record, name=self._named(source, record)))
            for source, record in self._videos
            if wanted is None or self._named(source, record) in wanted
        }
        matched = match_prompts(file, list(named.values()), prompting.max_objects, by_luma=prompting.first_frame_only)
        self.notes, self._listed = matched.describe(file), matched.clips
        if self._join_frames:  # of the clips that the file knows alone
            self._arrange([video for video in self._videos if self._named(*video) in self._listed])
            return range(len(self.names))[: len(indices)]
        return [index for index in indices if self.names[index] in self._listed]

    def _named(self, source: str, record: SequenceRecord) -> str:
        """What results call a video."""
        return f"{source}_{record.name}" if self.tagged else record.name

    def video(self, index: int) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`."""
        source, records = self._items[self.names[index]]
        record = next(iter(records.values()))
        frames = record.open_frames()
        object_ids = object_ids_of(record.name, record.annotation_paths, frames.size, self.binary)
        return self._video(source, record, object_ids, ())

    def prompted(self, index: int, prompting: Prompting, max_frames: int | None, condition: str) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`."""
        source, records = self._items[self.names[index]]
        record = records[condition if self.copies is not None else CLEAN]
        record = replace(
            record,
            frame_paths=record.frame_paths[:max_frames],
            annotation_paths=record.annotation_paths[:max_frames],
        )
        prompts = self._prompts(self.seed_name(index), record, prompting)
        return self._video(source, record, tuple(sorted(prompt.object_id for prompt in prompts)), prompts)

    def _video(
        self, source: str, record: SequenceRecord, object_ids: tuple[int, ...], prompts: tuple[Prompt, ...]
    ) -> Video:
        frames = record.open_frames()
        return Video(
            name=record.name,
            frames=frames,
            object_ids=object_ids,
            masks=VideoMasks(record.annotation_paths, object_ids, frames.size, self.binary),
            prompts=prompts,
            frame_names=record.frame_names,
            size=frames.size,
            tags={"dataset": source} if self.tagged else {},
        )

    def _prompts(self, own_name: str, record: SequenceRecord, prompting: Prompting) -> tuple[Prompt, ...]:
        listed = prompts_of_joined(record, self._listed, prompting.max_objects)
        if listed is not None:
            return listed.prompts
        size = record.open_frames().size
        if prompting.first_frame_only:
            return release_prompts(record, size, prompting.kind, prompting.max_objects, self.binary)
        object_ids = object_ids_of(record.name, record.annotation_paths, size, self.binary)[: prompting.max_objects]
        masks = VideoMasks(record.annotation_paths, object_ids, size, self.binary)
        prompts = prompts_where_first_seen(own_name, masks, object_ids, prompting.kind)
        annotated = next(t for t, path in enumerate(record.annotation_paths) if path is not None)
        if prompts[0].frame > annotated:
            warnings.warn(
                f"video '{record.name}': the mask of frame {annotated} is empty; its objects are prompted from frame "
                f"{prompts[0].frame} on",
                stacklevel=2,
            )
        return prompts

    def layers(self, index: int, video: Video) -> AnyLayers | None:
        """Of the depth maps, where there are some."""
        if self.depth is None:
            return None
        record = next(iter(self._items[self.names[index]][1].values()))
        return depth_layers(self.depth, record.frame_paths[: len(video.frames)], video.size)
