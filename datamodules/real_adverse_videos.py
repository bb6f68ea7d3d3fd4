"""Clips in real bad weather as evaluation videos, scored on their key frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch.utils.data import Dataset

from datamodules.matched_prompts import ClipPrompts
from datamodules.prompting import prompts_where_first_seen
from datamodules.real_adverse_trees import AdverseClip
from datamodules.release_prompts import release_prompts
from datamodules.vos_masks import VideoMasks, object_ids_of
from robustvos.types import Prompt, Video

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
    """

    prompt: str = "mask"
    release: bool = False
    max_objects: int | None = None
    classes: bool = False
    group: str = "weather"
    told: Mapping[str, ClipPrompts] = field(default_factory=dict)


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
        told = self.rules.told.get(record.name)
        prompts = told.prompts if told is not None else self._prompts(clip, frames.size)
        object_ids = tuple(sorted(prompt.object_id for prompt in prompts))
        return Video(
            name=record.name,
            frames=frames,
            object_ids=object_ids,
            masks=VideoMasks(record.annotation_paths, object_ids, frames.size),
            prompts=prompts,
            frame_names=record.frame_names,
            size=frames.size,
            tags={self.rules.group: clip.group, **self._classes(object_ids, told.classes if told else {})},
        )

    def _prompts(self, clip: AdverseClip, size: tuple[int, int]) -> tuple[Prompt, ...]:
        record, rules = clip.record, self.rules
        if rules.release:
            return release_prompts(record, size, rules.prompt, rules.max_objects)
        object_ids = object_ids_of(record.name, record.annotation_paths, size, False)[: rules.max_objects]
        masks = VideoMasks(record.annotation_paths, object_ids, size)
        return prompts_where_first_seen(record.name, masks, object_ids, rules.prompt)

    def _classes(self, object_ids: Sequence[int], told: Mapping[int, str]) -> dict[str, str]:
        """One tag an object: ``class:5`` is the class of object 5 alone, see :mod:`robustvos.metrics.object_tags`."""
        if not self.rules.classes:
            return {f"class:{object_id}": name for object_id, name in told.items()}
        names = {i: CITYSCAPES[i] if i < len(CITYSCAPES) else f"class {i}" for i in object_ids}
        return {f"class:{object_id}": name for object_id, name in {**names, **told}.items()}
