"""Follow several objects, each from a click on the frame where it comes into view, also while others are tracked.

python examples/track_objects_that_come_later.py clip.mp4 out --click 0,60,40 --click 5,100,80
"""

import argparse
from pathlib import Path

import torch

from robustvos import load_system
from robustvos.types import Prompt
from robustvos.video.frames import open_frames
from robustvos.video.masks import write_indexed_mask

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("video", type=Path, help="a video file or a folder of frames")
arguments.add_argument("out", type=Path)
arguments.add_argument("--click", action="append", required=True, help="frame,x,y; one for each object")
arguments.add_argument("--sam2", default="small", help="small for real video, nano for drawn clips, or another base")
given = arguments.parse_args()

prompts = []
for object_id, click in enumerate(given.click, start=1):
    frame, x, y = (int(number) for number in click.split(","))
    # Further points, a box or a mask of the same object on a later frame would correct it there.
    prompts.append(Prompt(object_id, points=torch.tensor([[x, y]]).float(), labels=torch.tensor([1]), frame=frame))

frames = open_frames(given.video)
for found in load_system("sam2", sam2=given.sam2).track(frames, prompts):
    name = frames.frame_names[found.index]
    if found.object_ids:  # none before the first click
        write_indexed_mask(found.masks, found.object_ids, given.out / f"{name}.png")
    seen = [i for i, presence in zip(found.object_ids, found.presence) if presence > 0]
    print(f"frame {name}: tracked {list(found.object_ids)}, seen {seen}")
print(f"indexed masks, the value is the object's number: {given.out}")
