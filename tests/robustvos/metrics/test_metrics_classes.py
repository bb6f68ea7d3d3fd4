"""The torchmetrics classes give what the functions give, on one process and on several."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from robustvos.metrics.classes import AmodalIoU, RegionAndContour
from robustvos.metrics.functional import amodal_iou, contour_accuracy, region_similarity
from robustvos.metrics.rules import ScoringRules

CLIPS = ("boat", "cup", "dog")
IDS = (3, 8)


def masks(clip: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Prediction, truth and visible truth of a clip, ``(T, O, H, W)``."""
    random = torch.Generator().manual_seed(CLIPS.index(clip))
    frames = 3 + CLIPS.index(clip)
    prediction, target, noise = (torch.rand(3, frames, len(IDS), 12, 10, generator=random) < 0.5).unbind()
    return prediction, target, target & noise


def feed(metric: RegionAndContour | AmodalIoU, clip: str) -> None:
    prediction, target, modal = masks(clip)
    for t in range(len(target)):
        if isinstance(metric, AmodalIoU):
            metric.update(clip, t, IDS, prediction[t], target[t], modal[t])
        else:
            metric.update(clip, t, IDS, prediction[t], target[t])


def numbers(found: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items()}


def test_region_and_contour_equal_the_functions() -> None:
    metric = RegionAndContour(ScoringRules(skip_first_last=True))
    region, contour = [], []
    for clip in CLIPS:
        feed(metric, clip)
        prediction, target, _ = masks(clip)
        region += region_similarity(prediction, target)[1:-1].double().mean(dim=0).tolist()
        contour += contour_accuracy(prediction, target)[1:-1].double().mean(dim=0).tolist()
    j, f = float(np.mean(region)), float(np.mean(contour))
    assert numbers(metric.compute()) == pytest.approx({"J&F": (j + f) / 2, "J": j, "F": f}, abs=1e-6)


def test_amodal_iou_equals_the_function() -> None:
    metric = AmodalIoU()
    for clip in CLIPS:
        feed(metric, clip)
    figures = [amodal_iou(*(mask[:, o] for mask in masks(clip))) for clip in CLIPS for o in range(len(IDS))]
    found = numbers(metric.compute())
    for name in ("mIoU", "mIoU_fo", "mIoU_occ"):
        # Every clip has two objects, so the mean over clips is that over all objects.
        expected = torch.tensor([figure[name] for figure in figures]).mean()
        assert found[name] == pytest.approx(float(expected), abs=1e-6)
    assert np.isnan(found["mIoU_ffo"])


def test_reset_forgets_and_nothing_seen_is_undefined() -> None:
    metric = RegionAndContour()
    feed(metric, "boat")
    metric.reset()
    feed(metric, "cup")
    alone = RegionAndContour()
    feed(alone, "cup")
    assert numbers(metric.compute()) == numbers(alone.compute())
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert all(np.isnan(value) for value in numbers(metric.compute()).values())


def test_a_clip_seen_twice_counts_once() -> None:
    once, twice = AmodalIoU(), AmodalIoU()
    for clip in CLIPS:
        feed(once, clip)
        feed(twice, clip)
    feed(twice, "dog")
    assert numbers(twice.compute()) == pytest.approx(numbers(once.compute()), nan_ok=True)


def _run(rank: int, folder: str, shares: list[list[str]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=len(shares))
    metrics: list[RegionAndContour | AmodalIoU] = [RegionAndContour(), AmodalIoU()]
    for metric in metrics:
        for clip in shares[rank]:
            feed(metric, clip)
        torch.save(metric.compute(), f"{folder}/{type(metric).__name__}{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(sys.platform != "linux", reason="forks its processes, which is safe on Linux alone")
@pytest.mark.parametrize("shares", [[["boat", "dog"], ["cup", "boat"]], [["boat", "cup", "dog"], []]])
@pytest.mark.filterwarnings("ignore")
def test_two_processes_give_what_one_gives(tmp_path: Path, shares: list[list[str]]) -> None:
    """Also where a sampler repeats a clip to even out the load, and where one process gets none."""
    mp.start_processes(_run, args=(str(tmp_path), shares), nprocs=2, start_method="fork")
    for metric in (RegionAndContour(), AmodalIoU()):
        for clip in CLIPS:
            feed(metric, clip)
        for rank in range(2):
            found = torch.load(tmp_path / f"{type(metric).__name__}{rank}.pt", weights_only=True)
            assert numbers(found) == pytest.approx(numbers(metric.compute()), nan_ok=True)
