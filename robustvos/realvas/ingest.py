"""Stage ``ingest``: shots, the camera's verdict, stabilisation, clean plate, exposure, noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from robustvos.files.stage import Item, Outcome, Record, Rejection, StageResults, Work
from robustvos.realvas.clean_plate import (
    apply_gain,
    blend_seams,
    exposure_gain,
    median_of,
    remake,
    repair_plate,
)
from robustvos.realvas.cuts import find_shots
from robustvos.realvas.difference import noise_map
from robustvos.realvas.pictures import ANALYSIS_SIDE, evenly, shrink, shrunk_size, to_array
from robustvos.realvas.shots import GAINS, INGEST, NOISE, PLATE, SIMILARITIES, View
from robustvos.realvas.sources import read_sources
from robustvos.realvas.stabilise import common_rectangle, find_similarities, rescale
from robustvos.realvas.static_camera import CameraLimits, measure_camera
from robustvos.video.frames import Frames, open_frames

_SAMPLES = 48
FALLBACK_FPS = 25.0
"""Of folders of frames, which have none."""
_REFINEMENTS = 2
"""Times that the frames are registered, first to one of them, then to their median."""


@dataclass(frozen=True)
class IngestSettings:
    """What is taken in.

    Attributes:
        assume_static: Go on where the camera is undecided.
        stabilise: Where the camera is undecided, register each frame to the plate and crop what not all frames show.
        min_seconds: Shorter shots are left out.
        min_side: So are frames with a shorter side below this, in pixels: objects would be too small.
        longest_side: Larger frames are shrunk.
        min_view: Share of the frame that stabilisation must leave.
        limits: Of the camera's verdict.
    """

    assume_static: bool = False
    stabilise: bool = False
    min_seconds: float = 2.0
    min_side: int = 180
    longest_side: int = 1920
    min_view: float = 0.7
    limits: CameraLimits = field(default_factory=CameraLimits)


@dataclass
class Ingest:
    """One item a video, one outcome a shot.

    Attributes:
        root: Folder of the run.
        settings: What is taken in.
    """

    root: Path
    settings: IngestSettings = field(default_factory=IngestSettings)
    name = INGEST
    version = 1
    unit = "video"

    def items(self, inputs: Mapping[str, StageResults]) -> Iterable[Item]:
        """Every video of the run."""
        return [
            Item(source.key, {"digest": source.digest, "camera": source.camera, "role": source.role})
            for source in read_sources(self.root).values()
        ]

    def run(self, item: Item, work: Work) -> Sequence[Outcome]:
        """See :class:`robustvos.files.stage.Stage`."""
        frames = open_frames(read_sources(self.root)[item.key].path)
        shots = find_shots(to_array(frames[t]) for t in range(len(frames)))
        work.advance(0.2)
        outcomes = []
        for number, (start, stop) in enumerate(shots):
            key = item.key if len(shots) == 1 else f"{item.key}.s{number}"
            outcomes.append(self._shot(frames, start, stop, key, work.folder / key))
            work.advance(0.8 / len(shots))
        return outcomes

    def _shot(self, frames: Frames, start: int, stop: int, key: str, folder: Path) -> Outcome:
        fps, length = frames.fps or FALLBACK_FPS, stop - start
        shared = {"start": start, "frames": length, "fps": round(fps, 4), "source_size": list(frames.size)}
        if length / fps < self.settings.min_seconds or length < 2:  # one picture for seconds shows nothing that moves
            limit = {"seconds": round(length / fps, 2), "at_least": self.settings.min_seconds}
            return Rejection("short shot", shared | limit, key)
        if min(frames.size) < self.settings.min_side:
            return Rejection("small frame", shared | {"at_least": self.settings.min_side}, key)
        reader = _Reader(frames, View(start, self.settings.longest_side), length)
        motion = measure_camera([shrink(reader[t]) for t in reader.samples])
        verdict = motion.verdict(self.settings.limits)
        camera: dict[str, Any] = {
            "camera": verdict,
            "inliers": round(motion.inliers, 3),
            "drift": round(motion.drift, 3),
        }
        if verdict == "moving":
            return Rejection("moving camera", shared | camera, key)
        if verdict == "undecided" and not (self.settings.assume_static or self.settings.stabilise):
            return Rejection("undecided camera", shared | camera, key)
        if verdict == "undecided" and self.settings.stabilise:
            reader, left = _stabilised(reader)
            camera |= {"camera": "stabilised", "view": round(left, 3)}
            if left < self.settings.min_view:
                return Rejection("stabilisation leaves too little", shared | camera, key)
        elif verdict == "undecided":
            camera["camera"] = "assumed static"
        return Record(shared | camera | self._make(reader, folder), key)

    def _make(self, reader: _Reader, folder: Path) -> dict[str, Any]:
        """Write plate, noise, gains and similarities; return their figures."""
        plate, noise, figures = build_plate(reader)
        small = shrink(plate)
        gains = np.array([exposure_gain(reader.small(t), small) for t in range(len(reader))])
        folder.mkdir(parents=True)
        Image.fromarray(plate).save(folder / PLATE)
        np.save(folder / NOISE, noise.astype(np.float16))
        np.save(folder / GAINS, gains)
        if reader.view.similarities is not None:
            np.save(folder / SIMILARITIES, reader.view.similarities)
        return {
            "size": list(plate.shape[:2]),
            "crop": reader.view.crop and list(reader.view.crop),
            "longest_side": self.settings.longest_side,
            "exposure": [round(float(gains.min()), 3), round(float(gains.max()), 3)],
            **figures,
        }


@dataclass(frozen=True)
class _Reader(Sequence[np.ndarray]):
    """The frames of one shot; iterating decodes each once."""

    frames: Frames
    view: View
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, t: Any) -> Any:
        if t >= self.length:
            raise IndexError(t)
        return self.view.read(self.frames, t)

    def small(self, t: int) -> np.ndarray:
        """Frame ``t`` at the analysis size, stabilised after it was shrunk: quicker, and good enough to measure light."""
        picture = shrink(shrink(to_array(self.frames[self.view.start + t]), self.view.longest))
        if self.view.similarities is None or self.view.crop is None:
            return picture
        full, (x0, y0, x1, y1) = shrunk_size(self.frames.size, self.view.longest), self.view.crop
        factor = picture.shape[1] / full[1]
        moved = _small_warp(picture, rescale(self.view.similarities[t], factor))
        size = shrunk_size((y1 - y0, x1 - x0))
        part = moved[round(y0 * factor) : round(y1 * factor), round(x0 * factor) : round(x1 * factor)]
        return cv2.resize(part, size[::-1], interpolation=cv2.INTER_LINEAR)

    @property
    def samples(self) -> list[int]:
        """Frames that stand for all; each has a next one."""
        return evenly(self.length - 1, _SAMPLES)


def _stabilised(reader: _Reader) -> tuple[_Reader, float]:
    """A reader of frames registered to the plate, and the share of the frame that is left."""
    few = [shrink(reader[t]) for t in reader.samples]
    plate = few[len(few) // 2]
    for _ in range(_REFINEMENTS):
        found, _ = find_similarities(few, plate)
        plate = median_of([_small_warp(frame, matrix) for frame, matrix in zip(few, found, strict=True)])
    matrices, _ = find_similarities((shrink(frame) for frame in reader), plate)
    size = shrunk_size(reader.frames.size, reader.view.longest)
    matrices = rescale(matrices, max(size) / max(shrunk_size(size, ANALYSIS_SIDE)))
    crop = common_rectangle(matrices, size)
    left = (crop[2] - crop[0]) * (crop[3] - crop[1]) / (size[0] * size[1])
    view = View(reader.view.start, reader.view.longest, crop, matrices)
    return _Reader(reader.frames, view, reader.length), left


def _small_warp(frame: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(frame, matrix, frame.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def build_plate(reader: _Reader) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Clean plate and noise at the frames' size; ghosts are looked for at the analysis size.

    Returns:
        ``(H, W, 3)`` uint8; ``(H, W)`` float32; and figures.
    """
    large = [reader[t] for t in reader.samples]
    following = [reader[t + 1] for t in reader.samples[::3]]
    plain = median_of(large)
    large = list(_in_exposure(large, plain))
    following = list(_in_exposure(following, plain))
    plain = median_of(large)
    small = [shrink(frame) for frame in large]
    pairs = [(a, shrink(b)) for a, b in zip(small[::3], following, strict=True)]
    _, use, ghosts, left = repair_plate(small, pairs)
    plate = _at_full_size(plain, large, use)
    noise = noise_map(list(zip(large[::3], following, strict=True)), large[::3], plate)
    area = use.shape[1] * use.shape[2]
    return plate, noise, {"ghosts": round(ghosts / area, 5), "ghosts_left": round(left / area, 5)}


def _in_exposure(frames: Sequence[np.ndarray], plate: np.ndarray) -> Iterator[np.ndarray]:
    small = shrink(plate)
    return (apply_gain(frame, 1 / exposure_gain(shrink(frame), small)) for frame in frames)


def _at_full_size(plain: np.ndarray, frames: Sequence[np.ndarray], use: np.ndarray) -> np.ndarray:
    partly = ~use.all(axis=0)
    if not partly.any():
        return plain
    size = plain.shape[1::-1]
    where = cv2.resize(np.asarray(partly, np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    y0, y1 = np.flatnonzero(where.any(1))[[0, -1]] + [0, 1]
    planes = [np.asarray(u, np.uint8) for u in use]
    large = np.stack([cv2.resize(u, size, interpolation=cv2.INTER_NEAREST)[y0:y1] > 0 for u in planes])
    made = plain.copy()
    made[y0:y1] = remake(plain[y0:y1], [frame[y0:y1] for frame in frames], large, where[y0:y1])
    return blend_seams(made, plain, where)
