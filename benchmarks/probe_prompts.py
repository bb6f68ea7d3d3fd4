"""How well a base understands a box or one click on a picture: on footage that is held back, and on things it cannot know.

    OMP_NUM_THREADS=1 python benchmarks/probe_prompts.py --root DATA                           # the base in the package
    OMP_NUM_THREADS=1 python benchmarks/probe_prompts.py --root DATA --checkpoint FILE

Pictures are every 15th frame of the held-back videos, the held-back stills, and such stills with two made-up things laid on
(``robustvos/datasets/pasted/things.py``), which are asked about alone. A box is that of the true mask, a click its innermost
pixel; two objects a picture at most. Printed is the mean intersection over union in percent.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from held_back import HELD_BACK

from datamodules.pasted import Pasted
from robustvos.datasets.pasted import Collection, MixedClips, Recipe
from robustvos.sam2.tracker import Tracker
from robustvos.systems.loading import load_system
from robustvos.types import Prompt

EVERY = 15  # frames
SMALLEST = 0.006  # part of the picture
SIDE = 320
FIRST = 2_000_000_000  # number of the first clip, as of the test clips of `--data pasted`, whose recipe is another


def pictures(footage: Collection, made_up: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What it is of, ``(H, W, 3)`` uint8 and ``(H, W)`` ids of the objects that are asked about."""
    for video in footage.videos:
        for index in range(0, len(video.frame_paths), EVERY):
            yield "video frames", *video.read(index)
    for still in footage.stills:
        yield "stills", *still.read(0)
    recipe = Recipe(weights={"cutouts": 1.0}, made_up=1.0, pasted=(0.0, 0.0, 1.0), max_objects=3)
    clips = MixedClips(footage, recipe, 1, SIDE, FIRST, made_up, 0)
    for index in range(made_up):
        made = clips.make(index)
        labels = made.layers.labels[0]
        ids = np.where(labels >= len(made.layers.depth) - 2, labels, 0)  # the topmost two
        yield "made-up things", made.clip.frames[0].permute(1, 2, 0).numpy(), ids


def prompts_of(mask: np.ndarray) -> dict[str, Prompt]:
    """The box of a mask, and a click on its innermost pixel."""
    y, x = np.nonzero(mask)
    box = torch.tensor([x.min(), y.min(), x.max() + 1, y.max() + 1], dtype=torch.float32)
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    click = torch.tensor([[column, row]], dtype=torch.float32)
    return {"box": Prompt(1, box=box), "click": Prompt(1, points=click, labels=torch.tensor([1]))}


def main() -> None:
    """Ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="footage, as for --data pasted")
    parser.add_argument("--sam2", default="small")
    parser.add_argument("--checkpoint", help="weights of the base; by default those in the package")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings, e.g. sam2.image_size=320")
    parser.add_argument("--made_up", type=int, default=40, help="pictures with made-up things")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = {name: value for name, _, value in (text.partition("=") for text in options.set)}
    model = load_system("sam2", sam2=options.sam2, sam2_checkpoint=options.checkpoint, settings=settings).model
    footage = Pasted(options.root, held_back=HELD_BACK).footage()[1]
    found: dict[tuple[str, str], list[float]] = {}
    with torch.inference_mode():
        for kind, picture, ids in pictures(footage, options.made_up):
            frame = torch.from_numpy(picture).permute(2, 0, 1)
            for thing in [n for n in np.unique(ids[ids > 0]) if (ids == n).mean() > SMALLEST][:2]:
                mask = ids == thing
                for name, prompt in prompts_of(mask).items():
                    answer = Tracker(model, num_frames=1).step(frame, (prompt,)).masks_of((1,), mask.shape)
                    given = np.asarray(answer)[0]
                    found.setdefault((kind, name), []).append((given & mask).sum() / (given | mask).sum())
    for (kind, name), scores in found.items():
        print(f"{kind}, {name}: {100 * np.mean(scores):.1f} ({len(scores)} objects)")


if __name__ == "__main__":
    main()
