"""A shot as later stages see it: frames in one place and one exposure, the clean plate, the noise."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from robustvos.files.stage import Result, open_results
from robustvos.realvas.clean_plate import apply_gain
from robustvos.realvas.pictures import ANALYSIS_SIDE, shrink, shrink_factor, shrunk_size, to_array
from robustvos.realvas.sources import read_sources
from robustvos.realvas.stabilise import warp
from robustvos.video.frames import Frames, open_frames

PLATE, NOISE, GAINS, SIMILARITIES = "plate.png", "noise.npy", "gains.npy", "similarities.npy"
INGEST = "ingest"


@dataclass(frozen=True)
class View:
    """How the frames of a shot are made from those of its file.

    Attributes:
        start: First frame in the file.
        longest: Frames are shrunk until no side exceeds this.
        crop: ``x0, y0, x1, y1`` of the shrunk, stabilised frame; None: all of it.
        similarities: ``(T, 2, 3)`` of shrunk frames; None: the camera stands still.
    """

    start: int
    longest: int
    crop: tuple[int, int, int, int] | None = None
    similarities: np.ndarray | None = None

    def read(self, frames: Frames, t: int) -> np.ndarray:
        """Frame ``t`` of the shot, ``(H, W, 3)`` uint8 RGB, in the exposure it was taken with."""
        picture = shrink(to_array(frames[self.start + t]), self.longest)
        if self.similarities is not None:
            picture = warp(picture, self.similarities[t])
        if self.crop is not None:
            x0, y0, x1, y1 = self.crop
            picture = np.ascontiguousarray(picture[y0:y1, x0:x1])
        return picture


@dataclass(frozen=True)
class Shot:
    """One shot of a video whose camera stands still, or was made to.

    Attributes:
        key: Of its record.
        camera: Identity of the camera.
        role: Role of the source.
        length: Number of frames.
        fps: Frames per second.
        size: ``(H, W)`` of frames and plate.
        view: How frames are read.
        source: Path of the file.
        folder: Of its plate, noise and gains.
        fingerprint: Of the record.
    """

    key: str
    camera: str
    role: str
    length: int
    fps: float
    size: tuple[int, int]
    view: View
    source: Path
    folder: Path
    fingerprint: str

    @cached_property
    def plate(self) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB."""
        with Image.open(self.folder / PLATE) as image:
            return np.array(image.convert("RGB"))

    @cached_property
    def noise(self) -> np.ndarray:
        """``(H, W)`` float32."""
        noise: np.ndarray = np.load(self.folder / NOISE).astype(np.float32)
        return noise

    @cached_property
    def gains(self) -> np.ndarray:
        """``(T, 3)`` float64: by what each frame is brighter than the plate."""
        gains: np.ndarray = np.load(self.folder / GAINS)
        return gains

    @cached_property
    def _frames(self) -> Frames:
        return open_frames(self.source)

    def native(self, t: int) -> np.ndarray:
        """Frame ``t`` in its own exposure, ``(H, W, 3)`` uint8 RGB."""
        return self.view.read(self._frames, t)

    def even(self, t: int) -> np.ndarray:
        """Frame ``t`` in the plate's exposure."""
        return apply_gain(self.native(t), 1 / self.gains[t])

    def small(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Frames at the analysis size, in the plate's exposure."""
        return (shrink(self.even(t)) for t in indices)

    @property
    def factor(self) -> float:
        """Pixels of the analysis size for each of a frame."""
        return shrink_factor(self.size, ANALYSIS_SIDE)

    @property
    def small_size(self) -> tuple[int, int]:
        """``(H, W)`` at the analysis size."""
        return shrunk_size(self.size)

    @cached_property
    def small_plate(self) -> np.ndarray:
        """The plate at the analysis size."""
        return shrink(self.plate)

    @cached_property
    def small_noise(self) -> np.ndarray:
        """The noise at the analysis size: averaged pixels are quieter, which is left out of account."""
        return shrink(self.noise)


class SmallFrames(Sequence[np.ndarray]):
    """Some frames of a shot at the analysis size, in the plate's exposure; each is read whenever it is asked for.

    Args:
        shot: Of the frames.
        indices: Which.
    """

    def __init__(self, shot: Shot, indices: Sequence[int]) -> None:
        self._shot, self._indices = shot, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return next(self._shot.small([self._indices[index]]))


def read_shots(root: str | os.PathLike[str]) -> dict[str, Shot]:
    """The shots that ``ingest`` kept, by key.

    Raises:
        DataNotFound: If ``ingest`` was not run.
        UserError: If it is not finished.
    """
    return {result.key: shot_of(result, root) for result in open_results(root, INGEST).kept}


def shot_of(result: Result, root: str | os.PathLike[str]) -> Shot:
    """A record of ``ingest`` as a shot."""
    figures = result.figures
    folder = result.folder / result.key
    moved = folder / SIMILARITIES
    crop = figures["crop"]
    view = View(
        figures["start"],
        figures["longest_side"],
        None if crop is None else tuple(crop),
        np.load(moved) if moved.exists() else None,
    )
    source = read_sources(root)[result.item]
    return Shot(
        result.key,
        source.camera,
        source.role,
        figures["frames"],
        figures["fps"],
        tuple(figures["size"]),
        view,
        Path(source.path),
        folder,
        result.fingerprint,
    )
