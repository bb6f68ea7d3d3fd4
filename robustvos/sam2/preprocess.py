"""From native frames and masks to the square that SAM 2 sees."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from robustvos.errors import BadVideo

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


Resize = Literal["fast", "official"]
RESIZING = "frame_resizing"
"""Attribute of a built model: how a tracker brings frames to its square."""


def check_frame(frame: Tensor, index: int, before: tuple[int, int] | None) -> tuple[int, int]:
    """``(H, W)`` of frame ``index`` of a video whose former frames had the size ``before``, None if there are none.

    Raises:
        BadVideo: If it is not ``(3, H, W)`` uint8, or of another size than those before.
    """
    if frame.dtype != torch.uint8 or frame.ndim != 3 or frame.shape[0] != 3:
        raise BadVideo(f"frame {index} must be uint8 (3, H, W), got {frame.dtype} {tuple(frame.shape)}")
    size = (frame.shape[-2], frame.shape[-1])
    if before not in (None, size):
        raise BadVideo(f"frame {index} is {size} (H, W), those before {before}; reset() for another video")
    return size


def preprocess(
    frames: Tensor, image_size: int, device: torch.device | str = "cpu", resizing: Resize = "fast"
) -> Tensor:
    """Resize frames to the model's square and normalise them, as SAM 2 does when it reads a folder of frames.

    The resize is an antialiased bicubic on 8-bit grey levels; the aspect ratio is not kept.

    Args:
        frames: ``(..., 3, H, W)`` uint8 RGB.
        image_size: Side ``S`` of the square.
        device: Where the result is made; frames travel there as bytes.
        resizing: ``fast``: torchvision's, on the device, which agrees within two grey levels with Pillow's, the one SAM 2
            calls. ``official``: Pillow's own, on the CPU.

    Returns:
        ``(..., 3, S, S)`` float32 with ImageNet's mean and deviation taken out.

    Raises:
        BadVideo: If the frames are not uint8 RGB, or have no pixels.
    """
    if frames.dtype != torch.uint8 or frames.ndim < 3 or frames.shape[-3] != 3 or 0 in frames.shape[-2:]:
        seen = f"{frames.dtype} {tuple(frames.shape)}"
        raise BadVideo(f"frames must be uint8 (..., 3, H, W), got {seen}; convert them to 8-bit RGB")
    if resizing == "official":
        square = _resized_by_pillow(frames, image_size).to(device, non_blocking=True)
    else:
        frames = frames.to(device, non_blocking=True)
        square = resize(frames, [image_size, image_size], InterpolationMode.BICUBIC, antialias=True)
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(3, 1, 1)
    deviation = torch.tensor(IMAGENET_STD, device=device).view(3, 1, 1)
    return (square.float() / 255 - mean) / deviation


def _resized_by_pillow(frames: Tensor, image_size: int) -> Tensor:
    """``(..., 3, S, S)`` uint8 on the CPU."""
    flat = frames.cpu().flatten(0, -4) if frames.ndim > 3 else frames.cpu()[None]
    squares = [
        np.array(Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy())).resize((image_size, image_size)))
        for frame in flat
    ]
    found = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
    return found.reshape(*frames.shape[:-2], image_size, image_size)


def resize_masks(masks: Tensor, image_size: int) -> Tensor:
    """Resize masks to the model's square, as SAM 2 does with mask prompts: antialiased bilinear, then at least half.

    A mask too thin to fill half of any pixel keeps its fullest pixels instead of vanishing: this differs from SAM 2,
    which would take the object for absent from the start.

    Args:
        masks: ``(N, H, W)`` bool.
        image_size: Side ``S`` of the square.

    Returns:
        ``(N, S, S)`` bool; empty only where the mask was.
    """
    if masks.shape[-2:] == (image_size, image_size):
        return masks.bool()
    size = (image_size, image_size)
    cover = F.interpolate(masks[:, None].float(), size, mode="bilinear", align_corners=False, antialias=True)[:, 0]
    fullest = cover.amax(dim=(-2, -1), keepdim=True)
    return (cover >= fullest.clamp(max=0.5)) & (fullest > 0)
