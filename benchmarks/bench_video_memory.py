"""Memory that a long video takes beside a short one: a slow reader, ``track``, ``corrupt`` and ``test`` at 720p.

    OMP_NUM_THREADS=1 python benchmarks/bench_video_memory.py

The videos are encoded here (H.264 with frames that depend on later ones, a panning texture); each command runs as a person runs
it, in a process of its own, and what counts is the most memory that process has held (``ru_maxrss`` of the child). ``test``
reads folders of frames: it gets those of the same video as JPEG files. Constant memory is a ratio of 1; the goal is 1.05.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from PIL import Image
from result_file import RESULTS, write_result

from robustvos.video.masks import write_indexed_mask

ROOT = Path(__file__).parents[1]
HEIGHT, WIDTH, PERIOD = 720, 1280, 128
GOAL = 1.05
COMMANDS = ("read", "track", "corrupt", "test")
_SLOW_READER = (
    "import sys, time\n"
    "from robustvos.video.frames import open_frames\n"
    "for frame in open_frames(sys.argv[1]):\n"
    "    time.sleep(float(sys.argv[2]))\n"
)


@functools.cache
def texture() -> np.ndarray:
    """Wider than a frame, ``(H, W + PERIOD, 3)`` uint8."""
    small = np.random.default_rng(0).integers(0, 256, (60, 120, 3), dtype=np.uint8)
    return cv2.resize(small, (WIDTH + PERIOD, HEIGHT), interpolation=cv2.INTER_CUBIC)


def make_frame(index: int) -> np.ndarray:
    """The texture, panning under a disc: ``(H, W, 3)`` uint8."""
    frame = texture()[:, index % PERIOD : index % PERIOD + WIDTH].copy()
    return cv2.circle(frame, disc_centre(index), 90, (200, 40, 40), -1)


def disc_centre(index: int) -> tuple[int, int]:
    """Where the disc is, ``(x, y)``."""
    return 300 + index % 600, 360


def write_video(path: Path, length: int) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", "bf": "3"}
        for index in range(length):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(make_frame(index), format="rgb24")))
        container.mux(stream.encode(None))


def write_dataset(root: Path, length: int) -> None:
    """The same frames in DAVIS layout, the first and the last one annotated."""
    frames, masks = root / "JPEGImages" / "disc", root / "Annotations" / "disc"
    frames.mkdir(parents=True)
    for index in range(length):
        Image.fromarray(make_frame(index)).save(frames / f"{index:05d}.jpg", quality=90)
    for index in (0, length - 1):
        disc = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), disc_centre(index), 90, 1, -1)
        write_indexed_mask(torch.from_numpy(disc == 1)[None], (1,), masks / f"{index:05d}.png")


def command_line(command: str, folder: Path, length: int, pause: float) -> list[str]:
    """What is run on the video, or the dataset, of that length; ``test`` makes its dataset first."""
    video, out = str(folder / f"{length}.mp4"), str(folder / f"{command}{length}")
    (x, y), cli = disc_centre(0), [sys.executable, str(ROOT / "cli.py"), command]
    if command == "read":
        return [sys.executable, "-c", _SLOW_READER, video, str(pause)]
    if command == "track":
        return [*cli, video, "--model", "sam2", "--box", f"{x - 90},{y - 90},{x + 90},{y + 90}", "--out", out]
    if command == "corrupt":
        return [*cli, video, out, "--corruption", "fog"]
    write_dataset(folder / f"data{length}", length)
    data = ["--data", "davis", "--data.root", str(folder / f"data{length}"), "--data.test.conditions", "[clean]"]
    return [*cli, "--model", "sam2", *data, "--run", f"{command}{length}"]  # below runs/ of the folder it runs in


def peak_mib(arguments: Sequence[str], folder: Path) -> float:
    """The most memory that the process has held at once, in MiB.

    Raises:
        RuntimeError: If it fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)  # Unix only, as is this measurement
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{log.read()[-2000:]}")
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Measure, print a table and keep the figures with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs=2, default=(100, 1000), help="frames of the two videos")
    parser.add_argument("--commands", nargs="+", default=COMMANDS, choices=COMMANDS)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds that the slow reader spends on a frame")
    parser.add_argument("--out", type=Path, default=RESULTS / "video_memory.json")
    arguments = parser.parse_args()
    short, long = arguments.lengths
    rows = []
    print(f"peak MiB, {WIDTH}x{HEIGHT}\n{'':8}{short:>10}{long:>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for length in (short, long):
            write_video(folder / f"{length}.mp4", length)
        for command in arguments.commands:
            peaks = [
                peak_mib(command_line(command, folder, length, arguments.pause), folder) for length in (short, long)
            ]
            ratio = peaks[1] / peaks[0]
            print(
                f"{command:8}{peaks[0]:10.0f}{peaks[1]:10.0f}{ratio:8.3f}{'' if ratio <= GOAL else '  above 1.05'}",
                flush=True,
            )
            rows.append({"command": command, "short": peaks[0], "long": peaks[1], "ratio": ratio})
    write_result(arguments.out, vars(arguments), {"peak_mib": rows})


if __name__ == "__main__":
    main()
