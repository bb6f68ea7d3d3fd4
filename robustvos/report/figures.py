"""Find the pictures that test runs leave behind, and put them into the page itself."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError, features

from robustvos.errors import UserError
from robustvos.report.results import RunResult
from robustvos.report.sections import CLEAN, Section

_GATES_PER_SYSTEM = 2


@dataclass(frozen=True)
class Strip:
    """One clip's row of frames, as truth and as a system's prediction."""

    clip: str
    corruption: str
    frames: tuple[int, ...]
    truth: Path
    prediction: Path


@dataclass(frozen=True)
class StripGroup:
    """One clip under one condition: the truth once, then each system's prediction. Images are data URIs."""

    condition: str
    clip: str
    frames: tuple[int, ...]
    truth: str
    predictions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GateFigure:
    """The gating masks of one clip by one system, as a data URI."""

    system: str
    clip: str
    image: str


def strip_groups(section: Section) -> list[StripGroup]:
    """For each condition the clip that most systems show, conditions in the order of the tables."""
    by_system = {name: {(s.corruption, s.clip): s for s in find_strips(run)} for name, run in section.runs}
    keys = {key for strips in by_system.values() for key in strips}
    order = section.tag_values("corruption")
    conditions = sorted({c for c, _ in keys}, key=lambda c: (order.index(c) if c in order else len(order), c))
    groups = []
    for condition in conditions:
        clips = sorted(clip for c, clip in keys if c == condition)
        best = max(clips, key=lambda clip: sum((condition, clip) in strips for strips in by_system.values()))
        shown = [(name, strips[condition, best]) for name, strips in by_system.items() if (condition, best) in strips]
        first = shown[0][1]
        predictions = tuple((name, image_uri(strip.prediction)) for name, strip in shown)
        groups.append(StripGroup(condition, best, first.frames, image_uri(first.truth), predictions))
    return groups


def find_strips(run: RunResult) -> list[Strip]:
    """Every finished strip of a run: ``figures/strips/<clip>/{truth.png,prediction.png,strip.json}``.

    Raises:
        UserError: If a ``strip.json`` cannot be read or lacks a field; the text names both.
    """
    root = run.folder / "figures" / "strips"
    strips = []
    for path in sorted(root.rglob("strip.json")):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            corruption, frames = str(facts.get("corruption") or CLEAN), tuple(int(f) for f in facts["frames"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: expected corruption and frames, got {error!r}; test the system again") from error
        clip = path.parent.relative_to(root).as_posix()
        strips.append(Strip(clip, corruption, frames, path.with_name("truth.png"), path.with_name("prediction.png")))
    return strips


def gate_figures(section: Section) -> list[GateFigure]:
    """The first few gate pictures of each system that has any: ``figures/gates/**/*.png``."""
    figures = []
    for name, run in section.runs:
        root = run.folder / "figures" / "gates"
        for path in sorted(root.rglob("*.png"))[:_GATES_PER_SYSTEM]:
            clip = path.relative_to(root).with_suffix("").as_posix()
            figures.append(GateFigure(name, clip, image_uri(path, lossless=True)))
    return figures


def image_uri(path: Path, max_width: int = 1600, lossless: bool = False) -> str:
    """An image file as a ``data:`` URI, re-encoded (WebP, else JPEG) where that makes it smaller.

    Args:
        path: The image.
        max_width: Wider images are reduced to this many pixels; lossless ones are left alone.
        lossless: Keep every pixel (line art).

    Raises:
        UserError: If the file is missing or no image.
    """
    try:
        original = path.read_bytes()
        with Image.open(io.BytesIO(original)) as opened:
            kind, image = (opened.format or "PNG").lower(), opened.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{path}: not a readable image ({error}); test the system again") from error
    if lossless:
        return _data_uri(original, kind)
    if image.width > max_width:
        image = image.resize((max_width, round(image.height * max_width / image.width)), Image.Resampling.LANCZOS)
    buffer, lossy = io.BytesIO(), "webp" if features.check("webp") else "jpeg"
    # Method 2 of 6: half the time of the default for a few per cent more bytes. JPEG does not know the option.
    image.save(buffer, lossy, quality=88, **({"method": 2} if lossy == "webp" else {}))
    if buffer.tell() < len(original):
        return _data_uri(buffer.getvalue(), lossy)
    return _data_uri(original, kind)


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def frames_text(frames: Sequence[int]) -> str:
    """Frame numbers for a caption.

    >>> frames_text((0, 5, 10))
    'frames 0, 5, 10'
    """
    return f"frame{'' if len(frames) == 1 else 's'} {', '.join(map(str, frames))}" if frames else ""
