"""Milliseconds per frame of the eight corruptions, ours and the libraries the public renderer stands on, in turn.

    OMP_NUM_THREADS=1 python benchmarks/bench_corruptions.py

One thread, 854x480 unless told otherwise, CPU time of that thread, so that other work on the machine disturbs little; on a
GPU, wall time. Peers are built once. Ours and the peer take turns on the same clip within every repeat. The peers are
albumentations and imgaug (which need NumPy below 2); where they are not installed the table says so. That of resampling blur
is OpenCV, down and up by the factors that ours draws for the same frames.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from result_file import RESULTS, say_gpu_rows, write_result

from robustvos.corruptions import PRESETS, ROBUSTPVOS8, corrupt_clip
from robustvos.corruptions.base import ClipSpec
from robustvos.corruptions.blur import ResamplingBlur

Peer = Callable[[np.ndarray], np.ndarray]
_SHRUNK = "resampling_blur"


def albumentations_peers() -> dict[str, Peer]:
    """The renderer's photometric corruptions and blurs, by name; empty if albumentations is not installed."""
    try:
        import albumentations
    except ImportError:
        return {}
    transforms: dict[str, Callable] = {
        "color_jitter": lambda: albumentations.ColorJitter(0.85, 0.15, 0.85, 0.3, p=1),
        "gauss_noise": lambda: albumentations.GaussNoise(p=1),
        "iso_noise": lambda: albumentations.ISONoise(color_shift=(0.2, 0.25), intensity=(0.85, 0.9), p=1),
        "motion_blur": lambda: albumentations.MotionBlur(blur_limit=7, p=1),
        "fog": lambda: albumentations.RandomFog(alpha_coef=0.09, p=1),
        "snow": lambda: albumentations.RandomSnow(brightness_coeff=0.92, p=1),
    }

    def transformed(transform: Callable, frame: np.ndarray) -> np.ndarray:
        return transform(image=frame)["image"]

    return {name: partial(transformed, make()) for name, make in transforms.items()}  # built once


def imgaug_peers() -> dict[str, Peer]:
    """The renderer's weather layers, by name; empty if imgaug is not installed or does not load."""
    for name in ("bool", "int", "float", "object", "complex"):  # imgaug 0.4 predates NumPy 1.24
        if name not in np.__dict__:
            setattr(np, name, {"bool": bool, "int": int, "float": float, "object": object, "complex": complex}[name])
    try:
        from imgaug import augmenters
    except (ImportError, AttributeError):
        return {}
    layers: dict[str, Callable] = {
        "fog": lambda: augmenters.Fog(),
        "rain": lambda: augmenters.Rain(drop_size=(0.25, 0.27), speed=(0.08, 0.09), nb_iterations=1),
        "snow": lambda: augmenters.Snowflakes(density=0.1, flake_size=(0.6, 0.8), speed=(0.01, 0.015), angle=0),
    }

    def augmented(augmenter: Any, frame: np.ndarray) -> np.ndarray:
        return augmenter.augment_image(frame)

    return {name: partial(augmented, make()) for name, make in layers.items()}


def resampling_peer(frame: np.ndarray, factor: float = 1.2) -> np.ndarray:
    """OpenCV down and up."""
    height, width = frame.shape[:2]
    return cv2.resize(cv2.resize(frame, (int(width / factor), int(height / factor))), (width, height))


def find_peers() -> dict[str, Peer]:
    """One function per corruption for which everything it needs is installed."""
    first, second = albumentations_peers(), imgaug_peers()
    peers: dict[str, Peer] = {_SHRUNK: resampling_peer}
    peers.update({name: first[name] for name in first if name not in ("fog", "snow")})
    if "rain" in second:
        peers["rain"] = second["rain"]
    if first and second:
        peers["fog"] = lambda frame: first["fog"](second["fog"](frame))
        peers["snow"] = lambda frame: second["snow"](first["snow"](frame))
    return peers


def timed(work: Callable[[], object], device: str) -> float:
    """Milliseconds that ``work`` takes."""
    clock = time.thread_time if device == "cpu" else time.perf_counter
    if device != "cpu":
        torch.cuda.synchronize()
    start = clock()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return 1e3 * (clock() - start)


def measure(name: str, peer: Peer | None, clip: torch.Tensor, preset: str, repeats: int) -> tuple[float, float | None]:
    """Median milliseconds per frame of ours and of the peer, taken in turn after one round to warm up."""
    arrays = [frame.permute(1, 2, 0).contiguous().cpu().numpy() for frame in clip]
    ours: list[float] = []
    theirs: list[float] = []
    for repeat in range(repeats + 1):
        corrupt = partial(corrupt_clip, clip, name, clip_name=f"bench {repeat}", preset=preset)
        ours.append(timed(corrupt, clip.device.type))
        if name == _SHRUNK and peer is not None:
            spec = ClipSpec(f"bench {repeat}", len(clip), tuple(clip.shape[-2:]), preset=preset)
            factors = ResamplingBlur(spec).factor
            theirs.append(timed(lambda f=factors: [resampling_peer(a, x) for a, x in zip(arrays, f)], "cpu"))
        elif peer is not None:
            theirs.append(timed(lambda: [peer(array) for array in arrays], "cpu"))
    per_frame = [statistics.median(times[1:]) / len(clip) if times else None for times in (ours, theirs)]
    return per_frame[0] or 0.0, per_frame[1]


def smooth_clip(frames: int, height: int, width: int) -> torch.Tensor:
    """``(T, 3, H, W)`` uint8: drifting colour gradients under a little texture."""
    y, x = np.mgrid[0:height, 0:width] / height
    planes = [
        [120 + 50 * np.sin(5 * x + 2 * y + 0.1 * t + p) + 8 * np.sin(40 * y) * np.sin(37 * x) for p in (0.0, 0.4, 0.9)]
        for t in range(frames)
    ]
    return torch.from_numpy(np.array(planes).round().astype(np.uint8))


def main() -> None:
    """Print the table, and keep it with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=854)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--preset", choices=PRESETS, default="release")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "corruptions.json", help="JSON file to write")
    options = parser.parse_args()

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clip = smooth_clip(options.frames, options.height, options.width).to(options.device)
    peers = {} if options.no_peers else find_peers()
    missing = sorted(set(ROBUSTPVOS8) - set(peers))
    if missing and not options.no_peers:
        print(f"no peer for {', '.join(missing)}: albumentations 2.0.8 and imgaug 0.4 (NumPy < 2) are not installed")
    print(f"{options.width}x{options.height}, {options.frames} frames, preset {options.preset}, {options.device}")
    print(f"{'corruption':16s} {'ours ms':>8s} {'peer ms':>8s} {'faster':>7s}")
    rows = {name: measure(name, peers.get(name), clip, options.preset, options.repeats) for name in ROBUSTPVOS8}
    complete = all(peer is not None for _, peer in rows.values())
    total = sum(own for own, _ in rows.values()), sum(peer or 0.0 for _, peer in rows.values()) if complete else None
    for name, (own, peer) in {**rows, "sum": total}.items():
        compared = f"{peer:8.2f} {peer / own:6.1f}x" if peer is not None else "       -       -"
        print(f"{name:16s} {own:8.2f} {compared}")
    say_gpu_rows(torch.device(options.device), "each corruption, over 2,000 frames/s")
    write_result(options.out, vars(options), {"ms_per_frame": rows, "without_peer": missing})


if __name__ == "__main__":
    main()
