"""From videos to clips: how many of what were kept, and why the others were not."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustvos.errors import DataNotFound
from robustvos.files.stage import StageResults, open_results
from robustvos.realvas.plugins import EMBEDDED
from robustvos.realvas.propagate import SEVERAL
from robustvos.realvas.reasons import meaning

STAGES = ("ingest", "discover", "motion", "align", "filter", "combine", "propagate", "composite", "contain", "camera")
_KEPT = {
    "ingest": "shots of a static camera",
    "discover": "tracks",
    "motion": "dynamic tracks",
    "align": "candidates: a pair of tracks and a shift",
    "filter": "plausible candidates",
    "combine": "combinations of several occluders",
    "propagate": "tracks at native rate",
    "composite": "clips",
    "contain": "clips of contained objects",
    "camera": "clips in all",
}


@dataclass(frozen=True)
class FunnelRow:
    """One line: how many of what, and why.

    Attributes:
        what: Kept things, or indented, rejected ones.
        count: How many.
        why: For rejections, an example; else empty.
    """

    what: str
    count: int
    why: str = ""


@dataclass(frozen=True)
class Funnel:
    """Counts of a run.

    Attributes:
        videos: Number of sources.
        results: Of the stages that have run, in order.
    """

    videos: int
    results: Mapping[str, StageResults]

    def rows(self) -> list[FunnelRow]:
        """What each stage kept, and below it what it rejected, the commonest reason first."""
        rows = [FunnelRow("videos", self.videos)]
        for stage, results in self.results.items():
            if stage in ("combine", "contain") and not results.results and not results.missing:
                continue
            kept = {r.key.removesuffix(SEVERAL) for r in results.kept} if stage == "propagate" else results.kept
            rows.append(FunnelRow(_KEPT.get(stage, stage), len(kept)))
            rows += _notes(stage, results)
            review = sum(bool(r.figures.get("needs_review")) for r in results.kept)
            if stage in ("filter", "combine", "composite") and review:
                rows.append(
                    FunnelRow("   of them to be reviewed", review, "not decidable without depth; left out of publish")
                )
            if results.missing:
                rows.append(FunnelRow(f"   items still to be done by {stage}", results.missing))
            counts = Counter(result.reason for result in results.rejected)
            for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0]))):
                example = next(r for r in results.rejected if r.reason == reason)
                rows.append(
                    FunnelRow(f"   rejected: {reason}", count, f"e.g. {example.key}: {describe(example.figures)}")
                )
        return rows

    def text(self) -> str:
        """The rows as lines for a terminal."""
        rows = self.rows()
        wide = max(len(row.what) for row in rows)
        return "\n".join(f"{row.what:<{wide}} {row.count:>6}  {row.why}".rstrip() for row in rows)


def contained_lines(results: StageResults) -> list[str]:
    """One line on each clip of the stage ``contain``, and on what to do where its container was lost."""
    lines = []
    for result in results.results:
        f = result.figures
        if not result.kept:
            lines.append(f"{result.key}: no clip: {result.reason}, {describe(f)}")
            lines.append(f"   {meaning(result.reason)}")
            continue
        stop = f["stop"]
        ends = "" if stop is None else f"; ends before frame {stop['frame']}: {stop['reason']}"
        least = f["confidence"][0]
        hidden = (
            f"{f['category']}, {f['frames']} frames, {f['hidden_frames']} of them hidden, least confidence {least:.2f}"
        )
        lines.append(f"{result.key}: {hidden}{ends}")
        if "to_go_on" in f:
            lines.append(f"   {f['to_go_on']}")
    return lines


def _notes(stage: str, results: StageResults) -> list[FunnelRow]:
    """What else is to be said of a stage: its plugin, clips that end early, cameras that were emulated."""
    notes = []
    kind, name = _PLUGINS.get(stage, ("", ""))
    chosen = results.settings.get(name)
    if chosen is not None and chosen != EMBEDDED[kind]:
        notes.append(FunnelRow(f"   by {kind} {chosen}", len(results.kept)))
    if stage == "contain":
        early = [r for r in results.kept if r.figures["stop"] is not None]
        for reason, count in sorted(Counter(r.figures["stop"]["reason"] for r in early).items()):
            one = next(r for r in early if r.figures["stop"]["reason"] == reason)
            where = f"e.g. {one.key} before frame {one.figures['stop']['frame']}"
            notes.append(FunnelRow(f"   of them end early: {reason}", count, where))
    if stage == "camera":
        moved = sum(r.figures["motion"] not in ("static", "as recorded") for r in results.kept)
        notes.append(FunnelRow("   of them with an emulated camera motion", moved))
    return notes


_PLUGINS = {
    "discover": ("detector", "detector"),
    "motion": ("points", "tracker"),
    "filter": ("depth", "depth"),
    "propagate": ("depth", "depth"),
    "composite": ("matte", "matte"),
    "contain": ("points", "points"),
}


def read_funnel(root: str | os.PathLike[str], videos: int, stages: Sequence[str] = STAGES) -> Funnel:
    """The funnel of a run, as far as it has come."""
    found = {}
    for stage in stages:
        try:
            found[stage] = open_results(Path(root), stage, complete=False)
        except DataNotFound:
            continue
    return Funnel(videos, found)


def describe(figures: Mapping[str, object], limit: int = 6) -> str:
    """The numbers and words among figures, in short; where there are none, what else there is."""
    if "message" in figures:
        return str(figures["message"])
    told = [(k, v) for k, v in figures.items() if k not in _UNTOLD and not isinstance(v, bool)]
    plain = [(k, v) for k, v in told if isinstance(v, (int, float, str))]
    return ", ".join(f"{k} {v}" for k, v in (plain or told or list(figures.items()))[:limit])


_UNTOLD = {
    "shot",
    "camera",
    "role",
    "first",
    "second",
    "step",
    "start",
    "fps",
    "rank",
    "score",
    "frames",
    "behind",
    "front",
}
