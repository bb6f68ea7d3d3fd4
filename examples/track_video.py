"""Follow one object through a video, from a box on its first frame; write its masks and an overlay.

python examples/track_video.py clip.mp4 120,80,340,300 out
"""

import argparse
from pathlib import Path

import torch

from robustvos import load_system, track
from robustvos.drawing.draw import overlay
from robustvos.types import Prompt
from robustvos.video.frames import open_frames
from robustvos.video.masks import write_indexed_mask
from robustvos.video.writer import VideoWriter

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("video", type=Path, help="a video file or a folder of frames")
arguments.add_argument("box", help="x0,y0,x1,y1 in pixels of the first frame")
arguments.add_argument("out", type=Path)
arguments.add_argument(
    "--model", default="sam2", help="a name in configs/model, a run, a saved folder, hf://owner/name"
)
arguments.add_argument("--sam2", help="its base; small, which has seen real video, if nothing is said")
given = arguments.parse_args()

frames = open_frames(given.video)
system = load_system(given.model, sam2=given.sam2 or ("small" if given.model == "sam2" else None))
box = Prompt(object_id=1, box=torch.tensor([float(number) for number in given.box.split(",")]))
with VideoWriter(given.out / "overlay.mp4", fps=10) as movie:
    # One frame in, its masks out: a video of any length needs no more memory than a short one.
    for frame, found in zip(frames, track(frames, [box], system)):
        name = frames.frame_names[found.index]
        write_indexed_mask(found.masks, found.object_ids, given.out / "masks" / f"{name}.png")
        movie.add(overlay(frame, found.masks, found.object_ids))
print(f"masks of {len(frames)} frames: {given.out / 'masks'}; to look at: {given.out / 'overlay.mp4'}")
