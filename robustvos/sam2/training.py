"""The multi-frame training forward of SAM 2, on our batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustvos.sam2.preprocess import preprocess, resize_masks
from robustvos.types import ClipBatch

_FRAME_COUNTS = ("num_init_cond_frames_for_train", "num_frames_to_correct_for_train")  # of SAM2Train


@dataclass(frozen=True)
class TrainingInput:
    """What ``SAM2Train.forward`` reads of a batch, and how many of its frames may be prompted.

    Attributes:
        flat_img_batch: ``(B * T, 3, S, S)`` normalised frames, the frames of a clip side by side.
        flat_obj_to_img_idx: ``(T, N)`` index into it for each object on each frame.
        masks: ``(T, N, S, S)`` bool.
        num_frames: T.
        promptable_frames: Prompt and correct at most this many frames; with 1 it is the first.
    """

    flat_img_batch: Tensor
    flat_obj_to_img_idx: Tensor
    masks: Tensor
    num_frames: int
    promptable_frames: int


def training_input(batch: ClipBatch, image_size: int) -> TrainingInput:
    """Resize and normalise a batch for a model of ``image_size``; frames and masks are squashed to a square.

    Everything stays on the batch's device. If any object lacks ground truth on some frame, only the first frame may be
    prompted, which must have it: SAM 2 would take the missing mask for an absent object.
    """
    length = batch.frames.shape[1]
    frames = preprocess(batch.frames.flatten(0, 1), image_size, batch.frames.device)
    index = batch.object_to_clip[None] * length + torch.arange(length, device=frames.device)[:, None]
    masks = resize_targets(batch.masks, image_size)
    return TrainingInput(frames, index, masks, length, length if bool(batch.annotated.all()) else 1)


def resize_targets(masks: Tensor, image_size: int) -> Tensor:
    """``(T, N, H, W)`` bool -> ``(T, N, S, S)`` bool, as mask prompts are resized; thin objects do not vanish."""
    return torch.unflatten(resize_masks(masks.flatten(0, 1), image_size), 0, masks.shape[:2])


def forward_clips(model: Any, batch: TrainingInput, seed: int) -> list[dict[str, Any]]:
    """Prompt and track a batch.

    Args:
        model: A ``SAM2Train``.
        batch: From :func:`training_input`.
        seed: Decides kind of prompt, prompted and corrected frames; where clicks fall is torch's own randomness. Must
            be equal on all processes of a DDP run, so that they use the same parts of the model.

    Returns:
        One dict a frame; see :func:`robustvos.sam2.losses.segmentation_loss` for the entries used.
    """
    model.rng = np.random.default_rng(seed)
    with _at_most(model, batch.promptable_frames):
        outputs: list[dict[str, Any]] = model(batch)
        return outputs


@contextmanager
def _at_most(model: Any, frames: int) -> Iterator[None]:
    """Within this context ``model`` asks for no more than ``frames`` frames to prompt or correct."""
    wanted = {name: getattr(model, name) for name in _FRAME_COUNTS}
    try:
        for name, count in wanted.items():
            setattr(model, name, min(count, frames))
        yield
    finally:
        for name, count in wanted.items():
            setattr(model, name, count)
