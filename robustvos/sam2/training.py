"""The multi-frame training forward of SAM 2, on our batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from robustvos.sam2.preprocess import preprocess
from robustvos.types import ClipBatch


@dataclass(frozen=True)
class TrainingInput:
    """What ``SAM2Train.forward`` reads of a batch.

    Attributes:
        flat_img_batch: ``(B * T, 3, S, S)`` normalised frames, the frames of a clip side by side.
        flat_obj_to_img_idx: ``(T, N)`` index into it for each object on each frame.
        masks: ``(T, N, S, S)`` bool.
        num_frames: T.
    """

    flat_img_batch: Tensor
    flat_obj_to_img_idx: Tensor
    masks: Tensor
    num_frames: int


def training_input(batch: ClipBatch, image_size: int) -> TrainingInput:
    """Resize and normalise a batch for a model of ``image_size``; frames and masks are squashed to a square."""
    clips, length = batch.frames.shape[:2]
    frames = preprocess(batch.frames.flatten(0, 1), image_size)
    time = torch.arange(length, device=frames.device)[:, None]
    index = batch.object_to_clip[None] * length + time
    assert int(index.max()) < clips * length
    return TrainingInput(frames, index, resize_targets(batch.masks, image_size), length)


def resize_targets(masks: Tensor, image_size: int) -> Tensor:
    """``(T, N, H, W)`` bool -> ``(T, N, S, S)`` bool: a pixel belongs to the object if half of its area does."""
    if masks.shape[-2:] == (image_size, image_size):
        return masks
    soft = F.interpolate(masks.float(), (image_size, image_size), mode="bilinear", antialias=True)
    return soft >= 0.5


def forward_clips(model: Any, batch: TrainingInput, seed: int) -> list[dict[str, Any]]:
    """Prompt and track a batch.

    Args:
        model: A ``SAM2Train``.
        batch: From :func:`training_input`.
        seed: Decides kind of prompt, prompted and corrected frames. Must be equal on all processes of a DDP run: they
            must use the same parts of the model.

    Returns:
        One dict a frame; see :func:`robustvos.sam2.losses.segmentation_loss` for the entries used.
    """
    model.rng = np.random.default_rng(seed)
    return model(_fit_to_length(model, batch))


def _fit_to_length(model: Any, batch: TrainingInput) -> TrainingInput:
    """Clips shorter than the number of frames to prompt or correct: ask for no more than there are."""
    for name in ("num_init_cond_frames_for_train", "num_frames_to_correct_for_train"):
        wanted = getattr(model, f"_wanted_{name}", None) or getattr(model, name)
        setattr(model, f"_wanted_{name}", wanted)
        setattr(model, name, min(wanted, batch.num_frames))
    return batch
