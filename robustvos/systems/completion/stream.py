"""Visible masks of a video, from its truth, and their completion, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from robustvos.systems.completion.base import Completion
from robustvos.types import TrackedFrame, Video, empty_masks

Stream = Iterator[tuple[Tensor, TrackedFrame]]


def true_visible(video: Video) -> Stream:
    """Each frame ``(3, H, W)`` uint8 with the true visible masks; without rows where a frame carries no truth."""
    for t in range(len(video.frames)):
        truth = video.masks[t]
        masks = empty_masks(video.size) if truth is None else truth
        ids = video.object_ids[: len(masks)]
        sign = masks.float() * 2 - 1
        present = masks.flatten(1).any(1).float() * 2 - 1
        yield video.frames[t], TrackedFrame(t, ids, masks, sign, present, torch.ones(len(masks)))


def completed(stream: Iterable[tuple[Tensor, TrackedFrame]], completion: Completion) -> Stream:
    """The same stream with whole masks in place of visible ones; logits stay those of what is seen."""
    known: dict[int, Completion] = {}
    for frame, tracked in stream:
        picture = frame.cpu().numpy()
        for i in tracked.object_ids:
            if i not in known:
                known[i] = completion.fresh()
        whole = [
            torch.from_numpy(known[i].complete(picture, mask.cpu().numpy()))
            for i, mask in zip(tracked.object_ids, tracked.masks, strict=True)
        ]
        yield frame, replace(tracked, masks=torch.stack(whole) if whole else tracked.masks)
