"""Images of the report as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustvos.files.atomic import atomic_path


def write_png(image: Tensor, path: Path) -> Path:
    """Write ``(3, H, W)`` uint8 RGB as a PNG, in one step; missing folders are made."""
    pixels = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    with atomic_path(path) as temporary:
        pixels.save(temporary, format="PNG")
    return path


def read_image(path: Path) -> Tensor:
    """An image file as ``(3, H, W)`` uint8 RGB."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()
