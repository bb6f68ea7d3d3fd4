"""Follow an object with the graphs of `export --onnx` in onnxruntime, and with PyTorch; say how far the two differ.

python cli.py export --onnx --model sam2 --sam2 small --out onnx
python examples/track_with_onnx.py clip.mp4 120,80,340,300 onnx
"""

import argparse
import time
from pathlib import Path

import torch

from robustvos import load_system
from robustvos.sam2.onnx_files import running_files
from robustvos.types import Prompt
from robustvos.video.frames import open_frames

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("video", type=Path, help="a video file or a folder of frames")
arguments.add_argument("box", help="x0,y0,x1,y1 in pixels of the first frame")
arguments.add_argument("graphs", type=Path, help="what export --onnx wrote")
arguments.add_argument("--model", default="sam2", help="the system that was exported")
arguments.add_argument("--sam2", default="small", help="the base that was exported")
arguments.add_argument("--frames", type=int, default=20)
given = arguments.parse_args()

system = load_system(given.model, sam2=given.sam2)
frames = open_frames(given.video)[: given.frames]
box = Prompt(object_id=1, box=torch.tensor([float(number) for number in given.box.split(",")]))
start = time.process_time()
eager = torch.stack([found.logits for found in system.track(frames, [box])])
middle = time.process_time()
with running_files(system.model, given.graphs):
    files = torch.stack([found.logits for found in system.track(frames, [box])])
each = [1000 * seconds / len(eager) for seconds in (middle - start, time.process_time() - middle)]
iou = ((files > 0) & (eager > 0)).sum() / ((files > 0) | (eager > 0)).sum()
print(f"{len(eager)} frames, {eager.shape[-1]}x{eager.shape[-2]}: masks of the two overlap by {iou:.4f},")
print(f"logits differ by at most {(files - eager).abs().max():.4f} of {eager.abs().max():.1f};")
print(f"CPU ms a frame: PyTorch {each[0]:.0f}, onnxruntime {each[1]:.0f}")
