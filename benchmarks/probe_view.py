"""What looking at a window gives beside looking at whole frames, by how small things are: held-back videos, made smaller.

    OMP_NUM_THREADS=1 python benchmarks/probe_view.py --root DATA              # the base in the package
    OMP_NUM_THREADS=1 python benchmarks/probe_view.py --root DATA --scales 1 0.4 --frames 30
    OMP_NUM_THREADS=1 python benchmarks/probe_view.py --root DATA --scales --returning 0.3 0.5

Each frame is reduced to a share of its sides and laid in the middle of a picture of its own size, which stands still; masks
are judged at that size. Printed is the mean J in percent, without the first and the last frame, for both views.

``--returning``: each thing, so reduced, is laid on a still picture at the upper left, for seven frames; for three it is away;
then it is at the lower right, for ten. Printed is J over these ten, and in how many of the three something is found.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

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
STAYS = (7, 3, 10)
"""Frames for which what returns is there, away, and there again."""


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


def returning(footage: Collection, share: float) -> Iterator[tuple[str, list[np.ndarray], list[np.ndarray]]]:
    """Name, frames and masks of each video, whose thing goes and comes back in the other corner."""
    for video, other in zip(footage.videos, [*footage.videos[1:], footage.videos[0]], strict=True):
        height, width = video.read(0)[1].shape
        ground = cv2.resize(other.read(0)[0], (width, height), interpolation=cv2.INTER_AREA)
        pictures, masks = [], []
        for t in range(sum(STAYS)):
            picture, mask = ground.copy(), np.zeros((height, width), bool)
            if not STAYS[0] <= t < sum(STAYS[:2]):
                frame, ids = video.read(t if t < STAYS[0] else t - STAYS[1])
                down, across = round(share * height), round(share * width)
                small = cv2.resize(frame, (across, down), interpolation=cv2.INTER_AREA)
                inside = cv2.resize(ids, (across, down), interpolation=cv2.INTER_NEAREST) > 0
                place = np.s_[:down, :across] if t < STAYS[0] else np.s_[height - down :, width - across :]
                picture[place][inside], mask[place] = small[inside], inside
            pictures.append(picture)
            masks.append(mask)
        yield video.name, pictures, masks


def tracked(tracker: Tracker, frames: Sequence[np.ndarray], first: np.ndarray) -> list[np.ndarray]:
    """``(H, W)`` bool of each frame; the mask of the first is given."""
    said = [Prompt(1, mask=torch.from_numpy(first))]
    found = (tracker.step(torch.from_numpy(f).permute(2, 0, 1), () if t else said) for t, f in enumerate(frames))
    return [one.masks[0].numpy() for one in found]


def jaccard(found: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
    """Mean over frames."""
    return float(np.mean([(a & b).sum() / max((a | b).sum(), 1) for a, b in zip(found, masks, strict=True)]))


def main() -> None:
    """Track, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="footage, as for --data pasted")
    parser.add_argument("--sam2", default="small")
    parser.add_argument("--checkpoint", help="weights of the base; by default those in the package")
    parser.add_argument("--scales", type=float, nargs="*", default=[1.0, 0.7, 0.4], help="shares of the frame's sides")
    parser.add_argument("--returning", type=float, nargs="*", default=[], help="the same, of what goes and comes back")
    parser.add_argument("--frames", type=int, default=40, help="of each video, from the first")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_system("sam2", sam2=options.sam2, sam2_checkpoint=options.checkpoint).model
    footage = Pasted(options.root, held_back=HELD_BACK).footage()[1]
    for share in options.scales:
        found: dict[View, list[float]] = {view: [] for view in VIEWS}
        for name, frames, masks in clips(footage, share, options.frames):
            for view in VIEWS:
                found[view].append(jaccard(tracked(Tracker(model, view=view), frames, masks[0])[1:-1], masks[1:-1]))
            say(f"  {name} at {share:g}: ", {view: f"{100 * values[-1]:.1f}" for view, values in found.items()})
        say(f"at {share:g} of the sides: ", {view: f"{100 * np.mean(values):.1f}" for view, values in found.items()})
    for share in options.returning:
        again: dict[View, list[float]] = {view: [] for view in VIEWS}
        ghosts: dict[View, int] = dict.fromkeys(VIEWS, 0)
        for name, frames, masks in returning(footage, share):
            for view in VIEWS:
                all_found = tracked(Tracker(model, view=view), frames, masks[0])
                again[view].append(jaccard(all_found[-STAYS[2] :], masks[-STAYS[2] :]))
                ghosts[view] += sum(bool(mask.any()) for mask in all_found[STAYS[0] : -STAYS[2]])
            say(f"  {name} returns at {share:g}: ", {view: f"{100 * values[-1]:.1f}" for view, values in again.items()})
        say(f"returning at {share:g}: ", {view: f"{100 * np.mean(values):.1f}" for view, values in again.items()})
        say(f"found where nothing is, of {STAYS[1] * len(again['frame'])} frames: ", ghosts)


def say(what: str, of_views: Mapping[View, object]) -> None:
    """A line, at once."""
    print(what + ", ".join(f"{view} {value}" for view, value in of_views.items()), flush=True)


if __name__ == "__main__":
    main()
