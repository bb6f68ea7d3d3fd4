"""Figures of a set of clips, beside those that the paper prints of Real-VAS: rows of its Tables 1, 6 and 7."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustvos.files.stage import Result
from robustvos.realvas.camera import SOURCES
from robustvos.realvas.composite import read_clips

KINDS = ("occlusion", "surface", "articulated", "mobile")

PUBLISHED: dict[str, Any] = {
    "clips": 400,
    "frames": 21_436,
    "objects": 160,
    "prevalence": 0.650,
    "severity": 0.600,
    "length": (14, 329, 54.0),
    "fps": (10.0, 60.0, 16.0),
    "resolution": ("480x640", "1080x1920", "1080x1920"),
    "occlusion": 300,
    "surface": 35,
    "articulated": 36,
    "mobile": 29,
}
"""What the paper's Tables 1, 6 and 7 say; lengths, rates: least, greatest, mean; resolutions: least, greatest, commonest."""


@dataclass(frozen=True)
class ClipStats:
    """Figures of a set of clips; the keys of :data:`PUBLISHED`."""

    figures: dict[str, Any]

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, ours and published, as text."""
        return [(name, _text(self.figures.get(name)), _text(value)) for name, value in PUBLISHED.items()]

    def text(self) -> str:
        """A table for a terminal."""
        rows = [("", "this set", "Real-VAS, published"), *self.rows()]
        wide = [max(len(row[k]) for row in rows) for k in range(3)]
        return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows)


def measure_clips(clips: Sequence[Result]) -> ClipStats:
    """Count and average.

    Prevalence is the share of object frames with any occlusion (more than .005 of the object), severity the mean hidden share
    of these. Each clip has one object. Objects are counted by the tracks that clips are made of.

    Args:
        clips: Records of clips; figures ``frames``, ``fps``, ``size``, ``category``, ``prevalence``, ``severity``, ``object``.
    """
    figures: dict[str, Any] = {"clips": len(clips)}
    kinds = Counter(clip.figures["category"] for clip in clips)
    figures |= {kind: kinds[kind] for kind in KINDS}
    if not clips:
        return ClipStats(figures)
    lengths = [clip.figures["frames"] for clip in clips]
    occluded = [clip.figures["prevalence"] * clip.figures["frames"] for clip in clips]
    severities = [clip.figures["severity"] for clip in clips]
    rates = [float(clip.figures["fps"]) for clip in clips]
    sizes = [tuple(sorted(clip.figures["size"])) for clip in clips]
    total = sum(occluded)
    figures |= {
        "frames": sum(lengths),
        "objects": len({clip.figures["object"] for clip in clips}),
        "prevalence": total / sum(lengths),
        "severity": sum(s * n for s, n in zip(severities, occluded, strict=True)) / total if total else 0.0,
        "length": (min(lengths), max(lengths), sum(lengths) / len(lengths)),
        "fps": (min(rates), max(rates), sum(rates) / len(rates)),
        "resolution": tuple(
            f"{a}x{b}" for a, b in (min(sizes), max(sizes), Counter(sorted(sizes)).most_common(1)[0][0])
        ),
    }
    return ClipStats(figures)


def stats_of(root: str | os.PathLike[str]) -> ClipStats:
    """Figures of the clips of a run."""
    return measure_clips(read_clips(Path(root), SOURCES))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return " / ".join(_text(part) for part in value)
    if isinstance(value, float):
        return f"{value:.1%}" if value < 1 else f"{value:g}" if value == round(value) else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
