"""A moving picture, system beside system on a drawn clip: what the README shows first.

python examples/moving_picture.py docs/frozen_and_adapted.webp --clip 2 --severity 2
python examples/moving_picture.py docs/hidden_and_kept.webp --data realvas --clip 3 --condition clean --systems sam2 moga_amodal
"""

import argparse
from dataclasses import replace
from pathlib import Path

from PIL import Image

from datamodules import RealVAS, Shapes
from robustvos import evaluate, load_system, track
from robustvos.drawing.draw import overlay, strip, upscale

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("out", type=Path, help="a .webp or .gif")
arguments.add_argument("--data", choices=["shapes", "realvas"], default="shapes")
arguments.add_argument("--clip", type=int, default=2, help="number of the drawn test clip")
arguments.add_argument("--condition", default="color_jitter")
arguments.add_argument("--severity", type=float, default=3.0)
arguments.add_argument("--systems", nargs="+", default=["sam2", "moga"], help="names in configs/model")
arguments.add_argument("--side", type=int, default=240, help="of a picture, pixels")
given = arguments.parse_args()

data = Shapes() if given.data == "shapes" else RealVAS()
under = {"conditions": (given.condition,), "severity": given.severity, "preset": "release"}
data.test = replace(data.test, limit=given.clip + 1, **under)
data.prepare_data()
video, columns, captions = list(data.test_dataloader())[given.clip], [], []
for name in given.systems:
    system = load_system(name, sam2="nano")
    metric, score = next(iter(evaluate(system, [video], facts=data.facts).overall.items()))
    captions.append(f"{name}: {metric} {100 * score.mean:.1f}")
    found = track(video.frames, video.prompts, system)
    columns.append([upscale(overlay(video.frames[t.index], t.masks, t.object_ids), given.side) for t in found])
rows = [Image.fromarray(strip(row, captions).permute(1, 2, 0).numpy()) for row in zip(*columns)]
rows[0].save(given.out, save_all=True, append_images=rows[1:], duration=250, loop=0, quality=60, method=6)
print(f"{video.name}, {given.condition}: {', '.join(captions)}\n{given.out}: {given.out.stat().st_size / 1024:.0f} KiB")
