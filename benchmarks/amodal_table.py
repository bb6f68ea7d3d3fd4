"""Whole masks of hidden objects: a trained system against what needs no training, on clips that nothing was trained on.

    OMP_NUM_THREADS=1 python benchmarks/amodal_table.py --systems moga_amodal --clips 200
    OMP_NUM_THREADS=1 python benchmarks/amodal_table.py --set hidden --root DATA --sam2 small --systems moga_amodal --clips 100
    OMP_NUM_THREADS=1 python benchmarks/amodal_table.py --set native --root DIR --sam2 small --systems moga_amodal

Each clip is tracked once by the frozen base, whose masks every completion is then given, and once by each system. What is
known of a clip is written to ``--out`` at once: a run that is stopped goes on, and a later one adds systems. The sets are
``validation`` (for choosing), ``test`` (the embedded sample's own clips and more of them, never looked at for choosing) and
``other`` (drawn with other settings: larger and longer than any that was trained on), which are drawn; ``hidden`` and
``hidden_validation`` (``configs/data/hidden.yaml``, made of footage that is held back); and ``native`` (clips that ``realvas
run`` has made). In percent, means over clips [95 % interval, bootstrap over clips]; differences are paired over clips.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from held_back import HELD_BACK

from datamodules.hidden import Hidden
from robustvos.datasets.amodal.native_videos import NativeVideos
from robustvos.datasets.corruption import corrupted_video
from robustvos.datasets.evaluation import VideoSet
from robustvos.datasets.pasted import HiddenEvaluation
from robustvos.evaluation.amodal_scores import AmodalScores
from robustvos.evaluation.bootstrap import interval, resampled_sums
from robustvos.evaluation.protocol import Prompting
from robustvos.evaluation.records import CLUSTER_TAG
from robustvos.files.atomic import atomic_write_json
from robustvos.metrics.amodal_figures import OCCLUDED_ABOVE
from robustvos.parsing import make
from robustvos.progress import progress_bar
from robustvos.registry import read_yaml, resolve
from robustvos.sam2.checkpoints import state_hash
from robustvos.sam2.postprocessing import UPSAMPLING
from robustvos.scenes.amodal import CATEGORIES, render_amodal_clip
from robustvos.scenes.stage import StageSpec
from robustvos.seeding import derive_seed, numpy_rng
from robustvos.systems.completion import Completion, completed
from robustvos.systems.loading import load_system
from robustvos.systems.system import System
from robustvos.systems.tracking import track_video
from robustvos.types import Prompt, TrackedFrame, Video
from robustvos.video.native import find_native_clips

COMPLETIONS = ("repeat_query", "hold_last", "constant_velocity", "follow_occluder", "complete_convex")
FIGURES = ("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ")
SHAPES = {
    "validation": ((144, 176, 56), (128, 160, 48), (144, 192, 64), (128, 176, 52)),
    "test": ((144, 176, 56), (128, 160, 48), (144, 192, 64), (128, 176, 52)),  # as the embedded sample
    "other": ((216, 216, 88), (192, 288, 80), (240, 256, 96), (96, 128, 36)),
}
SEEDS = {"validation": "amodal-validation-1", "test": "realvas-sample-1", "other": "amodal-other-1"}
Stream = list[tuple[torch.Tensor, TrackedFrame]]
Found = dict[str, dict[str, dict[str, Any]]]


def clip_of(kind: str, category: str, number: int) -> Video:
    """A drawn clip with the mask of its first frame as prompt."""
    height, width, frames = SHAPES[kind][number % len(SHAPES[kind])]
    made = render_amodal_clip(category, numpy_rng(SEEDS[kind], category, number), StageSpec((height, width), frames))
    modal, amodal = torch.from_numpy(made.modal), torch.from_numpy(made.amodal)
    return Video(
        name=f"{category}_{number:03d}",
        frames=list(torch.from_numpy(made.frames).permute(0, 3, 1, 2)),
        object_ids=(1,),
        masks=list(modal),
        amodal=list(amodal),
        prompts=(Prompt(1, mask=modal[0, 0]),),
        frame_names=tuple(f"{t:05d}" for t in range(frames)),
        size=(height, width),
        tags={"category": category},
    )


def set_of(arguments: argparse.Namespace) -> VideoSet | None:
    """A set that is not drawn."""
    if arguments.set == "native":
        return NativeVideos(find_native_clips(arguments.root))
    if not arguments.set.startswith("hidden"):
        return None
    data = Hidden(arguments.root, held_back=HELD_BACK)
    split = "val" if arguments.set == "hidden_validation" else "test"
    return data.video_set(split, HiddenEvaluation(limit=arguments.clips))  # type: ignore[arg-type]


def scored(video: Video, stream: Stream) -> dict[str, Any]:
    """The four figures, and intersection and union with what is seen, pooled over the frames that hide nothing."""
    scores, clear = AmodalScores(video.name, video.object_ids), [0, 0]
    assert video.amodal is not None
    for _, tracked in stream:
        found = tracked.masks_of(video.object_ids, video.size)
        seen, whole = (np.asarray(masks[tracked.index]) for masks in (video.masks, video.amodal))
        scores.update(tracked.index, found, whole, seen)
        if tracked.index and whole.sum() and (whole & ~seen).sum() <= OCCLUDED_ABOVE * whole.sum():
            clear[0] += int((found & seen).sum())
            clear[1] += int((found | seen).sum())
    return {
        **scores.objects()[0].scores,
        "clear": clear,
        "category": video.tags.get("category", ""),
        "cluster": video.tags.get(CLUSTER_TAG, video.name),
    }


def tracked(system: System, video: Video) -> Stream:
    """Every frame and what was found on it."""
    return list(track_video(system.tracker(overlapping=True, num_frames=len(video.frames)), video))


def completion_of(name: str) -> Completion:
    """One of ``configs/model``, with the settings there."""
    node = read_yaml(resolve("model", name))["init_args"]["completion"]
    completion: Completion = make(Completion, "model.completion", node)
    return completion


def measure(arguments: argparse.Namespace, found: Found) -> None:
    """Fill in what ``found`` lacks; ``--out`` is written after every clip."""
    systems = {name: None for name in ("sam2", *arguments.systems)} | dict(arguments.checkpoints)
    loaded: dict[str, System] = {}
    videos = set_of(arguments)
    every = list(clips(arguments, videos))
    for name, category, number in progress_bar(every, desc="amodal_table", unit="clip"):
        wanted = [system for system in systems if name not in found.get(system, {})]
        if arguments.completions and "sam2" not in wanted and name not in found.get(COMPLETIONS[0], {}):
            wanted.append("sam2")
        if not wanted:
            continue
        if videos is None:
            video = clip_of(arguments.set, category, number)
        else:
            video = videos.prompted(number, Prompting("mask"), None, arguments.condition)
        clip = corrupted_video(video, arguments.condition, arguments.severity, "intended")
        for system in wanted:
            if system not in loaded:
                loaded[system] = load_system(system.partition("@")[0], sam2=arguments.sam2, checkpoint=systems[system])
            stream = tracked(loaded[system], clip)
            found.setdefault(system, {})[name] = scored(video, stream)
            if system == "sam2" and arguments.completions:
                for baseline in COMPLETIONS:
                    whole = list(completed(iter(stream), completion_of(baseline)))
                    found.setdefault(baseline, {})[name] = scored(video, whole)
        atomic_write_json(arguments.out, found)


def clips(arguments: argparse.Namespace, videos: VideoSet | None) -> Iterator[tuple[str, str, int]]:
    """Names, categories and numbers of the clips; of drawn ones the categories in turn."""
    if videos is not None:
        yield from ((name, "", number) for number, name in enumerate(videos.names))
        return
    for number in range(arguments.clips // len(CATEGORIES)):
        for category in CATEGORIES:
            yield f"{category}_{number:03d}", category, number


def mean_and_interval(values: np.ndarray, clusters: Sequence[str]) -> tuple[float, float, float]:
    """In percent; clips of one footage are drawn together; of no values NaN."""
    if not len(values):
        return (float("nan"),) * 3
    drawn = resampled_sums(by_cluster(np.stack([values, np.ones(len(values))], 1), clusters))
    low, high = interval(drawn[:, 0] / drawn[:, 1])
    return 100 * float(values.mean()), 100 * low, 100 * high


def by_cluster(rows: np.ndarray, clusters: Sequence[str]) -> np.ndarray:
    """``(N, C)`` summed to ``(clusters, C)`` float64, in the order in which they come."""
    place = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(place), rows.shape[1]))
    np.add.at(sums, [place[name] for name in clusters], rows)
    return sums


def pairs(
    found: Found, systems: Sequence[str], figure: str, category: str | None
) -> tuple[list[np.ndarray], list[str]]:
    """Of each system its figures on the clips on which all are defined; and the clusters of these clips."""
    names = [
        name
        for name, first in found[systems[0]].items()
        if (category in (None, first["category"]))
        and all(found[s].get(name, {}).get(figure) is not None for s in systems)
    ]
    clusters = [found[systems[0]][name].get("cluster", name) for name in names]
    return [np.array([found[system][name][figure] for name in names]) for system in systems], clusters


def clear_iou(found: Found, systems: Sequence[str]) -> list[tuple[float, float, float]]:
    """IoU with what is seen, pooled over frames that hide nothing, and for the later ones the difference from the first."""
    names = [name for name in found[systems[0]] if all(name in found[system] for system in systems)]
    sums = {system: np.array([found[system][name]["clear"] for name in names], np.float64) for system in systems}
    pooled = {system: (s := sums[system].sum(0))[0] / s[1] for system in systems}
    clusters = [found[systems[0]][name].get("cluster", name) for name in names]
    drawn = {s: (r := resampled_sums(by_cluster(sums[s], clusters)))[:, 0] / r[:, 1] for s in systems}
    first = systems[0]
    rows = []
    for system in systems:
        low, high = interval(drawn[system] - drawn[first] if system != first else drawn[system])
        value = pooled[system] - (pooled[first] if system != first else 0)
        rows.append((100 * value, 100 * low, 100 * high))
    return rows


def cell(value: tuple[float, float, float], sign: str = "") -> str:
    """A figure and its interval; a dash where there is none."""
    if value[0] != value[0]:
        return "-"
    return f"{value[0]:{sign}.1f} [{value[1]:{sign}.1f}, {value[2]:{sign}.1f}]"


def report(found: Found, systems: Sequence[str]) -> None:
    """The tables, in Markdown, of the clips that every system has."""
    everyone = list(dict.fromkeys(name for name in ("sam2", *COMPLETIONS, *found) if name in found))
    common = set.intersection(*(set(found[name]) for name in everyone))
    found = {system: {name: found[system][name] for name in found[system] if name in common} for system in everyone}
    print("| system | clips | " + " | ".join(FIGURES) + " |\n|---|---|" + "---|" * len(FIGURES))
    for name in everyone:
        of_figures = [pairs(found, [name], figure, None) for figure in FIGURES]
        cells = [cell(mean_and_interval(values[0], clusters)) for values, clusters in of_figures]
        print(f"| `{name}` | {len(found[name])} | " + " | ".join(cells) + " |")
    baselines = [name for name in COMPLETIONS if name in found]
    for system in systems if baselines else ():
        print(f"\n`{system}` against the best baseline, paired:\n")
        print("| clips | figure | clips with it | best baseline | it | " + f"`{system}` | difference |\n|" + "---|" * 7)
        for category in (None, *dict.fromkeys(clip["category"] for clip in found["sam2"].values())):
            for figure in FIGURES[1:]:
                print(row(found, system, baselines, figure, category))
    others = [name for name in everyone if name not in COMPLETIONS]
    print(
        "\nIoU with what is seen, pooled over frames that hide nothing; below the first row the difference from it:\n"
    )
    for name, value in zip(others, clear_iou(found, others), strict=True):
        print(f"| `{name}` | {cell(value, '' if name == others[0] else '+')} |")


def row(found: Found, system: str, baselines: Sequence[str], figure: str, category: str | None) -> str:
    """A comparison with the baseline that is best there."""
    everyone, clusters = pairs(found, [system, *baselines], figure, category)
    if not len(everyone[0]):
        return f"| {category or 'all'} | {figure} | 0 | | | | |"
    best = int(np.argmax([values.mean() for values in everyone[1:]]))
    own, other = everyone[0], everyone[1 + best]
    difference = mean_and_interval(own - other, clusters)
    told = cell(difference, "+")
    told = f"**{told}**" if difference[1] > 0 or difference[2] < 0 else told
    cells = (
        f"`{baselines[best]}`",
        cell(mean_and_interval(other, clusters)),
        cell(mean_and_interval(own, clusters)),
        told,
    )
    return f"| {category or 'all'} | {figure} | {len(own)} | " + " | ".join(cells) + " |"


def default_out(arguments: argparse.Namespace) -> Path:
    """A name of its own for each data, base and condition; of adapters it knows the names, so remove it after training anew."""
    condition = arguments.condition + (f"{arguments.severity:g}" if arguments.condition != "clean" else "")
    root = f"_{abs(derive_seed(str(arguments.root.resolve()))) % 16**6:06x}" if arguments.root else ""
    base = load_system("sam2", sam2=arguments.sam2).model
    of_base = f"{state_hash(base.state_dict())[:6]}_{base.image_size}_{getattr(base, UPSAMPLING)}"
    return Path(f"amodal_{arguments.set}{root}_{arguments.sam2}_{of_base}_{condition}.json")


def pair(text: str) -> tuple[str, str]:
    """``NAME=CHECKPOINT``."""
    name, _, checkpoint = text.partition("=")
    return name, checkpoint


def main() -> None:
    """Measure what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="*", default=[], help="names in configs/model, with weights in the package")
    parser.add_argument(
        "--checkpoints",
        nargs="*",
        default=[],
        type=pair,
        metavar="NAME=FILE",
        help="systems of runs; NAME or NAME@LABEL",
    )
    parser.add_argument("--set", choices=(*SHAPES, "hidden", "hidden_validation", "native"), default="test")
    parser.add_argument("--root", type=Path, help="of hidden: folder of sets of stills and videos; of native: of clips")
    parser.add_argument("--sam2", default="nano", help="the base")
    parser.add_argument("--clips", type=int, default=200, help="a quarter of each category")
    parser.add_argument("--completions", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--condition", default="clean", help="clean, or a corruption")
    parser.add_argument("--severity", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    arguments.out = arguments.out or default_out(arguments)
    found: Found = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    measure(arguments, found)
    chosen: Mapping[str, Any] = {name: None for name in arguments.systems} | dict(arguments.checkpoints)
    report(found, list(chosen))


if __name__ == "__main__":
    main()
