"""Train an adapter on corrupted clips with Lightning, and save the system so that `load_system` reads it.

python examples/train_adapter.py out/lora --adapter LoRA --steps 300

The same with checkpoints, validation, curves and exact resumption: python cli.py fit --config configs/moga.yaml
"""

import argparse
from pathlib import Path

import lightning as L

from datamodules import Shapes
from lightning_modules import PromptableVOS
from lightning_modules.optimisation import Optimisation
from lightning_modules.recipe import Recipe
from robustvos import adapters
from robustvos.datasets.corruption import Corruption
from robustvos.datasets.shapes import TrainClips
from robustvos.sam2.config import Sam2Config

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("out", type=Path, help="a folder for the trained system")
arguments.add_argument("--adapter", default="LoRA", choices=["LoRA", "MoGA", "GaRA", "LayerNormTuning"])
arguments.add_argument("--steps", type=int, default=300)
arguments.add_argument("--size", type=int, default=128, help="side of the frames, a multiple of 32")
given = arguments.parse_args()

L.seed_everything(0)
recipe = Recipe(optimisation=Optimisation(learning_rate=0.01, layer_norm_factor=0.05, final_fraction=0.0))
adapter = getattr(adapters, given.adapter)()
module = PromptableVOS(Sam2Config("nano", image_size=given.size), adapter, recipe)
data = Shapes(given.size, train=TrainClips(frames=4, frames_per_batch=8, corruption=Corruption()))
limits = {"max_steps": given.steps, "limit_val_batches": 0, "gradient_clip_val": 0.1}
L.Trainer(**limits, logger=False, enable_checkpointing=False).fit(module, data)
print(f"trained: {module.system.save_pretrained(given.out)}; use it: load_system('{given.out}')")
