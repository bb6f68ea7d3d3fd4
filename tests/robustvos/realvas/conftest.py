"""A street with two walkers whose layers are known, as a video on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

SIZE = (200, 320)
LENGTH = 230


@dataclass(frozen=True)
class Walker:
    """Crosses the picture at one row: its contact with the ground, its size, where it is at which frame."""

    row: int
    height: int
    width: int
    colour: tuple[int, int, int]
    first: int
    start: float
    speed: float
    seed: int

    def mask(self, t: int, size: tuple[int, int] = SIZE) -> np.ndarray:
        x = self.start + self.speed * (t - self.first)
        plane = np.zeros(size, np.uint8)
        if t >= self.first:
            body = (round(x), self.row - round(0.42 * self.height))
            axes = (self.width // 2, round(0.42 * self.height))
            cv2.ellipse(plane, body, axes, 0, 0, 360, 1, -1)
            head = (round(x), self.row - self.height + self.width // 3)
            cv2.circle(plane, head, self.width // 3, 1, -1)
        return plane.astype(bool)

    def texture(self, t: int, size: tuple[int, int] = SIZE) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        pattern = cv2.resize(rng.integers(-50, 50, (40, 60, 3)).astype(np.float32), size[::-1])
        moved = np.roll(pattern, round(self.start + self.speed * (t - self.first)), axis=1)
        return np.clip(np.array(self.colour) + moved, 0, 255)

    def shadow(self, t: int, size: tuple[int, int] = SIZE) -> np.ndarray:
        plane = np.ones(size, np.float32)
        if t >= self.first:
            x = self.start + self.speed * (t - self.first)
            dark = np.zeros(size, np.float32)
            cv2.ellipse(
                dark, (round(x + 0.6 * self.width), self.row), (self.width, self.width // 4), 0, 0, 360, 1.0, -1
            )
            plane -= 0.3 * cv2.GaussianBlur(dark, (0, 0), 2)
        return plane[..., None]


FAR = Walker(row=126, height=58, width=24, colour=(40, 60, 150), first=0, start=-14, speed=3.4, seed=1)
NEAR = Walker(row=180, height=96, width=40, colour=(180, 60, 40), first=112, start=342, speed=-3.6, seed=2)


def plate(size: tuple[int, int] = SIZE) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = cv2.resize(
        rng.uniform(100, 190, (13, 20, 3)).astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC
    )
    fine = cv2.GaussianBlur(rng.uniform(-40, 40, (*size, 3)).astype(np.float32), (0, 0), 1.0)
    return np.clip(coarse + fine, 0, 255)


def frame(t: int, walkers: tuple[Walker, ...] = (FAR, NEAR), noise: float = 1.0) -> np.ndarray:
    """Frame ``t``, the last walker in front: ``(H, W, 3)`` uint8."""
    picture = plate()
    for walker in walkers:
        picture = picture * walker.shadow(t)
        mask = walker.mask(t)
        picture[mask] = walker.texture(t)[mask]
    rng = np.random.default_rng(1000 + t)
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).round().astype(np.uint8)


def write_frames(folder: Path, pictures: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for t, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{t:05d}.png", compress_level=1)
    return folder


@pytest.fixture(scope="session")
def street(tmp_path_factory) -> Path:
    """The video: the far walker crosses, and when it is gone the near one."""
    return write_frames(tmp_path_factory.mktemp("videos") / "street", [frame(t) for t in range(LENGTH)])


@pytest.fixture(scope="session")
def street_run(street, tmp_path_factory) -> Path:
    """The run of all stages on it."""
    from robustvos.realvas.pipeline import run_stages
    from robustvos.realvas.sources import add_sources

    root = tmp_path_factory.mktemp("run")
    add_sources(root, [street])
    run_stages(root, settings=few_clips(), progress=False)
    return root


def few_clips():
    """The settings of ``street_run``: a quick matte, and two clips of the six that there would be."""
    from dataclasses import replace

    from robustvos.realvas.pipeline import RealVASSettings

    plain = RealVASSettings()
    return replace(plain, filter=replace(plain.filter, per_shots=2), composite=replace(plain.composite, matte="guided"))


@pytest.fixture(scope="session")
def scene():
    """This module's names, for tests."""
    from types import SimpleNamespace

    return SimpleNamespace(**{name: value for name, value in globals().items() if not name.startswith("_")})
