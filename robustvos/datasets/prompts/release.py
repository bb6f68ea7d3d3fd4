"""Which objects the public RobustPVOS evaluator tracks, and where it clicks when it has no prompt file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from robustvos.datasets.prompts.joined import prompts_of_parts
from robustvos.datasets.prompts.random_points import random_points
from robustvos.datasets.vos.masks import VideoMasks, object_ids_of, read_ids, visible_ids
from robustvos.seeding import derive_seed
from robustvos.types import Prompt
from robustvos.video.layouts import SequenceRecord
from robustvos.video.luma import lowest_by_luma
from robustvos.video.prompts import parse_prompt_kind, prompt_from_mask


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


def _first_with_objects(
    record: SequenceRecord, size: tuple[int, int], binary: bool
) -> tuple[int, Path, tuple[int, ...]] | None:
    """Index and annotation of the first frame with an object, and its objects."""
    for frame, path in enumerate(record.annotation_paths):
        seen = () if path is None else visible_ids(read_ids(path, size, binary))
        if path is not None and seen:
            return frame, path, seen
    return None
