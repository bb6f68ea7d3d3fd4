"""Footage: three stills of two objects each, two videos of one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from robustvos.video.masks import write_indexed_mask


def write_picture(folder: Path, name: str, boxes: dict[int, tuple[int, int, int, int]], seed: int) -> None:
    """A picture of noise, 60 x 80, and its mask: each id fills its box ``x0, y0, x1, y1`` in a colour of its own."""
    rng = np.random.default_rng(seed)
    image = rng.integers(100, 150, (60, 80, 3), dtype=np.uint8)
    masks = torch.zeros(len(boxes), 60, 80, dtype=torch.bool)
    for row, (number, (x0, y0, x1, y1)) in enumerate(boxes.items()):
        image[y0:y1, x0:x1] = (250, 20 * number, 10)
        masks[row, y0:y1, x0:x1] = True
    for kind, suffix in (("JPEGImages", ".png"), ("Annotations", ".png")):
        (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
        path = folder / kind / f"{name}{suffix}"
        if kind == "JPEGImages":
            cv2.imwrite(str(path), image[..., ::-1])
        else:
            write_indexed_mask(masks, list(boxes), path)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A folder with the set ``drawn`` of stills, and the set ``filmed`` of videos, one level deeper."""
    root = tmp_path / "footage"
    for number in range(3):
        write_picture(root / "drawn", f"s{number}", {1: (5, 5, 35, 30), 2: (45, 20, 75, 55)}, number)
    for video in ("one", "two"):
        for t in range(6):
            write_picture(root / "more" / "filmed", f"{video}/{t:05d}", {1: (10 + 5 * t, 10, 40 + 5 * t, 45)}, 10 + t)
    return root
