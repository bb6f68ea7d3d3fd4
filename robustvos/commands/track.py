"""``cli.py track``: follow objects through any video, streaming; indexed masks and an overlay video out."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from robustvos.commands.system import load_trained_system
from robustvos.commands.tool import run_tool
from robustvos.errors import BadMask, BadPrompt, UserError
from robustvos.report.draw import overlay
from robustvos.sam2.prompts import check_prompt
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
    model: str | None = None,
    sam2: str | None = None,
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
        model: A name in configs/model; sam2 is the frozen model. By default moga, or what ckpt_path was trained as.
        sam2: A name in configs/sam2. By default nano, or what ckpt_path was trained on.
        ckpt_path: Trained adapter, of a run or exported; by default the one that is shipped with the base.
        device: cpu, cuda, or auto.
    """
    place = _device(device)
    frames = open_frames(video)
    prompts = first_prompts(frames, box or [], point or [], mask)
    masks, overlaid = out / "masks", out / "overlay.mp4"
    if masks.is_dir() and any(masks.iterdir()):
        raise UserError(f"{masks} already holds masks; choose another --out, or remove it")
    system = load_trained_system(model, sam2, ckpt_path).to(place)
    with _parts_of(out) as parts:
        tracker = Tracker(system.model, num_frames=len(frames))
        restore = (lambda frame: frame) if system.restorer is None else system.restorer
        _stream(frames, prompts, tracker, restore, parts / masks.name, parts / overlaid.name)
        if masks.is_dir():
            masks.rmdir()
        for path in (masks, overlaid):
            (parts / path.name).replace(path)
    if system.base == "nano" and ckpt_path is None:
        print("nano has seen drawn shapes alone; for real video take published weights: --sam2 sam2.1_hiera_t")
    print(f"{len(frames)} frames, {len(prompts)} object(s), {system.name} on {system.base}: {masks}, {overlaid}")


@contextmanager
def _parts_of(out: Path) -> Iterator[Path]:
    """A folder inside ``out`` for what is not finished; goes with the block, and ``out`` too if it holds nothing else."""
    existed = out.exists()
    parts = out / f".{uuid.uuid4().hex}.tmp"
    try:
        parts.mkdir(parents=True)
        yield parts
    except OSError as error:
        raise UserError(
            f"cannot write {out}: {error.strerror or error}; free space there or choose another --out"
        ) from error
    finally:
        shutil.rmtree(parts, ignore_errors=True)
        if not existed and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _device(name: str) -> torch.device:
    try:
        place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name} cannot be used here; give cpu, cuda, or auto") from error
    return place


def first_prompts(frames: Frames, boxes: Sequence[str], points: Sequence[str], mask: Path | None) -> list[Prompt]:
    """Prompts of the first frame from what was typed, checked against it.

    Raises:
        BadPrompt: If nothing, or a mixture that cannot be meant, was given; a number cannot be read; or a point or box
            lies outside of the frame.
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
    prompts = _typed_prompts(boxes, points)
    for prompt in prompts:
        check_prompt(prompt, frames.size)
    return prompts


def _typed_prompts(boxes: Sequence[str], points: Sequence[str]) -> list[Prompt]:
    clicks = [_numbers(text, (2, 3), "--point x,y or x,y,0") for text in points]
    if any(len(click) == 3 and click[2] not in (0, 1) for click in clicks):
        raise BadPrompt("the third number of --point is 1 inside the object, 0 outside of it")
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


def _stream(
    frames: Frames,
    prompts: Sequence[Prompt],
    tracker: Tracker,
    restore: Callable[[torch.Tensor], torch.Tensor],
    masks: Path,
    video: Path,
) -> None:
    """Track each frame as restored, write its masks and its overlay, forget it."""
    fps = getattr(frames, "fps", None) or _DEFAULT_FPS
    with VideoWriter(video, fps) as writer:
        for t in tqdm(range(len(frames)), desc="track", unit="frame", disable=None):
            frame = frames[t]
            found = tracker.step(restore(frame), prompts if t == 0 else ())
            write_indexed_mask(found.masks.cpu(), found.object_ids, masks / f"{frames.frame_names[t]}.png")
            writer.add(overlay(frame, found.masks.cpu(), found.object_ids))
