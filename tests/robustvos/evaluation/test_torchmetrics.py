"""The torchmetrics classes give what the functions give, on one process and on several."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torchmetrics import MetricCollection

from robustvos.evaluation.aggregate import mean_of
from robustvos.evaluation.protocol import protocol_named
from robustvos.evaluation.records import FrameScore, ObjectScore, VideoResult
from robustvos.evaluation.torchmetrics import gathered_results, mean_scores

VIDEOS = ("boat", "cup", "dog")
PROTOCOLS = ("davis", "release", "realvas")


def result(video: str, protocol: str = "davis") -> VideoResult:
    """Of as many objects as the video's place in the list; the cup's second one has no score."""
    random = np.random.default_rng(VIDEOS.index(video))
    metrics = protocol_named(protocol).metrics
    objects = tuple(
        ObjectScore(
            video,
            number,
            3 + number,
            {"corruption": "fog", "class": "ü"} if protocol == "release" else {"corruption": "fog"},
            {m: None if (video, number) == ("cup", 2) else float(random.random()) for m in metrics},
        )
        for number in range(1, VIDEOS.index(video) + 2)
    )
    return VideoResult(video, "fog", objects, (FrameScore(0, 1, 0.25, 1.0, True, False),))


def numbers(found: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items()}


def filled(protocol: str, videos: tuple[str, ...] = VIDEOS) -> MetricCollection:
    metrics = mean_scores(protocol_named(protocol), "val/")
    for video in videos:
        metrics.update(result(video, protocol))
    return metrics


@pytest.mark.fast
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_means_are_those_of_the_protocol(protocol: str) -> None:
    objects = [record for video in VIDEOS for record in result(video, protocol).objects]
    averaging = protocol_named(protocol).averaging
    expected = {f"val/{m}": mean_of(objects, m, averaging=averaging).mean for m in protocol_named(protocol).metrics}
    assert numbers(filled(protocol).compute()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.fast
def test_records_come_back_whole() -> None:
    assert gathered_results(filled("release")) == [result(video, "release") for video in VIDEOS]


@pytest.mark.fast
def test_reset_forgets_and_nothing_seen_is_undefined() -> None:
    metrics = filled("davis", ("boat",))
    metrics.reset()
    metrics.update(result("cup"))
    assert numbers(metrics.compute()) == numbers(filled("davis", ("cup",)).compute())
    metrics.reset()
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert all(np.isnan(value) for value in numbers(metrics.compute()).values())


@pytest.mark.fast
def test_a_video_seen_twice_counts_once() -> None:
    assert numbers(filled("davis", (*VIDEOS, "dog")).compute()) == numbers(filled("davis").compute())


def compute_share(rank: int, folder: Path, shares: list[list[str]]) -> None:
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        timeout=timedelta(minutes=2),
        rank=rank,
        world_size=len(shares),
    )
    for protocol in PROTOCOLS:
        metrics = filled(protocol, tuple(shares[rank]))
        assert [found.video for found in gathered_results(metrics)] == list(VIDEOS)
        torch.save(metrics.compute(), f"{folder}/{protocol}{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(sys.platform != "linux", reason="forks its processes, which is safe on Linux alone")
@pytest.mark.parametrize("shares", [[["boat", "dog"], ["cup", "boat"]], [["boat", "cup", "dog"], []]])
def test_two_processes_give_what_one_gives(forked, tmp_path: Path, shares: list[list[str]]) -> None:
    """Also where a sampler repeats a video to even out the load, and where one process gets none."""

    def both() -> None:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                compute_share(1, tmp_path, shares)
                code = 0
            finally:
                os._exit(code)
        compute_share(0, tmp_path, shares)
        assert os.waitpid(child, 0)[1] == 0

    code, said = forked(tmp_path, both)
    assert code == 0, said
    for protocol in PROTOCOLS:
        expected = numbers(filled(protocol).compute())
        for rank in range(2):
            found = torch.load(tmp_path / f"{protocol}{rank}.pt", weights_only=True)
            assert numbers(found) == pytest.approx(expected, nan_ok=True)
