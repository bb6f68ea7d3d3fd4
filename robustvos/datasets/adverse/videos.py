"""Clips in real bad weather as evaluation videos, scored on their key frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from robustvos.datasets.adverse.region_objects import RegionRules, find_regions, region_masks
from robustvos.datasets.adverse.trees import AdverseClip, Layout
from robustvos.datasets.evaluation import VideoSet
from robustvos.datasets.prompts.benchmark_files import read_prompt_file
from robustvos.datasets.prompts.joined import prompts_of_joined
from robustvos.datasets.prompts.matched import ClipPrompts, describe_unlisted, match_prompts
from robustvos.datasets.prompts.prompting import prompt_file_of, prompts_where_first_seen
from robustvos.datasets.prompts.release import release_prompts
from robustvos.datasets.vos.joining import join_records
from robustvos.datasets.vos.masks import VideoMasks, object_ids_of
from robustvos.evaluation.protocol import Prompting
from robustvos.types import Prompt, Video
from robustvos.video.layouts import SequenceRecord

CITYSCAPES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
"""Names of Cityscapes's 19 training ids, which the masks of ACDC hold; 0 counts as background here."""


class AdverseVideos(VideoSet):
    """Clips that nature has corrupted, scored on their key frames.

    Args:
        clips: What was found on disk.
        layout: ``acdc``, whose ids are classes of Cityscapes, or ``mvseg``.
        join_frames: See :class:`robustvos.datasets.vos.videos.JoiningEvaluation`.
        label: What messages call the set.
    """

    def __init__(
        self,
        clips: Sequence[AdverseClip],
        layout: Layout,
        join_frames: int | None = None,
        label: str = "the dataset",
    ) -> None:
        self._clips, self._join_frames = tuple(clips), join_frames
        self.is_acdc, self.label = layout == "acdc", label
        self.group = "weather" if self.is_acdc else "source"
        self._listed: Mapping[str, ClipPrompts] = {}
        self._rules: RegionRules | None = None
        self._arrange(self._clips)

    def _arrange(self, clips: Sequence[AdverseClip]) -> None:
        self.clips = join_clips(clips, self._join_frames) if self._join_frames else list(clips)
        self.names = tuple(clip.record.name for clip in self.clips)

    def prepare(self, indices: Sequence[int], prompting: Prompting) -> Sequence[int]:
        """Match the prompt file, if there is one; under ``release`` the objects of ACDC are regions of its class masks."""
        path = prompt_file_of(prompting.kind)
        file = None if path is None else read_prompt_file(path)
        wanted = {self.names[index] for index in indices}
        clips = [c for c in self._clips if self._join_frames or c.record.name in wanted]
        keyed = [(clip.prompt_key, clip.record) for clip in clips]
        if self.is_acdc and prompting.first_frame_only:
            keys = {record.name: key for key, record in keyed}
            kind = "mask" if file is not None else prompting.kind
            self._rules = RegionRules(kind, file, keys, prompting.max_objects)
            self.notes = describe_unlisted(file, keyed) if file is not None else []
            return indices
        if file is None:
            return indices
        matched = match_prompts(file, keyed, prompting.max_objects, by_luma=prompting.first_frame_only)
        self.notes, self._listed = matched.describe(file), matched.clips
        if self._join_frames:
            self._arrange([clip for clip in self._clips if clip.record.name in matched.clips])
            return range(len(self.names))[: len(indices)]
        return [index for index in indices if self.names[index] in matched.clips]

    def video(self, index: int) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`."""
        record = self.clips[index].record
        size = record.open_frames().size
        ids = object_ids_of(record.name, record.annotation_paths, size, False)
        masks = VideoMasks(record.annotation_paths, ids, size)
        return self._video(index, record, _Chosen(ids, masks, (), self._classes(ids, {})))

    def prompted(self, index: int, prompting: Prompting, max_frames: int | None, condition: str) -> Video:
        """See :class:`robustvos.datasets.evaluation.VideoSet`; masks are None but on key frames."""
        record = self.clips[index].record
        record = replace(
            record,
            frame_paths=record.frame_paths[:max_frames],
            annotation_paths=record.annotation_paths[:max_frames],
        )
        size = record.open_frames().size
        chosen = self._objects(record, size, prompting) if self._rules is None else self._regions(record, size)
        return self._video(index, record, chosen)

    def _video(self, index: int, record: SequenceRecord, objects: _Chosen) -> Video:
        frames = record.open_frames()
        return Video(
            name=record.name,
            frames=frames,
            object_ids=objects.object_ids,
            masks=objects.masks,
            prompts=objects.prompts,
            frame_names=record.frame_names,
            size=frames.size,
            tags={self.group: self.clips[index].group, **objects.classes},
        )

    def _objects(self, record: SequenceRecord, size: tuple[int, int], prompting: Prompting) -> _Chosen:
        """Objects by id."""
        listed = prompts_of_joined(record, self._listed, prompting.max_objects)
        prompts = listed.prompts if listed is not None else self._prompts(record, size, prompting)
        object_ids = tuple(sorted(prompt.object_id for prompt in prompts))
        masks = VideoMasks(record.annotation_paths, object_ids, size)
        return _Chosen(object_ids, masks, prompts, self._classes(object_ids, listed.classes if listed else {}))

    def _prompts(self, record: SequenceRecord, size: tuple[int, int], prompting: Prompting) -> tuple[Prompt, ...]:
        if prompting.first_frame_only:
            return release_prompts(record, size, prompting.kind, prompting.max_objects)
        object_ids = object_ids_of(record.name, record.annotation_paths, size, False)[: prompting.max_objects]
        masks = VideoMasks(record.annotation_paths, object_ids, size)
        return prompts_where_first_seen(record.name, masks, object_ids, prompting.kind)

    def _regions(self, record: SequenceRecord, size: tuple[int, int]) -> _Chosen:
        """Regions, numbered from 1; tags name their classes."""
        assert self._rules is not None
        objects = find_regions(record, size, self._rules)
        classes = {f"class:{one.prompt.object_id}": one.class_name or name_of_class(one.class_id) for one in objects}
        ids = tuple(one.prompt.object_id for one in objects)
        return _Chosen(ids, region_masks(record, objects, size), tuple(one.prompt for one in objects), classes)

    def _classes(self, object_ids: Sequence[int], listed: Mapping[int, str]) -> dict[str, str]:
        """One tag an object: ``class:5`` is the class of object 5 alone, see :mod:`robustvos.evaluation.object_tags`."""
        if not self.is_acdc:
            return {f"class:{object_id}": name for object_id, name in listed.items()}
        names = {i: name_of_class(i) for i in object_ids}
        return {f"class:{object_id}": name for object_id, name in {**names, **listed}.items()}


def name_of_class(class_id: int) -> str:
    """Cityscapes's name of a class, or its number.

    >>> name_of_class(5), name_of_class(30)
    ('pole', 'class 30')
    """
    return CITYSCAPES[class_id] if class_id < len(CITYSCAPES) else f"class {class_id}"


def join_clips(clips: Sequence[AdverseClip], frames: int) -> list[AdverseClip]:
    """See :func:`robustvos.datasets.vos.joining.join_records`; all clips of a source have one weather."""
    found = {clip.record.name: clip for clip in clips}
    joined = join_records([clip.record for clip in clips], frames)
    return [replace(found[(record.parts or (record,))[0].name], record=record) for record in joined]


class _Chosen(NamedTuple):
    """What is tracked in a video."""

    object_ids: tuple[int, ...]
    masks: Sequence[Tensor | None]
    prompts: tuple[Prompt, ...]
    classes: dict[str, str]
