"""Who is in front, by contact with the ground, against the drawing order of rendered occlusion plays.

    python benchmarks/bench_order.py [--clips 40] [--seed 100]

Every pair of things that overlap in at least three frames. Reported: share of pairs decided, and of those the share that is
right.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from result_file import RESULTS, write_result

from robustvos.realvas.filter import FilterSettings
from robustvos.realvas.ground import standing_of
from robustvos.realvas.order import contact_order
from robustvos.realvas.placed import Pairing, place
from robustvos.realvas.tracks import Track, touches_border
from robustvos.scenes.occlusion import occlusion_play
from robustvos.scenes.stage import StageSpec
from robustvos.seeding import numpy_rng

SIZE, LENGTH = (270, 480), 48


def track_of(masks: np.ndarray) -> Track | None:
    """An object's whole masks as a track; None if it is hardly in the frame."""
    frames = np.flatnonzero(masks.sum((1, 2)) > 100)
    if len(frames) < 5:
        return None
    kept = masks[frames]
    return Track(frames, kept, kept, np.zeros(len(kept), bool), np.array([touches_border(mask) for mask in kept]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULTS / "order.json")
    options = parser.parse_args()
    limits, plate = FilterSettings(), np.full((*SIZE, 3), 128, np.uint8)
    right = wrong = undecided = 0
    for seed in range(options.seed, options.seed + options.clips):
        play = occlusion_play(StageSpec(SIZE, LENGTH), numpy_rng("bench-order", seed))
        still = np.zeros(2, np.float32)
        whole = [np.stack([a.coverage(t, still, SIZE) > 127 for t in range(LENGTH)]) for a in play.actors]
        tracks = [track_of(masks) for masks in whole]  # from far to near
        placed = [
            t and place(str(k), "s", "any", t, standing_of(t, plate), 1, LENGTH - 1) for k, t in enumerate(tracks)
        ]
        for first, second in itertools.combinations(range(len(placed)), 2):
            a, b = placed[first], placed[second]
            if a is None or b is None or (Pairing.of(a, b, 0).hidden > 20).sum() < 3:
                continue
            order = contact_order(Pairing.of(a, b, 0), limits.dead_zone, limits.agreement, SIZE[0])
            front = {"first": first, "second": second, None: None}[order.front]
            right += front == second
            wrong += front == first
            undecided += front is None
    pairs = right + wrong + undecided
    decided = (right + wrong) / pairs
    print(f"{pairs} pairs: {decided:.0%} decided, of these {right / max(1, right + wrong):.0%} right")
    write_result(options.out, vars(options), {"pairs": pairs, "right": right, "wrong": wrong, "undecided": undecided})


if __name__ == "__main__":
    main()
