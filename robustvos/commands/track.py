"""``cli.py track``: follow objects through any video, streaming; indexed masks and an overlay video out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from robustvos.commands.system import load_trained_system
from robustvos.commands.tool import run_tool
from robustvos.errors import BadMask, BadPrompt, UserError
from robustvos.report.draw import overlay
from robustvos.sam2.tracker import Tracker
from robustvos.types import Prompt
from robustvos.video.frames import Frames, open_frames
from robustvos.video.masks import masks_from_ids, read_indexed_mask, write_indexed_mask
from robustvos.video.writer import VideoWriter

_DEFAULT_FPS = 24.0  # of folders, which do not say


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    run_tool(track, argv, positional=["video"])


def track(
    video: Path,
    out: Path,
    box: list[str] | None = None,
    point: list[str] | None = None,
    mask: Path | None = None,
    model: str = "moga",
    sam2: str = "nano",
    ckpt_path: Path | None = None,
    device: str = "auto",
) -> None:
    """Follow objects that are pointed at in the first frame through a video file or a folder of frames.

    Writes OUT/masks/FRAME.png (indexed, DAVIS palette) and OUT/overlay.mp4. Nothing of an earlier run in OUT is lost:
    OUT must not hold masks yet.

    Args:
        video: Any video file, or a folder of JPEG or PNG frames.
        out: Folder for the results.
        box: x0,y0,x1,y1 in pixels; repeat it for several objects.
        point: x,y (inside the object) or x,y,0 (outside of it) in pixels; repeat it for several clicks on one object.
        mask: PNG with the objects of the first frame; each grey level or palette index but 0 is one.
        model: A name in configs/model; sam2 is the frozen model.
        sam2: A name in configs/sam2.
        ckpt_path: Trained adapter; by default the one that is shipped with the base.
        device: cpu, cuda, or auto.
    """
    frames = open_frames(video)
    prompts = first_prompts(frames, box or [], point or [], mask)
    masks = out / "masks"
    if masks.exists() and any(masks.iterdir()):
        raise UserError(f"{masks} already holds masks; choose another --out, or remove it")
    system = load_trained_system(model, sam2, ckpt_path)
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    partial = out / "masks.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _stream(frames, prompts, Tracker(system.model.to(place), num_frames=len(frames)), partial, out / "overlay.mp4")
        partial.replace(masks)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(
        f"{len(frames)} frames, {len(prompts)} object(s), {system.name} on {system.base}: {masks}, {out / 'overlay.mp4'}"
    )


def first_prompts(frames: Frames, boxes: Sequence[str], points: Sequence[str], mask: Path | None) -> list[Prompt]:
    """Prompts of the first frame from what was typed.

    Raises:
        BadPrompt: If nothing, or a mixture that cannot be meant, was given; or a number cannot be read.
        BadMask: If the mask is not of the frame's size, or marks no pixel.
    """
    if mask is not None:
        if boxes or points:
            raise BadPrompt("--mask says it all: give it without --box and --point")
        return _mask_prompts(mask, frames)
    if not boxes and not points:
        raise BadPrompt("nothing to follow: point at it with --box x0,y0,x1,y1, --point x,y or --mask first.png")
    if len(boxes) > 1 and points:
        raise BadPrompt("--point refines one object; with several --box it is not clear which: leave the points out")
    clicks = [_numbers(text, (2, 3), "--point x,y or x,y,0") for text in points]
    coordinates = torch.tensor([click[:2] for click in clicks]) if clicks else None
    labels = torch.tensor([int(click[2]) if len(click) == 3 else 1 for click in clicks]) if clicks else None
    corners = [torch.tensor(_numbers(text, (4,), "--box x0,y0,x1,y1")) for text in boxes]
    if not corners:
        return [Prompt(1, points=coordinates, labels=labels)]
    return [Prompt(i, box=corner, points=coordinates, labels=labels) for i, corner in enumerate(corners, start=1)]


def _mask_prompts(path: Path, frames: Frames) -> list[Prompt]:
    ids = read_indexed_mask(path)
    if ids.shape != tuple(frames.size):
        raise BadMask(
            f"{path} is {ids.shape[1]} x {ids.shape[0]}, but the frames are {frames.size[1]} x {frames.size[0]} pixels"
        )
    object_ids = sorted(int(i) for i in set(ids.flatten().tolist()) - {0})
    if not object_ids:
        raise BadMask(f"{path} marks no object: every pixel is 0")
    return [Prompt(i, mask=m) for i, m in zip(object_ids, masks_from_ids(ids, object_ids), strict=True)]


def _numbers(text: str, lengths: tuple[int, ...], form: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in lengths:
        raise BadPrompt(f"cannot read '{text}'; the form is {form}")
    return numbers


def _stream(frames: Frames, prompts: Sequence[Prompt], tracker: Tracker, masks: Path, video: Path) -> None:
    """Track, write each frame's masks and its overlay, forget it."""
    fps = getattr(frames, "fps", None) or _DEFAULT_FPS
    with VideoWriter(video, fps) as writer:
        for t in tqdm(range(len(frames)), desc="track", unit="frame"):
            frame = frames[t]
            found = tracker.step(frame, prompts if t == 0 else ())
            write_indexed_mask(found.masks.cpu(), found.object_ids, masks / f"{frames.frame_names[t]}.png")
            writer.add(overlay(frame, found.masks.cpu(), found.object_ids))
