"""J and F per 480p frame and object: ours, the same over full frames, and the toolkit of DAVIS 2017, in turn.

    OMP_NUM_THREADS=1 python benchmarks/bench_metrics.py

CPU time of one thread, so that other work on the machine disturbs little. Masks are moving ellipses; with the
environment variable ROBUSTVOS_REALDATA set to a folder that holds ``davis/Annotations/480p``, those of real clips.
Besides single masks a whole folder of PNGs is scored, reading included, beside vos-benchmark. It and the toolkit
(``davis2017``) are measured where they are installed; where not, the table says so.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from result_file import RESULTS, write_result

from robustvos.evaluation.protocol import DatasetFacts, protocol_for
from robustvos.evaluation.score_folders import score_folders
from robustvos.metrics.functional import contour_accuracy, region_similarity
from robustvos.video.masks import masks_from_ids, read_indexed_mask, write_indexed_mask

HEIGHT, WIDTH = 480, 854
DAVIS = protocol_for("davis", DatasetFacts(skip_first_last=False))
Score = Callable[[np.ndarray, np.ndarray], float]


def synthetic_truth(frames: int) -> list[np.ndarray]:
    """Ids of three ellipses that move; the first fills an eighth of the frame."""
    maps = []
    for t in range(frames):
        ids = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        for object_id, (x, y, rx, ry) in enumerate(((280, 230, 150, 110), (560, 150, 60, 90), (700, 380, 35, 30)), 1):
            cv2.ellipse(ids, (x + 2 * t, y + t), (rx, ry), 10.0 + t, 0, 360, object_id, -1)
        maps.append(ids)
    return maps


def real_truth(root: Path, frames: int) -> list[np.ndarray]:
    """Ids of frames spread over the real clips."""
    paths = sorted((root / "davis" / "Annotations" / "480p").rglob("*.png"))
    return [read_indexed_mask(path) for path in paths[:: max(1, len(paths) // frames)]][:frames]


def disturbed(ids: np.ndarray) -> np.ndarray:
    """A prediction: every mask shifted by a few pixels and cut at one side."""
    moved = np.roll(ids, (3, -5), axis=(0, 1))
    moved[:, : WIDTH // 4 : 7] = 0
    return moved


def plain_j(prediction: np.ndarray, target: np.ndarray) -> float:
    """J over the full frame."""
    union = np.sum(prediction | target)
    return float(np.sum(prediction & target) / union) if union else 1.0


def plain_contour(mask: np.ndarray) -> np.ndarray:
    """Pixels that differ from their right, lower or lower right neighbour; the frame's edge repeats."""
    edged = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask ^ edged[:-1, 1:]) | (mask ^ edged[1:, :-1]) | (mask ^ edged[1:, 1:])


def plain_f(prediction: np.ndarray, target: np.ndarray) -> float:
    """F with a disk dilation of the full frame."""
    radius = math.ceil(0.008 * math.hypot(*target.shape))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    ours, theirs = plain_contour(prediction), plain_contour(target)
    length, true_length = np.sum(ours), np.sum(theirs)
    if not length or not true_length:
        return float(length == true_length)
    near_ours, near_theirs = (cv2.dilate(contour.astype(np.uint8), disk) for contour in (ours, theirs))
    precision, recall = np.sum(ours * near_theirs) / length, np.sum(theirs * near_ours) / true_length
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def our_j(prediction: np.ndarray, target: np.ndarray) -> float:
    return float(region_similarity(torch.from_numpy(prediction), torch.from_numpy(target)))


def our_f(prediction: np.ndarray, target: np.ndarray) -> float:
    return float(contour_accuracy(torch.from_numpy(prediction), torch.from_numpy(target)))


def find_rivals() -> dict[str, tuple[Score, Score]]:
    """J and F of each implementation by name, ours first."""
    rivals: dict[str, tuple[Score, Score]] = {"robustvos": (our_j, our_f), "full frame": (plain_j, plain_f)}
    try:
        from davis2017.metrics import db_eval_boundary, db_eval_iou
    except ImportError:
        return rivals
    rivals["davis2017"] = (lambda p, t: db_eval_iou(t, p), lambda p, t: db_eval_boundary(t, p))
    return rivals


def measure(pairs: list[tuple[np.ndarray, np.ndarray]], repeats: int) -> dict[str, dict[str, float]]:
    """Median CPU milliseconds per mask pair for J and F of each rival, which take turns."""
    rivals = find_rivals()
    times: dict[str, dict[str, list[float]]] = {name: {"J": [], "F": []} for name in rivals}
    values: dict[str, list[float]] = {}
    for repeat in range(repeats + 1):
        for name, functions in rivals.items():
            for metric, function in zip(("J", "F"), functions, strict=True):
                start = time.process_time()
                found = [float(function(*pair)) for pair in pairs]
                spent = (time.process_time() - start) * 1000 / len(pairs)
                if repeat:  # The first round warms up.
                    times[name][metric].append(spent)
                expected = values.setdefault(metric, found)
                if not np.allclose(found, expected, atol=1e-6):
                    raise SystemExit(f"{name} disagrees on {metric}: {np.abs(np.subtract(found, expected)).max()}")
    return {name: {m: statistics.median(spent) for m, spent in metrics.items()} for name, metrics in times.items()}


