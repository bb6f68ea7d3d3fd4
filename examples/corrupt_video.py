"""Put a video into bad weather: coherent in time, the same on every machine, each frame made when it is asked for.

python examples/corrupt_video.py clip.mp4 foggy.mp4 fog+rain --severity 3
"""

import argparse
from pathlib import Path

from robustvos import corrupt
from robustvos.corruptions import CORRUPTIONS
from robustvos.video.frames import open_frames
from robustvos.video.writer import VideoWriter

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("video", type=Path, help="a video file or a folder of frames")
arguments.add_argument("out", type=Path, help="an .mp4 to write")
arguments.add_argument("corruption", help=f"one of {', '.join(CORRUPTIONS)}; or several: fog+rain")
arguments.add_argument("--severity", type=float, default=3.0, help="above 0 and at most 5")
given = arguments.parse_args()

frames = open_frames(given.video)
corrupted = corrupt(frames, given.corruption, severity=given.severity, name=given.video.stem)
with VideoWriter(given.out, fps=getattr(frames, "fps", 10)) as movie:
    for frame in corrupted:
        movie.add(frame)
print(f"{len(frames)} frames under {given.corruption}, severity {given.severity:g}: {given.out}")
