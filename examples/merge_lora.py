"""Fold a trained LoRA into the base: a plain SAM 2 that needs none of the adapter's code; save it, and load it again.

python examples/train_adapter.py out/lora
python examples/merge_lora.py out/lora out/merged
"""

import argparse
from pathlib import Path

import torch

from robustvos import load_system
from robustvos.types import Prompt

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("system", help="a saved system or a run, whose adapter has no gates: LoRA, LayerNormTuning")
arguments.add_argument("out", type=Path)
given = arguments.parse_args()

system = load_system(given.system)
size = system.sam2.image_size or 128
frames = torch.full((4, 3, size, size), 40, dtype=torch.uint8)
frames[:, 0, size // 4 : size // 2, size // 4 : size // 2] = 220
prompt = Prompt(1, box=torch.tensor([size / 4, size / 4, size / 2, size / 2]))

beside = torch.stack([found.logits for found in system.track(frames, [prompt])])
system.merge().save_pretrained(given.out)  # in half precision
inside = torch.stack([found.logits for found in load_system(given.out).track(frames, [prompt])])
print(f"logits differ by at most {(inside - beside).abs().max():.3f} of {beside.abs().max():.1f}")
print(f"merged: {given.out}; use it: load_system('{given.out}')")
