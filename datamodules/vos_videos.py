"""Evaluation videos on disk, clean or corrupted as they are read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch.utils.data import Dataset

from datamodules.corruption import check_conditions, check_layers, corrupted_video
from datamodules.depth_maps import depth_layers
from datamodules.joined_prompts import told_of_parts
from datamodules.matched_prompts import ClipPrompts, match_prompts
from datamodules.prompt_files import read_prompt_file
from datamodules.prompting import prompt_file_of, prompts_where_first_seen
from datamodules.release_prompts import RELEASE_OBJECTS, RELEASE_PROMPT, release_prompts
from datamodules.vos_masks import VideoMasks, object_ids_of
from robustvos.corruptions import LOCAL_CORRUPTIONS
from robustvos.errors import UserError
from robustvos.types import Prompt, Video
from robustvos.video.joining import join_records
from robustvos.video.layouts import SequenceRecord


@dataclass(frozen=True)
class EvaluationVideos:
    """Which videos are tracked, and under which conditions.

    Attributes:
        conditions: ``clean`` and names of corruptions; the same videos under each.
        severity: Strength of the corruptions, above 0 and at most 5.
        preset: ``release`` or ``intended``; see :mod:`robustvos.corruptions`.
        prompt: ``mask``, ``box`` or ``points:N``, for each object on the first annotated frame that shows it; or the path
            of a prompt file (:mod:`datamodules.prompt_files`), which names the videos and objects to track. None:
            ``mask``, or ``points:3`` under the protocol ``release``.
        max_objects: At most so many of a video, those of the lowest ids; None: all, or 3 under the protocol ``release``.
        max_frames: Use the first so many frames of each video; None: all.
        limit: Use the first so many videos; None: all.
        join_frames: Join clips of the same source, in order, to videos of about so many frames
            (:mod:`robustvos.video.joining`, :mod:`datamodules.joined_prompts`); None or 0: leave them apart.
        image_set: Text file with one video a line, to use instead of the dataset's own list.
        sets: Names of the datasets to use, where there are several; None: all.

    Raises:
        UserError: If a number is below 1, ``join_frames`` comes with ``max_frames``, or a condition or the prompt is not
            known.
    """

    conditions: tuple[str, ...] = ("clean",)
    severity: float = 3.0
    preset: str = "intended"
    prompt: str | None = None
    max_objects: int | None = None
    max_frames: int | None = None
    limit: int | None = None
    join_frames: int | None = None
    image_set: str | None = None
    sets: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_conditions(tuple(self.conditions), layered=True)
        if self.prompt is not None:
            prompt_file_of(self.prompt)
        for name in ("max_objects", "max_frames", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} is {value}; give 1 or more, or null for all")
        check_join_frames(self.join_frames)
        if self.join_frames and self.max_frames:
            raise UserError("join_frames makes videos longer and max_frames shorter; give one of them")


def check_join_frames(frames: int | None) -> None:
    """Raise UserError if a length to join to is negative."""
    if frames is not None and frames < 0:
        raise UserError(f"join_frames is {frames}; give the frames of a joined video, or 0 to leave clips apart")


def under_protocol(settings: EvaluationVideos, release: bool) -> EvaluationVideos:
    """The settings with the protocol's prompt and number of objects where none is given."""
    return replace(
        settings,
        prompt=settings.prompt or (RELEASE_PROMPT if release else "mask"),
        max_objects=settings.max_objects or (RELEASE_OBJECTS if release else None),
    )


def facts_of(
    max_objects: int | None = None, join_frames: int | None = None, max_frames: int | None = None
) -> dict[str, str]:
    """Objects and frames of a video as :meth:`datamodules.base.Data.evaluation_facts` has them; without a limit, nothing.

    >>> facts_of(max_objects=3, join_frames=1000)
    {'objects up to': '3', 'joined to frames': '1000'}
    """
    numbers = {
        "objects up to": max_objects,
        "first frames": max_frames,
        "joined to frames": join_frames,
    }
    return {name: str(number) for name, number in numbers.items() if number}


