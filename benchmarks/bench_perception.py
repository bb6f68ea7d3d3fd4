"""What the perception plugins without weights cost, and how far from a known truth they are.

    OMP_NUM_THREADS=1 python benchmarks/bench_perception.py --video STATIC_CAMERA.mp4 --davis DAVIS --objects dog,libby

Detectors: objects cut out along their human masks walk over the first frame's camera, whose own movers are painted over
by the median, with the video's own noise and compression; J of all moving pixels. Without ``--video`` a texture with
noise and a drawn ellipse. Points: a textured front that slides, and one that swings on a hinge. Mattes: a disc with a soft
rim over a texture; mean error of alpha on the rim, in percent. CPU milliseconds of one thread, per frame.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from result_file import RESULTS, write_result
from torch import Tensor

from robustvos.perception import PLUGINS
from robustvos.perception.lucas_kanade import warped
from robustvos.video.frames import FrameFolder, open_frames
from robustvos.video.masks import read_indexed_mask

FRAMES = 60


def as_frame(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8))).permute(2, 0, 1).contiguous()


def texture(height: int, width: int, sigma: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255


def cut_outs(args: argparse.Namespace) -> Iterator[tuple[str, list[Tensor], list[np.ndarray]]]:
    """Named clips with the mask of what moves in each frame."""
    if args.video is None:
        rng = np.random.default_rng(0)
        plate = 0.5 * texture(270, 480, 8, 0) + 40
        noise = [rng.normal(0, 2, plate.shape) for _ in range(FRAMES)]
        object_ = texture(120, 90, 2, 1)
        mask = cv2.ellipse(np.zeros((120, 90), np.uint8), (45, 60), (40, 55), 0, 0, 360, 1, -1).astype(bool)
        yield "drawn", *walked(plate, noise, [(object_, mask)] * FRAMES)
        return
    video = open_frames(args.video)
    seen = [
        cv2.resize(video[t % len(video)].permute(1, 2, 0).numpy(), (480, 270)).astype(np.float32) for t in range(FRAMES)
    ]
    plate = np.median(seen, axis=0)
    for name in args.objects.split(","):
        frames = FrameFolder(args.davis / "JPEGImages/480p" / name)
        cut = []
        for t in range(FRAMES):
            index = t % len(frames)
            ids = read_indexed_mask(args.davis / "Annotations/480p" / name / f"{frames.frame_names[index]}.png") > 0
            rows, columns = np.flatnonzero(ids.any(1)), np.flatnonzero(ids.any(0))
            box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            scale = 110 / max(box[0].stop - box[0].start, 1)
            pixels = frames[index].permute(1, 2, 0).numpy()[box]
            size = (max(1, round(pixels.shape[1] * scale)), 110)
            small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
            cut.append((small, cv2.resize(ids[box].astype(np.uint8), size) > 0))
        steady = np.abs(np.stack(seen) - plate).max(-1, keepdims=True) < 24  # the video's own movers are left out
        yield name, *walked(plate, [np.where(s, f - plate, 0) for s, f in zip(steady, seen, strict=True)], cut)


def walked(
    plate: np.ndarray, noise: list[np.ndarray], cut: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[list[Tensor], list[np.ndarray]]:
    """The cut-outs move from left to right over the plate; noise and JPEG follow."""
    frames, truth = [], []
    height, width = plate.shape[:2]
    for t, (pixels, mask) in enumerate(cut):
        left, top = round(-100 + t * (width + 100) / FRAMES), height - mask.shape[0] - 20
        inside = slice(max(-left, 0), max(min(mask.shape[1], width - left), 0))
        place = slice(top, top + mask.shape[0]), slice(max(left, 0), max(left, 0) + max(inside.stop - inside.start, 0))
        image, moving = plate.copy(), np.zeros((height, width), bool)
        image[place] = np.where(mask[:, inside, None], pixels[:, inside], image[place])
        moving[place] = mask[:, inside]
        image = (image + noise[t]).clip(0, 255).astype(np.uint8)
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
        frames.append(as_frame(image))
        truth.append(moving)
    return frames, truth


def timed(work: Callable[[], Any], frames: int) -> tuple[Any, float]:
    start = time.process_time()
    done = work()
    return done, 1000 * (time.process_time() - start) / frames


def measure_detectors(args: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for clip, frames, truth in cut_outs(args):
        for name in ("plate_difference", "background_knn"):
            detector = PLUGINS["detector"][name]()
            _, learning = timed(lambda d=detector, f=frames: d.prepare(f), FRAMES)
            masks, asking = timed(lambda d=detector, f=frames: [d.detect(frame).masks for frame in f], FRAMES)
            scores = [
                float((m.any(0).numpy() & t).sum() / (m.any(0).numpy() | t).sum())
                for m, t in zip(masks, truth, strict=True)
                if t.sum() > 500
            ]
            found[f"{clip}/{name}"] = {"J": float(np.mean(scores)), "ms": learning + asking}
    return found


def measure_points() -> dict[str, Any]:
    height, width, length = 270, 480, 30
    image = texture(height, width, 2, 0)
    corners = np.array([[140, 60], [340, 60], [340, 210], [140, 210]], np.float32)
    slide, hinge = [], []
    for t in range(length):
        slide.append(np.array([[1, 0, 1.7 * t], [0, 1, -0.6 * t], [0, 0, 1.0]]))
        angle, far = np.radians(50 * t / (length - 1)), 500.0
        x, z = 140 + (corners[:, 0] - 140) * np.cos(angle) - 240, far - (corners[:, 0] - 140) * np.sin(angle)
        seen = np.stack([x * far / z + 240, (corners[:, 1] - 135) * far / z + 135], 1)
        hinge.append(cv2.getPerspectiveTransform(corners, seen.astype(np.float32)))
    ys, xs = np.mgrid[70:201:13, 150:331:20]
    queries = torch.tensor(np.stack([np.zeros(xs.size), xs.ravel(), ys.ravel()], 1), dtype=torch.float32)
    found = {}
    for motion, steps in (("slide", slide), ("hinge", hinge)):
        frames = [
            as_frame(cv2.warpPerspective(image, m, (width, height), borderMode=cv2.BORDER_REFLECT)) for m in steps
        ]
        truth = np.stack([warped(queries[:, 1:].numpy(), m) for m in steps])
        for name in ("lucas_kanade", "planar_lucas_kanade", "template"):
            tracker = PLUGINS["points"][name]()
            tracks, ms = timed(lambda k=tracker, f=frames: k.track(f, queries), length)
            error = np.linalg.norm(tracks.points[-1].numpy() - truth[-1], axis=-1)
            seen = tracks.visible[-1].numpy()
            kept = float(error[seen].mean()) if seen.any() else None
            found[f"{motion}/{name}"] = {"px at the end": kept, "visible at the end": float(seen.mean()), "ms": ms}
    return found


def measure_mattes() -> dict[str, Any]:
    side = 360
    y, x = np.mgrid[:side, :side].astype(np.float32)
    truth = np.clip((130 - np.hypot(x - 180, y - 175)) / 4 + 0.5, 0, 1)
    plate = texture(side, side, 6, 0) * [0.5, 0.6, 0.8]
    colour = 0.4 * texture(side, side, 10, 5) + [110, 60, 20]
    frame = as_frame(truth[..., None] * colour + (1 - truth[..., None]) * plate)
    mask, rim = torch.from_numpy(truth > 0.5), (truth > 0) & (truth < 1)
    found = {"hard mask": {"error %": 100 * float(np.abs((truth > 0.5) - truth)[rim].mean()), "ms": 0.0}}
    for name in ("guided", "known_plate", "closed_form"):
        matte = PLUGINS["matte"][name](erode=5, dilate=5)
        matte.alpha(frame, mask, as_frame(plate))  # compiles
        alpha, ms = timed(lambda m=matte: m.alpha(frame, mask, as_frame(plate)), 1)
        found[name] = {"error %": 100 * float(np.abs(alpha.numpy() - truth)[rim].mean()), "ms": ms}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="a static camera; none: drawn clips")
    parser.add_argument("--davis", type=Path, help="DAVIS, for what walks before it")
    parser.add_argument("--objects", default="dog,libby,blackswan,scooter-black", help="sequences of DAVIS")
    parser.add_argument("--out", type=Path, default=RESULTS / "perception.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    figures = {"detectors": measure_detectors(args), "points": measure_points(), "mattes": measure_mattes()}
    for part, rows in figures.items():
        for name, values in rows.items():
            print(f"{part:10} {name:32} " + "  ".join(f"{k} {v:.3g}" for k, v in values.items() if v is not None))
    write_result(args.out, vars(args), figures)


if __name__ == "__main__":
    main()
