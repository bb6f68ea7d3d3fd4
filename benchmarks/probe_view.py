"""What looking at a window gives beside looking at whole frames, by how small things are: held-back videos, made smaller.

    OMP_NUM_THREADS=1 python benchmarks/probe_view.py --root DATA              # the base in the package
    OMP_NUM_THREADS=1 python benchmarks/probe_view.py --root DATA --scales 1 0.4 --frames 30

Each frame is reduced to a share of its sides and laid in the middle of a picture of its own size, which stands still; masks
are judged at that size. Printed is the mean J in percent, without the first and the last frame, for both views.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from held_back import HELD_BACK

from datamodules.pasted import Pasted
from robustvos.datasets.pasted import Collection
from robustvos.sam2.tracker import Tracker
from robustvos.sam2.views import View
from robustvos.systems.loading import load_system
from robustvos.types import Prompt

VIEWS: tuple[View, ...] = ("frame", "objects")


def reduced(picture: np.ndarray, ground: np.ndarray, share: float) -> np.ndarray:
    """``picture`` made smaller, in the middle of ``ground``; both ``(H, W)`` ids or ``(H, W, 3)`` uint8."""
    if share == 1:
        return picture
    (height, width), whole = (round(share * side) for side in picture.shape[:2]), ground.copy()
    way = cv2.INTER_AREA if picture.ndim == 3 else cv2.INTER_NEAREST
    top, left = (ground.shape[0] - height) // 2, (ground.shape[1] - width) // 2
    whole[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=way)
    return whole


def clips(footage: Collection, share: float, frames: int) -> Iterator[tuple[str, list[np.ndarray], list[np.ndarray]]]:
    """Name, frames and masks of each video; behind it is the first frame of the next one."""
    for video, other in zip(footage.videos, [*footage.videos[1:], footage.videos[0]], strict=True):
        seen = [video.read(t) for t in range(min(frames, len(video.frame_paths)))]
        height, width = seen[0][1].shape
        ground = cv2.resize(other.read(0)[0], (width, height), interpolation=cv2.INTER_AREA)
        nothing = np.zeros((height, width), seen[0][1].dtype)
        pictures = [reduced(picture, ground, share) for picture, _ in seen]
        yield video.name, pictures, [reduced(ids, nothing, share) > 0 for _, ids in seen]


def jaccard(tracker: Tracker, frames: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
    """Mean over the frames between the first, whose mask is given, and the last."""
    scores = []
    for t, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        said = [Prompt(1, mask=torch.from_numpy(mask))] if t == 0 else []
        found = tracker.step(torch.from_numpy(frame).permute(2, 0, 1), said).masks[0].numpy()
        if 0 < t < len(frames) - 1:
            scores.append((found & mask).sum() / max((found | mask).sum(), 1))
    return float(np.mean(scores))


def main() -> None:
    """Track, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="footage, as for --data pasted")
    parser.add_argument("--sam2", default="small")
    parser.add_argument("--checkpoint", help="weights of the base; by default those in the package")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 0.7, 0.4], help="shares of the frame's sides")
    parser.add_argument("--frames", type=int, default=40, help="of each video, from the first")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_system("sam2", sam2=options.sam2, sam2_checkpoint=options.checkpoint).model
    footage = Pasted(options.root, held_back=HELD_BACK).footage()[1]
    for share in options.scales:
        found: dict[View, list[float]] = {view: [] for view in VIEWS}
        for name, frames, masks in clips(footage, share, options.frames):
            for view in VIEWS:
                found[view].append(jaccard(Tracker(model, view=view), frames, masks))
            print(
                f"  {name} at {share:g}: " + ", ".join(f"{view} {100 * found[view][-1]:.1f}" for view in VIEWS),
                flush=True,
            )
        means = ", ".join(f"{view} {100 * np.mean(found[view]):.1f}" for view in VIEWS)
        print(f"at {share:g} of the sides: {means} ({len(found['frame'])} videos)", flush=True)


if __name__ == "__main__":
    main()
