"""Clips in real bad weather as evaluation videos, scored on their key frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor
from torch.utils.data import Dataset

from datamodules.joined_prompts import told_of_parts
from datamodules.matched_prompts import ClipPrompts
from datamodules.prompting import prompts_where_first_seen
from datamodules.real_adverse_trees import AdverseClip
from datamodules.region_objects import RegionRules, find_regions, region_masks
from datamodules.release_prompts import release_prompts
from datamodules.vos_masks import VideoMasks, object_ids_of
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


@dataclass(frozen=True)
class AdverseRules:
    """What is tracked, and what is said of it.

    Attributes:
        prompt: ``mask``, ``box`` or ``points:N``, for clips without prompts of a file.
        release: Choose objects and points as the public evaluator does: the objects of the first key frame that shows
            any, lowest ids by colour, points drawn at random; else every object, where it is first seen.
        max_objects: At most so many of a clip, those of the lowest ids; None: all.
        classes: Whether ids are classes of Cityscapes.
        group: Tag that says a clip's weather or source.
        told: Prompts of a file, by name of clip.
        regions: Objects are regions of class masks, as the public evaluator has them for ACDC; None: they are ids.
    """

    prompt: str = "mask"
    release: bool = False
    max_objects: int | None = None
    classes: bool = False
    group: str = "weather"
    told: Mapping[str, ClipPrompts] = field(default_factory=dict)
    regions: RegionRules | None = None


class AdverseVideos(Dataset):
    """One video a clip; frames and masks are read as they are asked for.

    Args:
        clips: What was found on disk.
        rules: Objects and prompts.
    """

    def __init__(self, clips: Sequence[AdverseClip], rules: AdverseRules) -> None:
        self.clips = tuple(clips)
        self.rules = rules

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Video:
        """One video; its masks are None but on key frames.

        Raises:
            BadMask: If no annotation shows an object, or a mask cannot be read or has another size than the frames.
            BadVideo: If the first frame cannot be read; later ones raise it when they are asked for.
        """
        clip, record = self.clips[index], self.clips[index].record
        frames = record.open_frames()
        chosen = self._regions if self.rules.regions is not None else self._objects
        objects = chosen(record, frames.size)
        return Video(
            name=record.name,
            frames=frames,
            object_ids=objects.object_ids,
            masks=objects.masks,
            prompts=objects.prompts,
            frame_names=record.frame_names,
            size=frames.size,
            tags={self.rules.group: clip.group, **objects.classes},
        )

    def _objects(self, record: SequenceRecord, size: tuple[int, int]) -> _Chosen:
        """Objects by id."""
        rules = self.rules
        told = told_of_parts(record, rules.told, rules.max_objects)
        prompts = told.prompts if told is not None else self._prompts(record, size)
        object_ids = tuple(sorted(prompt.object_id for prompt in prompts))
        masks = VideoMasks(record.annotation_paths, object_ids, size)
        return _Chosen(object_ids, masks, prompts, self._classes(object_ids, told.classes if told else {}))

    def _prompts(self, record: SequenceRecord, size: tuple[int, int]) -> tuple[Prompt, ...]:
        rules = self.rules
        if rules.release:
            return release_prompts(record, size, rules.prompt, rules.max_objects)
        object_ids = object_ids_of(record.name, record.annotation_paths, size, False)[: rules.max_objects]
        masks = VideoMasks(record.annotation_paths, object_ids, size)
        return prompts_where_first_seen(record.name, masks, object_ids, rules.prompt)

    def _regions(self, record: SequenceRecord, size: tuple[int, int]) -> _Chosen:
        """Regions, numbered from 1; their classes are told by tags."""
        assert self.rules.regions is not None
        objects = find_regions(record, size, self.rules.regions)
        classes = {f"class:{one.prompt.object_id}": one.class_name or name_of_class(one.class_id) for one in objects}
        ids = tuple(one.prompt.object_id for one in objects)
        return _Chosen(ids, region_masks(record, objects, size), tuple(one.prompt for one in objects), classes)

    def _classes(self, object_ids: Sequence[int], told: Mapping[int, str]) -> dict[str, str]:
        """One tag an object: ``class:5`` is the class of object 5 alone, see :mod:`robustvos.metrics.object_tags`."""
        if not self.rules.classes:
            return {f"class:{object_id}": name for object_id, name in told.items()}
        names = {i: name_of_class(i) for i in object_ids}
        return {f"class:{object_id}": name for object_id, name in {**names, **told}.items()}


def name_of_class(class_id: int) -> str:
    """Cityscapes's name of a class, or its number.

    >>> name_of_class(5), name_of_class(30)
    ('pole', 'class 30')
    """
    return CITYSCAPES[class_id] if class_id < len(CITYSCAPES) else f"class {class_id}"


class _Chosen(NamedTuple):
    """What is tracked in a video."""

    object_ids: tuple[int, ...]
    masks: Sequence[Tensor | None]
    prompts: tuple[Prompt, ...]
    classes: dict[str, str]
