"""Which regions of class masks the public evaluator tracks in ACDC-Video, and where it clicks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from robustvos.datasets.adverse.class_regions import EVALUATED_SIDE, LEAST_AREA, RegionMasks, largest, regions_of
from robustvos.datasets.prompts.benchmark_files import PromptFile
from robustvos.datasets.prompts.joined import parts_with_offsets
from robustvos.datasets.prompts.matched import moved_inside
from robustvos.datasets.prompts.release import prompts_of_masks
from robustvos.datasets.vos.masks import object_ids_of, read_ids, visible_ids
from robustvos.errors import BadMask
from robustvos.seeding import derive_seed
from robustvos.types import Prompt
from robustvos.video.layouts import SequenceRecord
from robustvos.video.luma import read_lumas


@dataclass(frozen=True)
class RegionObject:
    """One region that is tracked.

    Attributes:
        class_id: Its class, as stored in the masks.
        prompt: What the tracker is given; its object id is the region's place among those of its video, from 1.
        region: ``(H, W)`` bool on the prompt's frame.
        class_name: What the prompt file calls the class; None if it does not say.
    """

    class_id: int
    prompt: Prompt
    region: np.ndarray
    class_name: str | None = None


@dataclass(frozen=True)
class RegionRules:
    """How regions are chosen.

    Attributes:
        prompt: ``mask``, ``box`` or ``points:N`` (drawn at random, seed 42), where there is no file.
        file: Prompt file of ACDC; None: none.
        keys: What the file calls each clip, by name.
        limit: At most so many of a video; None: all.
    """

    prompt: str
    file: PromptFile | None
    keys: dict[str, str]
    limit: int | None = None


def find_regions(record: SequenceRecord, size: tuple[int, int], rules: RegionRules) -> tuple[RegionObject, ...]:
    """Objects of a clip, all prompted on its first key frame that has a region of 10 pixels or more.

    With a prompt file, each of its entries for the video is an object, in the file's order. The file serves all splits
    of a video, so an entry is matched by class: it means the largest region of its class, whatever its ``region_index``,
    and a point beside that region moves to the region's nearest pixel. Several entries of a class are hence several
    objects on one region, which count as such. A clip that the file has no entry for, or that shows none of the entries'
    classes, is tracked as the evaluator does then: every region is an object, clicked at its middle and half way to two
    corners of its box. Without a file every region is an object, darkest class first, and the points are random.

    Of a video that was joined, each later clip adds regions of classes that are not tracked yet.

    Raises:
        BadMask: If no annotation shows an object, or one cannot be read.
        BadPrompt: If a point of the file lies outside of the frame.
    """
    found: list[RegionObject] = []
    for offset, clip in parts_with_offsets(record):
        known = {one.class_id for one in found}
        for one in _of_clip(clip, size, rules):
            if one.class_id not in known:
                prompt = replace(one.prompt, object_id=len(found) + 1, frame=one.prompt.frame + offset)
                found.append(replace(one, prompt=prompt))
    if not found:
        object_ids_of(record.name, record.annotation_paths, size, False)  # says so if there is no object at all
        raise BadMask(
            f"video '{record.name}': no region of its masks has the {LEAST_AREA} pixels (of {EVALUATED_SIDE}x{EVALUATED_SIDE}) "
            "that the protocol release tracks; use the protocol davis, or leave the clip out"
        )
    return tuple(found[: rules.limit])


def region_masks(record: SequenceRecord, objects: Sequence[RegionObject], size: tuple[int, int]) -> RegionMasks:
    """The truth of these objects."""
    starts = [(one.prompt.frame, one.region) for one in objects]
    return RegionMasks(record.annotation_paths, [one.class_id for one in objects], starts, size)


def _of_clip(clip: SequenceRecord, size: tuple[int, int], rules: RegionRules) -> list[RegionObject]:
    for frame, path in enumerate(clip.annotation_paths):
        if path is not None:
            ids = read_ids(path, size)
            regions = {name: found for name in visible_ids(ids) if (found := regions_of(ids == name))}
            if regions:
                return _on_frame(clip, frame, path, regions, rules)
    return []


def _on_frame(
    clip: SequenceRecord, frame: int, path: Path, regions: dict[int, list[np.ndarray]], rules: RegionRules
) -> list[RegionObject]:
    lumas = read_lumas(path)
    if rules.file is not None:
        found = _prompted_regions(
            clip, frame, {lumas[name]: name for name in sorted(regions, reverse=True)}, regions, rules
        )
        if found:
            return found
    every = [(name, one) for name in sorted(regions, key=lambda name: (lumas[name], name)) for one in regions[name]]
    if rules.file is not None:
        prompts = tuple(_middle_and_quarters(region, i, frame) for i, (_, region) in enumerate(every, 1))
    else:
        masks = torch.from_numpy(np.stack([region for _, region in every]))
        numbers = range(1, len(every) + 1)
        prompts = prompts_of_masks(masks, numbers, rules.prompt, frame, derive_seed(clip.name))
    return [RegionObject(name, prompt, one) for (name, one), prompt in zip(every, prompts, strict=True)]


def _prompted_regions(
    clip: SequenceRecord,
    frame: int,
    class_of: dict[int, int],
    regions: dict[int, list[np.ndarray]],
    rules: RegionRules,
) -> list[RegionObject]:
    """What the file says of a clip: ``class_of`` is the class by grey level, on the frame that is prompted."""
    file, key = rules.file, rules.keys[clip.name]
    if file is None or key not in file.videos:
        return []
    objects: list[RegionObject] = []
    for entry in file.videos[key].regions:
        if entry.luma in class_of:
            name = class_of[entry.luma]
            region = largest(regions[name])
            where = f"{file.path}, video '{key}'"
            prompt = entry.as_prompt(len(objects) + 1, frame, region.shape, file.side, where)
            objects.append(RegionObject(name, moved_inside(prompt, region), region, entry.class_name))
    return objects


def _middle_and_quarters(region: np.ndarray, object_id: int, frame: int) -> Prompt:
    """Three clicks: the mean of the pixels, and a quarter of the way in from two opposite corners of the box."""
    rows, columns = np.nonzero(region)
    (x0, x1), (y0, y1) = (columns.min(), columns.max()), (rows.min(), rows.max())
    clicks = [(columns.mean(), rows.mean())] + [(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part) for part in (0.25, 0.75)]
    points = torch.tensor([[float(int(x)), float(int(y))] for x, y in clicks])
    prompt = Prompt(object_id, points=points, labels=torch.ones(3, dtype=torch.int32), frame=frame)
    return moved_inside(prompt, region)
