"""Training clips per second of one core: corrupted as they are read, and read from a copy that was corrupted before.

    OMP_NUM_THREADS=1 python benchmarks/bench_loader.py --root data/DAVIS

Both are what ``fit`` would load: CorruptedVOS with the eight corruptions, and CorruptedVOS with ``rendered`` on what
``cli.py corrupt`` makes of the same videos. They take turns, epoch by epoch, in one process without workers, by CPU time,
so that other work on the machine disturbs little and the disk, whose cache is warm, counts for nothing: on a slow disk
the copy, eight times the data, is worse off than here. Without ``--root`` a few small videos are drawn.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from result_file import RESULTS, write_result

from datamodules.corrupted_vos import CorruptedVOS
from robustvos.commands.corrupt import corrupt
from robustvos.corruptions import PRESETS
from robustvos.datasets.corruption import Corruption
from robustvos.datasets.vos.clips import TrainingClips
from robustvos.video.masks import write_indexed_mask


def draw_dataset(root: Path, videos: int, frames: int, size: tuple[int, int]) -> None:
    """Videos of two ellipses that move over a texture, in DAVIS layout."""
    height, width = size
    rng = np.random.default_rng(0)
    for number in range(videos):
        small = rng.integers(0, 256, (height // 12, width // 12, 3), dtype=np.uint8)
        texture = np.asarray(Image.fromarray(small).resize((width + 4 * frames, height), Image.Resampling.BICUBIC))
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / f"video {number}").mkdir(parents=True)
        for t in range(frames):
            ids = np.zeros(size, dtype=np.uint8)
            for object_id, share in ((1, 0.3), (2, 0.65)):
                centre = int(width * share) + 2 * t, int(height * share)
                cv2.ellipse(ids, centre, (width // 10, height // 6), 5.0 * t, 0, 360, object_id, -1)
            frame = np.where(ids[..., None] > 0, 255 - texture[:, :width], texture[:, 4 * t : 4 * t + width])
            name = f"video {number}/{t:05d}"
            Image.fromarray(frame.astype(np.uint8)).save(root / "JPEGImages" / f"{name}.jpg", quality=95)
            write_indexed_mask(
                torch.stack([torch.from_numpy(ids == i) for i in (1, 2)]), (1, 2), root / "Annotations" / f"{name}.png"
            )


def epoch_seconds(data: CorruptedVOS, epoch: int) -> tuple[float, int]:
    """CPU seconds and number of clips of one epoch."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    start, clips = time.process_time(), 0
    for batch in loader:
        clips += len(batch.names)
    return time.process_time() - start, clips


def size_mib(root: Path) -> float:
    """Of all pictures beneath a folder."""
    return sum(path.stat().st_size for path in root.rglob("*.jpg")) / 2**20


def render(root: Path, copies: Path, preset: str) -> float:
    """Make the copy; CPU seconds that takes."""
    start = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        corrupt(root, copies, preset=preset)
    return time.process_time() - start


def measure(root: Path, copies: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Median clips per second of both ways, which take turns, after one epoch to warm up."""
    corruption = Corruption(names=("robustpvos8",), preset=options.preset)
    train = TrainingClips(
        frames=options.clip,
        frames_per_batch=options.clip,
        batches=options.batches,
        size=options.size,
        corruption=corruption,
    )
    ways = {
        "on the fly": CorruptedVOS(root=root, train=train),
        "rendered copy": CorruptedVOS(root=copies, train=train, rendered=True),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for epoch in range(options.repeats + 1):
        for name, data in ways.items():
            seconds, clips = epoch_seconds(data, epoch)
            rates[name].append(clips / seconds)
    return {name: statistics.median(found[1:]) for name, found in rates.items()}


def main() -> None:
    """Measure, print, and keep the figures with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--root", type=Path, help="a folder in DAVIS layout; a copy of it is made in a temporary folder"
    )
    parser.add_argument("--videos", type=int, default=3, help="drawn without --root")
    parser.add_argument("--frames", type=int, default=12, help="of a drawn video")
    parser.add_argument("--clip", type=int, default=4, help="frames of a training clip")
    parser.add_argument("--size", type=int, default=512, help="side of a training clip")
    parser.add_argument("--batches", type=int, default=24, help="clips in an epoch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--preset", choices=PRESETS, default="intended")
    parser.add_argument("--out", type=Path, default=RESULTS / "loader.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        root, copies = options.root or Path(temporary, "drawn"), Path(temporary, "copies")
        if options.root is None:
            draw_dataset(root, options.videos, options.frames, (480, 854))
        rendering = render(root, copies, options.preset)
        rates = measure(root, copies, options)
        sizes = {"on the fly": size_mib(root / "JPEGImages"), "rendered copy": size_mib(copies)}
    print(f"clips of {options.clip} frames at {options.size} px, preset {options.preset}, one core, CPU time")
    print(f"{'':16}{'clips/s':>9}{'MiB on disk':>13}")
    for name, rate in rates.items():
        print(f"{name:16}{rate:9.2f}{sizes[name]:13.1f}")
    ratio = rates["on the fly"] / rates["rendered copy"]
    print(f"on the fly is {ratio:.2f} times as fast, and needs no {rendering:.0f} s to make a copy")
    figures = {"clips_per_second": rates, "ratio": ratio, "mib": sizes, "rendering_s": rendering}
    write_result(options.out, vars(options), figures)


if __name__ == "__main__":
    main()
