"""What the golden runs read: a folder in DAVIS layout, shifted masks of it, weights of a restorer. The same everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

SIZE = (64, 80)
FRAMES = 6
VIDEOS = ("bear", "crane", "dog")


def draw_tree(root: Path) -> None:
    """Three videos of two textured boxes over a textured ground; the second is seen from the third frame on."""
    for number, name in enumerate(VIDEOS):
        generator = np.random.default_rng(number)
        ground = generator.integers(40, 120, (*SIZE, 3))
        boxes = generator.integers(120, 250, (2, 24, 24, 3))
        for t in range(FRAMES):
            picture, ids = ground.copy(), np.zeros(SIZE, np.uint8)
            places = [(8 + number, 6 + (4 + number) * t)] + ([(34, 50 - 5 * t)] if t >= 2 else [])
            for i, (top, left) in enumerate(places):
                picture[top : top + 24, left : left + 24] = boxes[i]
                ids[top : top + 24, left : left + 24] = i + 1
            _write(root / "JPEGImages" / name / f"{t:05d}.png", Image.fromarray(picture.astype(np.uint8)))
            _write(root / "Annotations" / name / f"{t:05d}.png", _indexed(ids))


def draw_shifted(tree: Path, root: Path) -> None:
    """Masks as someone else's tracker may leave them: shifted ever farther, with a notch."""
    for path in sorted((tree / "Annotations").rglob("*.png")):
        ids = np.roll(np.array(Image.open(path)), (int(path.stem), -2), axis=(0, 1))
        ids[::9, :40] = 0
        _write(root / path.parent.name / path.name, _indexed(ids))


def draw_restorer(path: Path) -> None:
    """Random weights of the smallest network that restores at the same size: spandrel's `Compact`, as its files are."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"body.0": (8, 3, 3, 3), "body.2": (8, 8, 3, 3), "body.4": (3, 8, 3, 3)}
    state: dict[str, torch.Tensor] = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = 0.1 * torch.randn(shape, generator=generator)
        state[f"{name}.bias"] = torch.zeros(shape[0])
    state |= {"body.1.weight": torch.full((8,), 0.2), "body.3.weight": torch.full((8,), 0.2)}
    torch.save(state, path)


def _indexed(ids: np.ndarray) -> Image.Image:
    picture = Image.fromarray(ids)
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return picture


def _write(path: Path, picture: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
