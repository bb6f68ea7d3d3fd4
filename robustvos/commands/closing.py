"""Last lines: what to type after a command, so that its result leads on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from robustvos.errors import DataNotFound, UserError
from robustvos.program import next_command

if TYPE_CHECKING:
    from robustvos.datasets.vos.corrupted_copy import Source
    from robustvos.evaluation.results import RunRecord

_EMBEDDED = "configs/moga.yaml"
_REAL = "configs/moga_small.yaml"
_EMBEDDED_AMODAL = "configs/moga_amodal.yaml"
_TREES = {"davis": "davis", "acdc": "acdc_video", "mvseg": "mvseg"}
"""What the page of annotate exports, and the dataset that reads it."""


def after_tracking(video: Path, out: Path) -> str:
    """The same video under fog, to see what is left of the masks there."""
    return next_command("corrupt", video, out / "corrupted", "--corruption", "fog")


def after_corrupting(source: Source, dst: Path, names: Sequence[str]) -> str:
    """A dataset is tested; a video is tracked, from the first mask of a ``track`` that the copy lies in, else from its middle.

    Args:
        source: What was copied.
        dst: Folder of the copies.
        names: The corruptions, each a folder there.
    """
    from robustvos.video.frames import open_frames

    copy = dst / names[0]
    if any(path.parts[:1] == ("Annotations",) for path in source.beside):
        conditions = ("--data.test.conditions", "[clean]")  # the copy's frames as they are
        return next_command(
            "test", "--model", "sam2", "--sam2", "small", "--data", "davis", "--data.root", copy, *conditions
        )
    video = copy / source.inside / source.videos[0].name
    frames = open_frames(video)
    found = first_mask(dst.parent / "masks", frames.frame_names, frames.size)
    if found is not None:
        mask, frame = found
        later = ("--frame", frame) if frame else ()
        line = next_command("track", video, "--mask", mask, *later, "--out", dst / "tracked")
        return f"{line}   # the object as it was found before"
    height, width = frames.size
    middle = f"{width // 2},{height // 2}"
    line = next_command("track", video, "--point", middle, "--out", dst / "tracked")
    return f"{line}   # the middle: put x,y, or --box x0,y0,x1,y1, on your object"


def first_mask(masks: Path, frame_names: Sequence[str], size: tuple[int, int]) -> tuple[Path, int] | None:
    """The first of a folder's masks that shows something.

    Args:
        masks: Folder of ``track``; it may not be there.
        frame_names: Of the video, in order.
        size: ``(H, W)`` of its frames.

    Returns:
        The file and the number of its frame; None where a file is missing before it, is no mask of that size, or all are empty.
    """
    from robustvos.video.masks import read_objects

    for frame, name in enumerate(frame_names):
        try:
            ids, _ = read_objects(masks / f"{name}.png")
        except UserError:
            return None
        if ids.shape != tuple(size):
            return None
        if ids.any():
            return masks / f"{name}.png", frame
    return None


def after_annotating(video: Path, folder: Path) -> str:
    """A tree that was exported is trained on; else what was clicked is tracked anew, with an overlay to look at.

    Args:
        video: What was annotated.
        folder: Where the annotation is.
    """
    for name, data in _TREES.items():
        if (folder / name).is_dir():
            return next_command("fit", "--config", _REAL, "--data", data, "--data.root", folder / name)
    prompts = folder / "prompts.jsonl"
    if not prompts.is_file() or not prompts.stat().st_size:
        return next_command("annotate", video, "--out", folder)
    return next_command("track", video, "--prompts", prompts, "--out", folder / "tracked")


def after_reviewing(folder: Path) -> str:
    """Clips are published; while none may be, those that nobody has judged are, and where all were failed it is said why.

    Args:
        folder: Of the run.
    """
    from robustvos.publishing.clips import select

    with suppress(DataNotFound):  # no clip was made
        chosen = select(folder)
        if chosen.clips:
            return next_command("realvas", "publish", folder)
        if chosen.unreviewed:
            return next_command("review", folder)
    return next_command("realvas", "funnel", "--out", folder)


def after_reporting(runs: Sequence[RunRecord], out: Path) -> str:
    """The best of the systems that were trained here is exported; where there is none, one is trained.

    Args:
        runs: What was reported.
        out: Folder of the report, which the exported weights are put beside.
    """
    trained = [run for run in runs if run.checkpoint and Path(run.checkpoint).suffix == ".ckpt"]
    kept = [run for run in trained if run.checkpoint and Path(run.checkpoint).is_file() and _leading(run) is not None]
    if not kept:
        amodal = bool(runs) and all(run.metrics[0] == "mIoU" for run in runs)
        return next_command("fit", "--config", _EMBEDDED_AMODAL if amodal else _EMBEDDED)
    best = max(kept, key=lambda run: _leading(run) or 0.0)
    return next_command("export", best.checkpoint, "--out", out / f"{best.system}.safetensors")


def _leading(run: RunRecord) -> float | None:
    """The mean of the main metric; None where no frame counts."""
    found = run.overall.get(run.metrics[0])
    return found.mean if found is not None and found.known else None
