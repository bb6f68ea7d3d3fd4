"""Masks that discovery finds on semi-real clips: real cut-outs with human masks, walking over real plates with real noise.

    ROBUSTVOS_REALDATA=FOLDER python benchmarks/bench_discovery.py [--set choose|once] [--tracker small]

FOLDER holds ``davis/`` (JPEGImages and Annotations, 480p) and ``videos/`` of static cameras. Twelve pairs of a cut-out and a
plate are fixed by a seed; the first six are for choosing settings, the other six are run once. Each clip has 70 frames with a
contact shadow and JPEG artefacts. The figure is the mean over frames of J between the drawn mask and the best track's. With
--tracker that base of ``configs/sam2`` follows the found mask, from the frame in which its area is the usual one, both ways.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from result_file import RESULTS, write_result

from robustvos.files.naming import list_files
from robustvos.realvas.association import Associator
from robustvos.realvas.clean_plate import median_of, repair_plate
from robustvos.realvas.difference import changed_with_effects, noise_map
from robustvos.realvas.discover import with_effects
from robustvos.realvas.fragments import join_fragments
from robustvos.realvas.pictures import evenly, shrink, to_array
from robustvos.realvas.split import split_object, without_shadows
from robustvos.sam2.tracker import Tracker
from robustvos.seeding import derive_seed, numpy_rng
from robustvos.systems.loading import load_system
from robustvos.types import Prompt
from robustvos.video.frames import open_frames
from robustvos.video.masks import read_indexed_mask

PLATES = (
    "pingpong.mp4",
    "people-detection.gif",
    "face-demographics-walking.gif",
    "blocks.mp4",
    "juggle.mp4",
    "coffee.mp4",
)
FRAMES = 70


def pairs(root: Path) -> list[tuple[str, str]]:
    """Twelve pairs of a DAVIS clip and a video, fixed."""
    clips = sorted(path.name for path in (root / "davis" / "JPEGImages" / "480p").iterdir())
    every = [(clip, plate) for clip in clips for plate in PLATES]
    chosen = numpy_rng("semi-real", 1).permutation(len(every))[:12]
    return [every[k] for k in chosen]


def plate_and_noise(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """A plate, and what frames differ from it by where nothing moves."""
    frames = open_frames(path)
    some = [shrink(to_array(frames[t])) for t in evenly(len(frames), 24)]
    plate = median_of(some)
    residuals = [frame.astype(np.int16) - plate for frame in some]
    return plate, [np.where(np.abs(r).max(2, keepdims=True) < 12, r, np.roll(r, 40, 1) % 3 - 1) for r in residuals]


def cut_outs(root: Path, clip: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Picture and mask of each frame of a DAVIS clip."""
    frames = open_frames(root / "davis" / "JPEGImages" / "480p" / clip)
    masks = list_files(root / "davis" / "Annotations" / "480p" / clip, (".png",))
    return [(to_array(frames[t]), read_indexed_mask(masks[t]) > 0) for t in range(min(len(frames), len(masks)))]


def semi_real(root: Path, clip: str, video: str) -> tuple[list[np.ndarray], np.ndarray]:
    """The frames and the drawn masks, ``(T, H, W)`` bool."""
    rng = numpy_rng("semi-real", clip, video)
    plate, residuals = plate_and_noise(root / "videos" / video)
    height, width = plate.shape[:2]
    cuts = cut_outs(root, clip)
    scale = rng.uniform(0.35, 0.55) * height / np.median([m.any(1).sum() for _, m in cuts])
    floor = round(height * rng.uniform(0.75, 0.95))
    right = bool(rng.random() < 0.5)
    frames, truth = [], np.zeros((FRAMES, height, width), bool)
    for t in range(FRAMES):
        picture, mask = cuts[abs((t + len(cuts) - 1) % (2 * len(cuts) - 2) - (len(cuts) - 1))]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        size = (max(2, round((columns[-1] - columns[0] + 1) * scale)), max(2, round((rows[-1] - rows[0] + 1) * scale)))
        small = cv2.resize(picture[part], size, interpolation=cv2.INTER_AREA)
        inside = cv2.resize(mask[part].astype(np.float32), size, interpolation=cv2.INTER_AREA)
        along = -size[0] + (width + 2 * size[0]) * (t - 4) / (FRAMES - 9)
        x = round((along if right else width - along) - size[0] / 2)
        frames.append(_paste(plate, small, inside, x, floor, truth[t]) + residuals[t % len(residuals)])
    encoded = [
        cv2.imencode(".jpg", np.clip(f, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])[1] for f in frames
    ]
    return [cv2.imdecode(code, cv2.IMREAD_COLOR) for code in encoded], truth


