"""Which objects the public RobustPVOS evaluator tracks, and where it clicks when it has no prompt file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.joined_prompts import prompts_of_parts
from datamodules.vos_masks import VideoMasks, object_ids_of, read_ids, visible_ids
from robustvos.seeding import derive_seed
from robustvos.types import Prompt
from robustvos.video.layouts import SequenceRecord
from robustvos.video.luma import lowest_by_luma
from robustvos.video.prompts import parse_prompt_kind, prompt_from_mask

RELEASE_SEED = 42
RELEASE_PROMPT = "points:3"
RELEASE_OBJECTS = 3  # of a clip, except in ACDC-Video


def follows_release(trainer: Any) -> bool:
    """Whether the model that ``trainer`` runs is scored by the protocol ``release``; not without a trainer."""
    return getattr(getattr(trainer, "lightning_module", None), "protocol", "davis") == "release"


def release_prompts(
    record: SequenceRecord, size: tuple[int, int], prompt: str, limit: int | None, binary: bool = False
) -> tuple[Prompt, ...]:
    """Prompts for the objects of the first annotated frame that shows any; those that appear later are not tracked.

    Of a video joined of several clips each clip's first such frame counts.

    Args:
        record: The clip.
        size: ``(H, W)`` of its frames.
        prompt: ``mask``, ``box`` or ``points:N``; points are drawn by :func:`random_points`.
        limit: See :func:`lowest_by_luma`.
        binary: Masks are black and white.

    Raises:
        BadMask: If no annotation shows an object, or one cannot be read.
    """

    def of_clip(clip: SequenceRecord) -> tuple[Prompt, ...]:
        first = _first_with_objects(clip, size, binary)
        if first is None:
            return ()
        frame, path, seen = first
        object_ids = lowest_by_luma(seen, path, limit)
        masks = VideoMasks(clip.annotation_paths, object_ids, size, binary)[frame]
        assert masks is not None
        return prompts_of_masks(masks, object_ids, prompt, frame, derive_seed(clip.name))

    prompts = prompts_of_parts(record, of_clip, limit)
    if not prompts:
        object_ids_of(record.name, record.annotation_paths, size, binary)  # says why there is none
    return prompts


def prompts_of_masks(
    masks: Tensor, object_ids: Sequence[int], prompt: str, frame: int, seed: int
) -> tuple[Prompt, ...]:
    """A prompt of one kind for each of ``(O, H, W)`` masks, none empty; points are those of :func:`random_points`."""
    kind = parse_prompt_kind(prompt)
    if kind.name == "points":
        return random_points(masks, object_ids, kind.points, frame)
    return tuple(
        prompt_from_mask(mask, object_id, prompt, frame, seed)
        for mask, object_id in zip(masks, object_ids, strict=True)
    )


def random_points(masks: Tensor, object_ids: Sequence[int], count: int, frame: int) -> tuple[Prompt, ...]:
    """Positive points drawn inside each mask, as the evaluator draws them: one stream of numbers for all objects.

    Args:
        masks: ``(O, H, W)`` bool, none empty, in the order in which objects are drawn for.
        object_ids: ``O`` ids.
        count: Points of each object; all pixels of an object that has fewer.
        frame: Index of the frame.
    """
    rng = np.random.RandomState(RELEASE_SEED)  # the generator that the evaluator's np.random.seed sets up
    prompts = []
    for mask, object_id in zip(masks.numpy(), object_ids, strict=True):
        rows, columns = np.nonzero(mask)
        drawn = rng.choice(len(rows), size=count, replace=False) if len(rows) >= count else np.arange(len(rows))
        points = torch.from_numpy(np.stack([columns[drawn], rows[drawn]], axis=1)).float()
        prompts.append(Prompt(object_id, points=points, labels=torch.ones(len(points), dtype=torch.int32), frame=frame))
    return tuple(prompts)


def _first_with_objects(
    record: SequenceRecord, size: tuple[int, int], binary: bool
) -> tuple[int, Path, tuple[int, ...]] | None:
    """Index and annotation of the first frame with an object, and its objects."""
    for frame, path in enumerate(record.annotation_paths):
        seen = () if path is None else visible_ids(read_ids(path, size, binary))
        if path is not None and seen:
            return frame, path, seen
    return None
