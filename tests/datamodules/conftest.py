from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = (48, 64)


class Tree:
    """A folder in DAVIS layout, written frame by frame."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def video(
        self, name: str, maps: list[np.ndarray | None], size: tuple[int, int] = SIZE, suffix: str = ".jpg"
    ) -> None:
        """Write a video; the frame shows what its map of ids says, a frame without map is grey."""
        frames, masks = self.root / "JPEGImages" / name, self.root / "Annotations" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for t, ids in enumerate(maps):
            shown = np.zeros(size, np.uint8) if ids is None else ids
            grey = np.where(shown == 0, 40 + 10 * t, 120 + 40 * shown).astype(np.uint8)
            Image.fromarray(np.stack([grey] * 3, -1)).save(frames / f"{t:05d}{suffix}")
            if ids is not None:
                self.mask(name, t, ids)

    def mask(self, name: str, t: int, ids: np.ndarray) -> None:
        Image.fromarray(ids.astype(np.uint8)).save(self.root / "Annotations" / name / f"{t:05d}.png")

    def list(self, path: str, *names: str) -> None:
        file = self.root / "ImageSets" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(names) + "\n")


def boxes(length: int = 6, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Object 1 moves to the right; object 2 stands still and is seen from the third frame on."""
    maps = []
    for t in range(length):
        ids = np.zeros(size, np.uint8)
        ids[10:30, 5 + 4 * t : 25 + 4 * t] = 1
        if t >= 2:
            ids[34:46, 30:50] = 2
        maps.append(ids)
    return maps


@pytest.fixture
def make_tree(tmp_path) -> Callable[[str], Tree]:
    return lambda name: Tree(tmp_path / name)


@pytest.fixture
def tree(make_tree) -> Tree:
    """Three videos of 6 frames of 48x64, every frame annotated."""
    made = make_tree("own")
    for name in ("bear", "dog", "swan"):
        made.video(name, boxes())
    return made


@pytest.fixture
def moving_boxes() -> Callable[..., list[np.ndarray]]:
    return boxes
