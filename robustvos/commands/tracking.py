"""What ``track`` does: a video is streamed through one system or two, and what they find is written as it comes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robustvos.commands.mask_format import MaskFormat
from robustvos.commands.track_follow import Follower
from robustvos.commands.track_outputs import Pictures, Results
from robustvos.commands.track_prompts import Prompts
from robustvos.errors import BadPrompt, UserError
from robustvos.progress import progress_bar
from robustvos.systems.loading import load_system
from robustvos.systems.system import System
from robustvos.video.frames import Frames
from robustvos.video.live import LiveFrames, is_live

_DEFAULT_FPS = 24.0  # of folders and cameras, which do not say


def check_frames(prompts: Prompts, length: int | None, video: str) -> None:
    """Check prompts against the length of a video.

    Raises:
        BadPrompt: If one is for a frame beyond the end, or an object is removed before it is shown.
    """
    if length is not None and prompts.last_frame >= length:
        raise BadPrompt(
            f"a prompt is for frame {prompts.last_frame}, but {video} has frames 0 to {length - 1}; check --frame or the file"
        )
    first = prompts.first()
    for frame, object_ids in prompts.removals.items():
        for object_id in object_ids:
            if object_id not in first or first[object_id].frame >= frame:
                raise BadPrompt(
                    f"object {object_id} is removed on frame {frame}, before any prompt shows it; prompt it first, or leave "
                    "the removal out"
                )


def put(source: Path, target: Path) -> None:
    """Move what is finished to its place."""
    if target.is_dir():  # empty, or it would have been refused
        target.rmdir()
    source.replace(target)


def compared(
    name: str, system: System, sam2: str | Mapping[str, Any] | None, settings: Mapping[str, Any] | None
) -> System:
    """The second system; by the name ``sam2`` the first one's base alone."""
    if "/" in name or name.startswith("."):
        raise UserError(f"--compare {name}: give a name in configs/model, e.g. sam2")
    base = {key: value for key, value in (settings or {}).items() if key.startswith("sam2")}
    other = System(system.sam2, name=name) if name == "sam2" else load_system(name, sam2=sam2, settings=base)
    if other.name == system.name and other.sam2 == system.sam2:
        raise UserError(f"--compare {name} is what tracks already; choose another --compare, or another --model")
    return other


def name_of(video: str) -> str:
    """Of a video in the files that are written."""
    if is_live(video):
        return "live"
    path = Path(video).absolute()
    return path.name if path.is_dir() else path.stem


@contextmanager
def parts_of(out: Path) -> Iterator[Path]:
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


def usable_device(name: str) -> torch.device:
    """The device of a name; ``auto``: a GPU if there is one.

    Raises:
        UserError: If it cannot be used here.
    """
    try:
        place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name} cannot be used here; give cpu, cuda, or auto") from error
    return place


def stream(
    frames: Frames | LiveFrames,
    limit: int | None,
    followers: Sequence[Follower],
    out: Path,
    kind: MaskFormat,
    name: str,
    overlay: bool,
) -> int:
    """Follow through each frame, write what was found, forget it; returns how many there were."""
    live = isinstance(frames, LiveFrames)
    names = [follower.system.name for follower in followers]
    aspect = Fraction(1) if isinstance(frames, LiveFrames) else frames.pixel_aspect
    count = 0
    with ExitStack() as stack:
        places = [out, *(out / other for other in names[1:])]
        results = [stack.enter_context(Results(place, kind, name)) for place in places]
        pictures = stack.enter_context(Pictures(out, frames.fps or _DEFAULT_FPS, aspect, names)) if overlay else None
        bar = progress_bar(_numbered(frames, limit), desc="track", unit="frame", total=_total(frames, limit))
        try:
            for frame, frame_name in bar:
                found = [follower.step(frame) for follower in followers]
                for result, one in zip(results, found, strict=True):
                    result.add(one, count, frame_name)
                if pictures is not None:
                    pictures.add(frame, found, followers[0].prompts.on(count), count)
                count += 1
        except KeyboardInterrupt:
            if not live or not count:
                raise
        finally:
            if isinstance(frames, LiveFrames):
                frames.close()
    return count


def _numbered(frames: Frames | LiveFrames, limit: int | None) -> Iterator[tuple[Tensor, str]]:
    """Frames and their names."""
    if isinstance(frames, LiveFrames):
        for t, frame in enumerate(frames):
            yield frame, f"{t:05d}"
            if t + 1 == limit:
                return
    else:
        for t in range(min(len(frames), limit or len(frames))):
            yield frames[t], frames.frame_names[t]


def _total(frames: Frames | LiveFrames, limit: int | None) -> int | None:
    return limit if isinstance(frames, LiveFrames) else min(len(frames), limit or len(frames))