def plain_folder(pred: Path, gt: Path) -> float:
    """Mean J&F of all frames of a folder of sequences, full frames, one object after the other."""
    scores = []
    for path in sorted(gt.rglob("*.png")):
        true, predicted = np.array(Image.open(path)), np.array(Image.open(pred / path.relative_to(gt)))
        for object_id in np.unique(true)[1:]:
            masks = predicted == object_id, true == object_id
            scores.append((plain_j(*masks) + plain_f(*masks)) / 2)
    return float(np.mean(scores))


def measure_folder(maps: list[np.ndarray], repeats: int) -> dict[str, float]:
    """Median milliseconds per frame and object, PNGs read: CPU for one worker, and wall time for two."""
    with tempfile.TemporaryDirectory() as temporary:
        gt, pred = Path(temporary, "gt"), Path(temporary, "pred")
        half = len(maps) // 2
        for index, ids in enumerate(maps):
            file = Path("first" if index < half else "second", f"{index:05d}.png")
            for root, found in ((gt, ids), (pred, disturbed(ids))):
                seen = np.unique(ids)[1:].tolist()
                write_indexed_mask(masks_from_ids(found, seen), seen, root / file)
        objects = sum(len(np.unique(ids)) - 1 for ids in maps)
        ways: dict[str, tuple[Callable[[], float], Callable[[], object]]] = {
            "robustvos": (time.process_time, lambda: score_folders(pred, gt, DAVIS, progress=False)),
            "full frame": (time.process_time, lambda: plain_folder(pred, gt)),
            "robustvos, wall": (time.perf_counter, lambda: score_folders(pred, gt, DAVIS, progress=False)),
            "robustvos, 2 workers, wall": (
                time.perf_counter,
                lambda: score_folders(pred, gt, DAVIS, progress=False, workers=2),
            ),
            "full frame, wall": (time.perf_counter, lambda: plain_folder(pred, gt)),
        }
        with suppress(ImportError):
            from vos_benchmark.benchmark import benchmark

            for workers in (1, 2):
                call = partial(
                    benchmark, [str(gt)], [str(pred)], True, workers, verbose=False, skip_first_and_last=False
                )
                ways[f"vos-benchmark, {workers} worker(s), wall"] = time.perf_counter, call
        times: dict[str, list[float]] = {name: [] for name in ways}
        for repeat in range(repeats + 1):
            for name, (clock, run) in ways.items():
                start = clock()
                run()
                if repeat:
                    times[name].append((clock() - start) * 1000 / objects)
        return {name: statistics.median(spent) for name, spent in times.items()}


def print_table(masks: dict[str, dict[str, float]], folder: dict[str, float]) -> None:
    ours = masks["robustvos"]
    print(f"{'CPU ms per frame and object':34}{'J':>8}{'F':>8}{'J + F':>8}   times ours (J, F, J + F)")
    for name, row in masks.items():
        both, ratio = row["J"] + row["F"], (row["J"] + row["F"]) / (ours["J"] + ours["F"])
        ratios = f"{row['J'] / ours['J']:.1f}, {row['F'] / ours['F']:.1f}, {ratio:.1f}"
        print(f"{name:34}{row['J']:8.3f}{row['F']:8.3f}{both:8.3f}   {ratios}")
    if "davis2017" not in masks:
        print("davis2017: not installed, not measured")
    if not any(name.startswith("vos-benchmark") for name in folder):
        print("vos-benchmark: not installed, not measured")
    print("\nfolder of PNGs, ms per frame and object, reading included")
    for name, spent in folder.items():
        print(f"{name:34}{spent:8.3f}   {spent / folder['robustvos, wall' if 'wall' in name else 'robustvos']:.2f}")


def main() -> None:
    """Measure, print, and keep the figures with the machine's description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "metrics.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    root = os.environ.get("ROBUSTVOS_REALDATA")
    maps = real_truth(Path(root), arguments.frames) if root else synthetic_truth(arguments.frames)
    pairs = [(disturbed(ids) == o, ids == o) for ids in maps for o in np.unique(ids)[1:]]
    masks, folder = measure(pairs, arguments.repeats), measure_folder(maps, arguments.repeats)
    print_table(masks, folder)
    figures = {"masks": "real" if root else "synthetic", "ms": masks, "folder_ms": folder}
    write_result(arguments.out, vars(arguments), figures)


if __name__ == "__main__":
    main()
