"""Training clips side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from robustvos.types import Clip, ClipBatch


def collate_clips(clips: Sequence[Clip]) -> ClipBatch:
    """Stack clips of equal length and size; objects of all clips share one dimension.

    The batch has whole objects if every clip has them.
    """
    per_clip = [len(clip.object_ids) for clip in clips]
    annotated = [
        torch.ones(clip.masks.shape[:2], dtype=torch.bool)
        if clip.annotated is None
        else clip.annotated[:, None].expand(clip.masks.shape[:2])
        for clip in clips
    ]
    whole = [clip.amodal for clip in clips if clip.amodal is not None]
    return ClipBatch(
        names=tuple(clip.name for clip in clips),
        frames=torch.stack([clip.frames for clip in clips]),
        masks=torch.cat([clip.masks for clip in clips], dim=1),
        object_to_clip=torch.repeat_interleave(torch.arange(len(clips)), torch.tensor(per_clip)),
        object_ids=tuple(i for clip in clips for i in clip.object_ids),
        annotated=torch.cat(annotated, dim=1),
        amodal=torch.cat(whole, dim=1) if whole and len(whole) == len(clips) else None,
    )
