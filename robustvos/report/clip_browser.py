"""The clips of a section, the worst first, with what there is to see of them side by side."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw

from robustvos.evaluation.records import sequence_name
from robustvos.files.paths import under
from robustvos.report.figures import StripGroup
from robustvos.report.sections import Section

MOST = 60
"""Clips that the page lists of a section."""
VIDEO_MIB = 8.0
"""What the videos of a section may take in the page: the worst clips have theirs, as far as that reaches."""
_GAP, _HEIGHT, _MS = 4, 200, 700


@dataclass(frozen=True)
class BrowsedClip:
    """One clip under one condition.

    Attributes:
        name: Of the clip.
        condition: Its corruption.
        scores: Row name and leading metric, formatted; ``-`` where a system was not tested on it.
        worst: The lowest score, by which clips are ordered.
        videos: Row name and video, of every frame, as a data URI; empty where no system left one, or the page is full.
        moving: Where there is no video, an animated picture of a few frames, truth and systems side by side, as a data URI;
            empty where no system left strips.
    """

    name: str
    condition: str
    scores: tuple[tuple[str, str], ...]
    worst: float
    videos: tuple[tuple[str, str], ...] = ()
    moving: str = ""


def browse(section: Section, strips: list[StripGroup]) -> list[BrowsedClip]:
    """Every clip and condition that was tested, the lowest score of any system first; at most :data:`MOST`."""
    metric = section.metrics[0]
    scores: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, run in section.runs:
        for record in run.objects:
            value = record.scores.get(metric)
            if value is not None:
                scores[record.video, record.corruption][name].append(value)
    seen = {(group.clip.removesuffix(f"@{group.condition}"), group.condition): group for group in strips}
    clips = []
    for (video, condition), of in scores.items():
        means = {name: sum(values) / len(values) for name, values in of.items()}
        shown = tuple((name, f"{100 * means[name]:.1f}" if name in means else "-") for name, _ in section.runs)
        clips.append(BrowsedClip(video, condition, shown, min(means.values())))
    listed = sorted(clips, key=lambda clip: (clip.worst, clip.name, clip.condition))[:MOST]
    left = VIDEO_MIB * 2**20
    found: list[BrowsedClip] = []
    for clip in listed:
        films = _videos(section, clip)
        left -= sum(path.stat().st_size for _, path in films)
        group = seen.get((clip.name, clip.condition))
        if films and left >= 0:
            found.append(
                replace(clip, videos=tuple((name, _uri(path.read_bytes(), "video/mp4")) for name, path in films))
            )
        else:
            found.append(replace(clip, moving=moving_picture(group) if group else ""))
    return found


def _videos(section: Section, clip: BrowsedClip) -> list[tuple[str, Path]]:
    """Those that tests have left of a clip, as :class:`callbacks.ClipVideos` names them."""
    name = f"{sequence_name(clip.name, clip.condition)}.mp4"
    paths = [(row, under(run.folder, "figures", "videos", name)) for row, run in section.runs]
    return [(row, path) for row, path in paths if path.is_file()]


def _uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def moving_picture(group: StripGroup) -> str:
    """Frame after frame, truth and predictions side by side with their names, as an animated WebP; empty if sizes differ."""
    named: list[tuple[str, Path]] = [
        ("truth", group.truth_path),
        *((one.system, one.path) for one in group.predictions),
    ]
    count = len(group.frames)
    rows = [_cut(path, count) for _, path in named]
    if not count or any(len(row) != count or row[0].size != rows[0][0].size for row in rows):
        return ""
    width, height = rows[0][0].size
    pictures = []
    for t in range(count):
        canvas = Image.new("RGB", (len(rows) * (width + _GAP) - _GAP, height + 16), "white")
        draw = ImageDraw.Draw(canvas)
        for place, ((name, _), row) in enumerate(zip(named, rows, strict=True)):
            canvas.paste(row[t], (place * (width + _GAP), 16))
            draw.text(
                (place * (width + _GAP) + 2, 2), f"{name}, frame {group.frames[t]}" if not place else name, fill="black"
            )
        pictures.append(canvas)
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "WEBP", save_all=True, append_images=pictures[1:], duration=_MS, loop=0, quality=70, method=2
    )
    return _uri(buffer.getvalue(), "image/webp")


def _cut(path: Path, count: int) -> list[Image.Image]:
    """The frames of a strip; nothing where it does not divide into so many."""
    with Image.open(path) as opened:
        whole = opened.convert("RGB")
    width = (whole.width + _GAP) // count - _GAP if count else 0
    if width < 1 or (width + _GAP) * count - _GAP != whole.width:
        return []
    frames = [whole.crop((t * (width + _GAP), 0, t * (width + _GAP) + width, whole.height)) for t in range(count)]
    if whole.height > _HEIGHT:
        size = (max(1, round(width * _HEIGHT / whole.height)), _HEIGHT)
        frames = [frame.resize(size, Image.Resampling.LANCZOS) for frame in frames]
    return frames
