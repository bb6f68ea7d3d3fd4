"""Find the pictures that test runs leave behind, and put them into the page itself."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError, features

from robustvos.conditions import CLEAN
from robustvos.errors import UserError
from robustvos.evaluation.results import RunRecord
from robustvos.files.names import check_name
from robustvos.files.paths import under
from robustvos.report.sections import Section

_LEADING_GATES, _MOST_GATES = 2, 20


@dataclass(frozen=True)
class Strip:
    """One clip's row of frames, as truth and as a system's prediction."""

    clip: str
    corruption: str
    frames: tuple[int, ...]
    truth: Path
    prediction: Path


@dataclass(frozen=True)
class Prediction:
    """One system's row of a group: its name, the picture, and its score on this clip (``J&F 81.2``; may be empty)."""

    system: str
    path: Path
    score: str = ""

    @property
    def image(self) -> str:
        """The picture as a data URI."""
        return image_uri(self.path)


@dataclass(frozen=True)
class StripGroup:
    """One clip under one condition: the truth once, then the prediction of each system that shows the same frames."""

    condition: str
    clip: str
    frames: tuple[int, ...]
    truth_path: Path
    predictions: tuple[Prediction, ...]

    @property
    def truth(self) -> str:
        """The true masks' picture as a data URI."""
        return image_uri(self.truth_path)


@dataclass(frozen=True)
class GateFigure:
    """The gating masks of one clip by one system, as a data URI; ``leading``: open in the page from the start."""

    system: str
    clip: str
    image: str
    leading: bool = True


def strip_groups(section: Section) -> list[StripGroup]:
    """For each condition the clip and frames that most systems show, conditions in the order of the tables."""
    by_system = {name: {(s.corruption, s.clip, s.frames): s for s in find_strips(run)} for name, run in section.runs}
    runs = dict(section.runs)
    keys = {key for strips in by_system.values() for key in strips}
    order = section.tag_values("corruption")
    conditions = sorted({key[0] for key in keys}, key=lambda c: (order.index(c) if c in order else len(order), c))
    groups = []
    for condition in conditions:
        candidates = sorted(key for key in keys if key[0] == condition)
        best = max(candidates, key=lambda key: sum(key in strips for strips in by_system.values()))
        shown = [(name, strips[best]) for name, strips in by_system.items() if best in strips]
        predictions = tuple(Prediction(n, s.prediction, clip_score(runs[n], s.clip, condition)) for n, s in shown)
        groups.append(StripGroup(condition, best[1], best[2], shown[0][1].truth, predictions))
    return groups


def clip_score(run: RunRecord, clip: str, corruption: str) -> str:
    """The leading metric of one clip, mean over its objects, e.g. ``J&F 81.2``; empty where it is not defined.

    Args:
        run: A tested system.
        clip: Name of the clip, or of its strip's folder (``boat@fog``).
        corruption: Under which condition.
    """
    name, metric = clip.removesuffix(f"@{corruption}"), run.metrics[0]
    scores = [
        entry.scores.get(metric) for entry in run.objects if entry.video == name and entry.corruption == corruption
    ]
    known = [score for score in scores if score is not None]
    if not known:
        return ""
    mean = sum(known) / len(known)
    return f"{metric} {100 * mean:.1f}"


def write_strip_figures(groups: Sequence[StripGroup], folder: Path) -> list[Path]:
    """Each group as one PNG for a paper or a slide: the truth, then each system, named at the left.

    Systems whose pictures have another size than the truth are left out.

    Args:
        groups: Of one section.
        folder: Receives ``<condition>.png``; made if missing.
    """
    # Drawing needs torch, which a report without pictures does without.
    from robustvos.drawing.grid import GridRow, labelled_grid
    from robustvos.drawing.images import read_image, write_png

    written = []
    for group in groups:
        truth = read_image(group.truth_path)
        rows = [GridRow("truth", [truth])]
        for one in group.predictions:
            image = read_image(one.path)
            if image.shape == truth.shape:
                rows.append(GridRow(one.system, [image], one.score))
        title = f"{group.condition}: {group.clip}, {frames_text(group.frames)}"
        written.append(write_png(labelled_grid(rows, title=title), under(folder, f"{group.condition}.png")))
    return written


def find_strips(run: RunRecord) -> list[Strip]:
    """Every finished strip of a run: ``figures/strips/<clip>/{truth.png,prediction.png,strip.json}``.

    Raises:
        UserError: If a ``strip.json`` cannot be read or lacks a field; the text names both.
        UnsafePath: If it names a corruption that cannot be the name of a file.
    """
    root = run.folder / "figures" / "strips"
    strips = []
    for path in sorted(root.rglob("strip.json")):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            corruption, frames = facts.get("corruption") or CLEAN, tuple(int(f) for f in facts["frames"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: expected corruption and frames, got {error!r}; test the system again") from error
        check_name(corruption, f"{path}: corruption")  # a figure is named after it
        clip = path.parent.relative_to(root).as_posix()
        strips.append(Strip(clip, corruption, frames, path.with_name("truth.png"), path.with_name("prediction.png")))
    return strips


def gate_figures(section: Section) -> list[GateFigure]:
    """The gate pictures of each system that has any, ``figures/gates/**/*.png``; the first few of each lead."""
    figures = []
    for name, run in section.runs:
        root = run.folder / "figures" / "gates"
        for number, path in enumerate(sorted(root.rglob("*.png"))[:_MOST_GATES]):
            clip = path.relative_to(root).with_suffix("").as_posix()
            figures.append(GateFigure(name, clip, image_uri(path, lossless=True), number < _LEADING_GATES))
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
