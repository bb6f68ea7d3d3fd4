"""How well is the whole object known while something hides it, in clear weather and in fog?

python examples/amodal_in_fog.py out --root Real-VAS    without --root: the embedded sample of drawn clips
"""

import argparse
from pathlib import Path

from datamodules import RealVAS
from robustvos import evaluate, load_system
from robustvos.datasets.evaluation import Evaluation

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("out", type=Path)
arguments.add_argument("--root", type=Path, help="clips in Real-VAS's form; TABE-51 has it too")
arguments.add_argument(
    "--model", default="sam2", help="a name in configs/model, a run, a saved folder, hf://owner/name"
)
arguments.add_argument("--weather", default="fog", help="a corruption, or several together: fog+rain")
arguments.add_argument("--limit", type=int, help="the first so many clips alone")
given = arguments.parse_args()

data = RealVAS(given.root, test=Evaluation(conditions=("clean", given.weather), limit=given.limit))
data.prepare_data()
run = evaluate(load_system(given.model), data.test_dataloader(), facts=data.facts, dataset=data.name)
for condition, means in run.by["corruption"].items():
    print(condition)
    for metric, mean in means.items():
        print(f"  {metric:<28} {100 * mean.mean:5.1f}" if mean.known else f"  {metric:<28} no frame counts")
print(f"every clip's scores: {run.write(given.out)}")
