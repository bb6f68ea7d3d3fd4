"""The public names: :func:`load_system`, :func:`track`, :func:`corrupt`, :func:`evaluate`. Commands use the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from torch import Tensor

from robustvos.corruptions import CorruptedFrames
from robustvos.evaluation.protocol import DatasetFacts, protocol_for, run_columns
from robustvos.evaluation.results import RunRecord
from robustvos.evaluation.scorer import VideoTruth
from robustvos.evaluation.scorer import evaluate as score_video
from robustvos.systems.loading import load_system
from robustvos.systems.system import System
from robustvos.systems.tracking import track_video
from robustvos.types import Prompt, TrackedFrame, Video
from robustvos.video.frames import open_frames

__all__ = ["corrupt", "evaluate", "load_system", "track"]


def track(
    video: Path | str | Iterable[Tensor],
    prompts: Sequence[Prompt],
    system: System | str = "moga",
    *,
    overlapping: bool = False,
) -> Iterator[TrackedFrame]:
    """Follow objects through a video, frame by frame; memory does not grow with its length.

    Args:
        video: A video file, a folder of frames, or frames as they come, ``(3, H, W)`` uint8 RGB each.
        prompts: What is said of each object: a mask, a box or points, on any frame.
        system: What tracks, or its name for :func:`load_system`.
        overlapping: Masks of several objects may overlap; else each pixel is given to one of them.

    Raises:
        BadVideo: If the video cannot be read.
        BadPrompt: If a prompt lies outside of its frame; at the end, if a prompt's frame never came.

    >>> import torch
    >>> frames = torch.zeros(3, 3, 64, 64, dtype=torch.uint8)
    >>> frames[:, 0, 20:40, 20:40] = 255
    >>> box = Prompt(1, box=torch.tensor([20.0, 20.0, 39.0, 39.0]))
    >>> [found.object_ids for found in track(frames, [box], "sam2")]
    [(1,), (1,), (1,)]
    """
    system = load_system(system) if isinstance(system, str) else system
    frames = open_frames(Path(video)) if isinstance(video, str | Path) else video
    return system.track(frames, prompts, overlapping=overlapping)


def corrupt(
    frames: Sequence[Tensor],
    corruption: str,
    *,
    severity: float = 3.0,
    preset: str = "intended",
    name: str = "video",
) -> Sequence[Tensor]:
    """Frames under bad weather, noise or blur, each made when it is asked for; the same ones every time.

    Args:
        frames: ``(3, H, W)`` uint8 RGB each: a tensor ``(T, 3, H, W)``, a list, :func:`robustvos.video.frames.open_frames`.
        corruption: One of :data:`robustvos.corruptions.CORRUPTIONS`, or several together: ``fog``, ``fog+rain``.
        severity: Above 0 and at most 5; 3 is the benchmark's.
        preset: ``intended``, or ``release``: what the published sets contain.
        name: Of the video; everything random is drawn from it.

    Raises:
        UnknownName: If there is no such corruption or preset.
        UserError: If the severity is out of range.

    >>> import torch
    >>> foggy = corrupt(torch.zeros(4, 3, 32, 32, dtype=torch.uint8), "fog")
    >>> len(foggy), foggy[2].shape, bool(foggy[2].float().mean() > 20)
    (4, torch.Size([3, 32, 32]), True)
    """
    return CorruptedFrames(frames, corruption, clip_name=name, severity=severity, preset=preset)


def evaluate(
    system: System | str,
    videos: Iterable[Video],
    *,
    protocol: str | None = None,
    facts: DatasetFacts | None = None,
    dataset: str = "videos",
) -> RunRecord:
    """Track videos and score them against their ground truth.

    Args:
        system: What tracks, or its name for :func:`load_system`.
        videos: With prompts and truth: those of a dataset's ``test_dataloader()``, or one's own.
        protocol: See :mod:`robustvos.evaluation.protocol`; None: ``davis``, or ``realvas`` for whole objects.
        facts: What the dataset fixes of its own evaluation.
        dataset: Its name, for tables.

    Returns:
        The record: ``overall["J&F"].mean`` and its interval, ``by`` condition, ``objects``; ``write(folder)`` leaves a
        ``results.json`` that ``report`` tables.

    Raises:
        UserError: If the videos cannot obey the protocol.
    """
    system = load_system(system) if isinstance(system, str) else system
    chosen = protocol_for(protocol, facts or DatasetFacts())
    results = []
    for video in videos:
        tracker = system.tracker(overlapping=chosen.overlapping, num_frames=len(video.frames))
        stream = (tracked for _, tracked in track_video(tracker, video, system.restorer))
        results.append(score_video(VideoTruth(video), stream, chosen))
    return RunRecord.of(
        [record for result in results for record in result.objects],
        chosen,
        system=system.name,
        base=system.sam2.variant,
        base_hash=system.base.hash,
        dataset=dataset,
        prompt="as given",
        seed=0,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions={},
        parameters=system.parameters(),
        checkpoint=system.origin,
        **run_columns(chosen),
    )
