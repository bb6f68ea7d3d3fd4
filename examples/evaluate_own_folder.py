"""J and F of a system on a folder of one's own, clean and under corruptions; a row for `report`.

python examples/evaluate_own_folder.py mine out --model moga

The folder is laid out as DAVIS is: JPEGImages/<video>/00000.jpg, Annotations/<video>/00000.png (docs/own_data.md).
"""

import argparse
from pathlib import Path

from datamodules import CorruptedVOS
from robustvos import evaluate
from robustvos.datasets.vos.videos import FolderEvaluation

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("root", type=Path)
arguments.add_argument("out", type=Path)
arguments.add_argument(
    "--model", default="moga", help="a name in configs/model, a run, a saved folder, hf://owner/name"
)
arguments.add_argument("--conditions", nargs="+", default=["clean", "fog", "rain"])
given = arguments.parse_args()

data = CorruptedVOS(root=given.root, test=FolderEvaluation(conditions=tuple(given.conditions)))
data.setup("test")
run = evaluate(given.model, data.test_dataloader(), facts=data.facts, dataset=data.name)
for condition, means in run.by["corruption"].items():
    print(f"{condition:<16}", "  ".join(f"{metric} {100 * mean.mean:.1f}" for metric, mean in means.items()))
print(f"every object's scores: {run.write(given.out)}; a page of it: python cli.py report {given.out} --out report")