class VosVideos(Dataset):
    """Every video under every condition, condition by condition. Frames and masks are read as they are asked for.

    Args:
        videos: Dataset and files of each video.
        settings: Conditions, prompts, limits.
        binary: Masks are black and white.
        tagged: Whether results are to be grouped by dataset; videos then bear the dataset's name before their own.
        release: Choose objects and points as the public evaluator does (:mod:`datamodules.release_prompts`).
        rendered: ``videos`` has each video under each condition, as its record says; nothing is corrupted here.
        depth: Folder of depth maps (:mod:`datamodules.depth_maps`), which local corruptions need.

    Attributes:
        notes: One line for each kind of thing that the prompt file leaves out.

    Raises:
        BadPrompt: If the prompt file cannot be read, or does not fit the videos.
        UserError: If videos are to be joined, and none is a part of another; or a local corruption has no depth maps.
    """

    def __init__(
        self,
        videos: Sequence[tuple[str, SequenceRecord]],
        settings: EvaluationVideos,
        binary: bool = False,
        tagged: bool = False,
        release: bool = False,
        rendered: bool = False,
        depth: Path | None = None,
    ) -> None:
        self.settings = settings = under_protocol(settings, release)
        if depth is None:
            check_layers(settings.conditions)
        self.release, self.binary, self.tagged, self.rendered, self.depth = release, binary, tagged, rendered, depth
        self.notes: list[str] = []
        self._told: dict[str, ClipPrompts] = {}
        first = settings.conditions[0]
        if not settings.join_frames:
            names = dict.fromkeys((source, record.name) for source, record in videos)
            kept = set(tuple(names)[: settings.limit])
            videos = [(source, record) for source, record in videos if (source, record.name) in kept]
        path = prompt_file_of(settings.prompt or "mask")
        if path is not None:
            once = [(source, record) for source, record in videos if not rendered or record.corruption == first]
            self._match(path, once)
            videos = [video for video in videos if self._name(*video) in self._told]
        self._items = [
            (condition, source, record)
            for condition in settings.conditions
            for source, record in self._under(condition, videos)
        ]

    def _match(self, path: Path, videos: Sequence[tuple[str, SequenceRecord]]) -> None:
        file = read_prompt_file(path)
        named = [(record.name, replace(record, name=self._name(source, record))) for source, record in videos]
        matched = match_prompts(file, named, self.settings.max_objects, by_luma=self.release)
        self.notes, self._told = matched.describe(file), matched.clips

    def _under(self, condition: str, videos: Sequence[tuple[str, SequenceRecord]]) -> list[tuple[str, SequenceRecord]]:
        """The videos of a condition, under the names that results have, joined if they are to be."""
        frames = self.settings.join_frames
        sources: dict[str, list[SequenceRecord]] = {}
        for source, record in videos:
            if not self.rendered or record.corruption == condition:
                sources.setdefault(source, []).append(replace(record, name=self._name(source, record)))
        joined = ((source, join_records(own, frames) if frames else own) for source, own in sources.items())
        return [(source, record) for source, records in joined for record in records][: self.settings.limit]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Video:
        """One video; its masks are None on frames that carry no annotation.

        Raises:
            BadMask: If no annotation shows an object, or a mask cannot be read or has another size than the frames.
            BadVideo: If the first frame cannot be read; later ones raise it when they are asked for.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        condition, source, record = self._items[index]
        video = self._video(source, record)
        if self.rendered:
            return replace(video, corruption=condition)
        layers = None
        if self.depth is not None and condition in LOCAL_CORRUPTIONS:
            layers = depth_layers(self.depth, record.frame_paths[: len(video.frames)], video.size)
        corrupted = corrupted_video(
            replace(video, name=self._own_name(source, record)),
            condition,
            self.settings.severity,
            self.settings.preset,
            layers,
        )
        return replace(corrupted, name=video.name)

    def _video(self, source: str, record: SequenceRecord) -> Video:
        length = self.settings.max_frames
        record = replace(
            record, frame_paths=record.frame_paths[:length], annotation_paths=record.annotation_paths[:length]
        )
        frames = record.open_frames()
        prompts = self._prompts(source, record, frames.size)
        object_ids = tuple(sorted(prompt.object_id for prompt in prompts))
        masks = VideoMasks(record.annotation_paths, object_ids, frames.size, self.binary)
        return Video(
            name=record.name,
            frames=frames,
            object_ids=object_ids,
            masks=masks,
            prompts=prompts,
            frame_names=record.frame_names,
            size=frames.size,
            tags={"dataset": source} if self.tagged else {},
        )

    def _prompts(self, source: str, record: SequenceRecord, size: tuple[int, int]) -> tuple[Prompt, ...]:
        settings, kind = self.settings, self.settings.prompt or "mask"
        told = told_of_parts(record, self._told, settings.max_objects)
        if told is not None:
            return told.prompts
        if self.release:
            return release_prompts(record, size, kind, settings.max_objects, self.binary)
        object_ids = object_ids_of(record.name, record.annotation_paths, size, self.binary)[: settings.max_objects]
        masks = VideoMasks(record.annotation_paths, object_ids, size, self.binary)
        prompts = prompts_where_first_seen(self._own_name(source, record), masks, object_ids, kind)
        annotated = next(t for t, path in enumerate(record.annotation_paths) if path is not None)
        if prompts[0].frame > annotated:
            warnings.warn(
                f"video '{record.name}': the mask of frame {annotated} is empty; its objects are prompted from frame "
                f"{prompts[0].frame} on",
                stacklevel=2,
            )
        return prompts

    def _name(self, source: str, record: SequenceRecord) -> str:
        return f"{source}_{record.name}" if self.tagged else record.name

    def _own_name(self, source: str, record: SequenceRecord) -> str:
        """The name in its own set, of which everything random is drawn: a video is the same alone and among other sets."""
        return record.name.removeprefix(f"{source}_") if self.tagged else record.name