def _paste(
    plate: np.ndarray, picture: np.ndarray, inside: np.ndarray, x: int, floor: int, truth: np.ndarray
) -> np.ndarray:
    height, width = plate.shape[:2]
    dark = np.zeros((height, width), np.float32)
    middle = (x + picture.shape[1] // 2, floor)
    cv2.ellipse(dark, middle, (max(2, picture.shape[1] // 2), max(2, picture.shape[1] // 8)), 0, 0, 360, 0.35, -1)
    frame = plate * (1 - cv2.GaussianBlur(dark, (0, 0), 3))[..., None]
    left, right = max(0, x), min(width, x + picture.shape[1])
    top, bottom = max(0, floor - picture.shape[0]), min(height, floor)
    if right > left and bottom > top:
        source = np.s_[top - floor + picture.shape[0] : bottom - floor + picture.shape[0], left - x : right - x]
        a = inside[source][..., None]
        frame[top:bottom, left:right] = (1 - a) * frame[top:bottom, left:right] + a * picture[source]
        truth[top:bottom, left:right] = inside[source] >= 0.5
    return frame


def discover(frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The longest track's regions and objects: ``(T, H, W)`` bool each."""
    few = evenly(len(frames) - 1, 48)
    neighbours = [(frames[t], frames[t + 1]) for t in few]
    plate, *_ = repair_plate([frames[t] for t in few], neighbours)
    noise = noise_map(neighbours, [frames[t] for t in few], plate)
    associator, everything = Associator(), []
    for t, frame in enumerate(frames):
        objects, effects = changed_with_effects(frame, plate, noise)
        associator.add(t, objects)
        everything.append(objects | effects)
    tracks = join_fragments(associator.tracks)
    track = max(tracks, key=lambda raw: sum(int(region.sum()) for region in raw.regions))
    regions = np.zeros((len(frames), *plate.shape[:2]), bool)
    found = regions.copy()
    for t, region in zip(track.samples, track.regions, strict=True):
        regions[t] = region
        whole = without_shadows(with_effects(region, everything[t]), region, frames[t], plate)
        found[t] = split_object(frames[t], plate, whole, derive_seed("bench", t))
    return regions, found


def tracked(base: str, frames: list[np.ndarray], objects: np.ndarray) -> np.ndarray:
    """Masks of a promptable tracker, prompted once with what was found: ``(T, H, W)`` bool."""
    areas = objects.sum(axis=(1, 2))
    inside = np.flatnonzero((areas > 0) & ~objects[:, :, [0, 1, -2, -1]].any(axis=(1, 2)))
    start = int(inside[np.argmin(np.abs(areas[inside] - np.median(areas[inside])))])
    model, found = load_system("sam2", sam2=base).model, objects.copy()
    for times in (range(start, len(frames)), range(start, -1, -1)):
        tracker, said = Tracker(model), [Prompt(1, mask=torch.from_numpy(objects[start]), frame=0)]
        for t in times:
            found[t] = tracker.step(torch.from_numpy(frames[t]).permute(2, 0, 1), said).masks[0].numpy()
            said = []
    return found


def mean_j(found: np.ndarray, truth: np.ndarray) -> float:
    """Over frames in which the object is at least a fifth as large as usual."""
    areas = truth.sum(axis=(1, 2))
    shown = areas > 0.2 * np.median(areas[areas > 0])
    return float(np.mean([(f & m).sum() / (f | m).sum() for f, m in zip(found[shown], truth[shown], strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=("choose", "once"), default="choose")
    parser.add_argument("--tracker", help="a name in configs/sam2")
    parser.add_argument("--out", type=Path, default=RESULTS / "discovery.json")
    options = parser.parse_args()
    if not os.environ.get("ROBUSTVOS_REALDATA"):
        print("discovery on real clips: not measured; set ROBUSTVOS_REALDATA to a folder with davis/ and videos/")
        return
    root = Path(os.environ["ROBUSTVOS_REALDATA"])
    cv2.setNumThreads(1)
    rows = {}
    print(f"{'clip':<18} {'plate':<32} {'region':>7} {'object':>7} {'CPU ms/frame':>12} {options.tracker or ''}")
    for clip, video in pairs(root)[:6] if options.set == "choose" else pairs(root)[6:]:
        frames, truth = semi_real(root, clip, video)
        began = time.process_time()
        regions, found = discover(frames)
        spent = 1e3 * (time.process_time() - began) / len(frames)
        rows[f"{clip} on {video}"] = {"region": mean_j(regions, truth), "object": mean_j(found, truth), "ms": spent}
        if options.tracker:
            masks = tracked(options.tracker, frames, found)
            rows[f"{clip} on {video}"]["tracker"] = mean_j(masks, truth)
        figures = rows[f"{clip} on {video}"]
        print(
            f"{clip:<18} {video:<32} {figures['region']:>7.3f} {figures['object']:>7.3f} {spent:>12.0f}{_last(figures)}",
            flush=True,
        )
    means = {name: float(np.mean([row[name] for row in rows.values()])) for name in ("region", "object")}
    if options.tracker:
        means["tracker"] = float(np.mean([row["tracker"] for row in rows.values()]))
    print(f"{'mean':<51} {means['region']:>7.3f} {means['object']:>7.3f}{'':>13}{_last(means)}")
    write_result(options.out, vars(options), {"clips": rows, "mean": means})


def _last(figures: dict[str, float]) -> str:
    return f" {figures['tracker']:>8.3f}" if "tracker" in figures else ""


if __name__ == "__main__":
    main()
