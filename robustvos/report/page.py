"""One HTML page, and Markdown, LaTeX and CSV tables, from any number of runs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from robustvos.evaluation.results import RunRecord, find_results, load_result
from robustvos.files.paths import refuse_inputs_as_output, under
from robustvos.report import svg
from robustvos.report.bars import bar_chart
from robustvos.report.class_tables import class_tables
from robustvos.report.clip_browser import BrowsedClip, browse
from robustvos.report.curves import Chart, find_event_folders, training_charts
from robustvos.report.figures import (
    GateFigure,
    StripGroup,
    frames_text,
    gate_figures,
    strip_groups,
    write_strip_figures,
)
from robustvos.report.frame_charts import FrameChart, frame_charts
from robustvos.report.gate_sentences import gate_sentences
from robustvos.report.latex import latex_document
from robustvos.report.markdown import markdown_document
from robustvos.report.occlusion_charts import occlusion_charts
from robustvos.report.retention import retention_table, severity_charts
from robustvos.report.sections import Section, make_sections
from robustvos.report.table import Cell, Table, excludes_zero, is_emphasised, mean_text, spread_text
from robustvos.report.tables import section_tables
from robustvos.report.tidy_csv import csv_document

_HERE = Path(__file__).parent
_FULL_TONE = 0.10


@dataclass(frozen=True)
class SectionView:
    """What the template shows of a section."""

    section: Section
    anchor: str
    scores: list[Table]
    differences: list[Table]
    published: list[Table]
    costs: list[Table]
    bars: str
    slots: dict[str, int]
    strips: list[StripGroup]
    gates: list[GateFigure]
    classes: list[Table]
    frame_charts: list[FrameChart]
    occlusion_charts: list[Chart]
    retention: Table | None
    gate_sentences: list[str]
    clips_worst_first: list[BrowsedClip]

    @property
    def telling(self) -> set[str]:
        """Conditions whose pictures are open from the start: the first, and the hardest one for the first row."""
        table = self.scores[0]
        scored = [(c.mean, name) for name, c in zip(table.columns, table.rows[0].cells, strict=True) if c is not None]
        hardest = {min(scored)[1]} if scored else set()
        return {group.condition for group in self.strips[:1]} | hardest

    @property
    def legend(self) -> list[tuple[int, str]]:
        """Colour slot and name of each row."""
        return [(self.slots[name], name) for name, _ in self.section.runs]

    @property
    def clips(self) -> int:
        """Most clips that any run was tested on."""
        return max(len({entry.video for entry in run.objects}) for _, run in self.section.runs)


Tabled = tuple[Section, list[Table]]
"""A section and its tables."""


def tabled_sections(runs: Sequence[Path], reference: str = "sam2") -> list[Tabled]:
    """Every ``results.json`` at or beneath ``runs``, in sections of what may share a table; arguments and errors as below."""
    sections = make_sections([load_result(path) for path in find_results(runs)], reference)
    return [(section, section_tables(section, reference)) for section in sections]


def build_report(
    runs: Sequence[Path],
    out: Path,
    *,
    title: str = "robustvos report",
    reference: str = "sam2",
    leading: Sequence[Table] = (),
    tabled: Sequence[Tabled] | None = None,
    curves: Sequence[Chart] = (),
) -> Path:
    """Write ``index.html``, ``tables.md``, ``tables.tex`` and ``tables.csv`` under ``out``.

    Where runs left strips, ``strips/<section>/<condition>.png`` shows truth and systems under one another.

    The page holds everything it shows: no file beside it and no network is needed to read it.

    Args:
        runs: Folders, searched recursively for ``results.json`` and TensorBoard event files, or ``results.json`` files.
        out: Folder to write to; made if missing. Each file is replaced as a whole.
        title: Heading of the page.
        reference: System that the others are compared with.
        leading: Tables that come first: those of an experiment, whose rows may be of several datasets.
        tabled: What :func:`tabled_sections` gives, where it is made already.
        curves: Charts below the leading tables.

    Returns:
        Path of ``index.html``.

    Raises:
        DataNotFound: If no ``results.json`` is found; the text says where it looked.
        BadResults: If one cannot be used; the text names file and field.
        UnsafePath: If ``out`` is or contains one of ``runs``; it may lie in one.
    """
    runs = [Path(path) for path in runs]
    refuse_inputs_as_output(out, runs)
    tabled = tabled_sections(runs, reference) if tabled is None else tabled
    sections = [section for section, _ in tabled]
    results = sorted(
        (run for s in sections for run in (*(r for _, r in s.runs), *s.superseded)), key=lambda run: str(run.path)
    )
    slots, anchors = system_slots(results, reference), _anchors(sections)
    views = [
        _view(section, tables, slots, reference, anchor)
        for (section, tables), anchor in zip(tabled, anchors, strict=True)
    ]
    html = (
        environment()
        .get_template("template.html")
        .render(
            title=title,
            reference=reference,
            leading=leading,
            curves=curves,
            sections=views,
            severities=severity_charts(results, system_slots(results, reference)),
            charts=training_charts(find_event_folders(runs), system_slots(results, reference)),
            runs=sorted(results, key=lambda run: (run.dataset, run.protocol, run.system, run.created)),
            superseded=[run for section in sections for run in section.superseded],
        )
    )
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    tabled = [
        (view.section, [*tables, *([view.retention] if view.retention else []), *view.classes])
        for view, (_, tables) in zip(views, tabled, strict=True)
    ]
    for view in views:
        write_strip_figures(view.strips, under(out, "strips", view.anchor))
    _write(out / "tables.md", markdown_document(title, tabled, leading))
    _write(out / "tables.tex", latex_document(title, tabled, leading))
    _write(out / "tables.csv", csv_document(tabled, leading))
    return _write(out / "index.html", html)


def system_slots(results: Sequence[RunRecord], reference: str) -> dict[str, int]:
    """Colour slot of each system, the same in every chart of the page; the reference has slot 0."""
    others = sorted({run.system for run in results} - {reference})
    return {reference: 0, **{system: index for index, system in enumerate(others, start=1)}}


def _anchors(sections: Sequence[Section]) -> list[str]:
    """Titles as they may stand in an address, numbered from the second of a kind on."""
    found: list[str] = []
    for section in sections:
        plain = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-")
        found.append(next(name for n in count(1) if (name := plain if n == 1 else f"{plain}-{n}") not in found))
    return found


def _view(
    section: Section, tables: Sequence[Table], systems: dict[str, int], reference: str, anchor: str
) -> SectionView:
    scores = [table for table in tables if table.kind in ("scores", "amodal")]
    slots = _row_slots(section, systems)
    strips = strip_groups(section)
    return SectionView(
        section=section,
        anchor=anchor,
        scores=scores,
        differences=[table for table in tables if table.kind == "differences"],
        published=[table for table in tables if table.kind == "published"],
        costs=[table for table in tables if table.kind == "costs"],
        bars=bar_chart(scores[0], [slots[row.name] for row in scores[0].rows]),
        slots=slots,
        strips=strips,
        gates=gate_figures(section),
        classes=class_tables(section),
        frame_charts=frame_charts(section, slots, reference),
        occlusion_charts=occlusion_charts(section, slots),
        retention=retention_table(section),
        gate_sentences=gate_sentences(section),
        clips_worst_first=browse(section, strips),
    )


def _row_slots(section: Section, systems: dict[str, int]) -> dict[str, int]:
    """A slot for each row: its system's, or a free one where a system has several rows."""
    slots: dict[str, int] = {}
    free = max(systems.values()) + 1
    for name, run in section.runs:
        slot = systems[run.system]
        if slot in slots.values():
            slot, free = free, free + 1
        slots[name] = slot
    return slots


def environment() -> Environment:
    """Templates of this folder, and what they call."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        mean=lambda table, cell: _typeset(mean_text(table, cell)),
        spread=lambda table, cell: _typeset(spread_text(table, cell)),
        is_emphasised=is_emphasised,
        tone=tone,
        breakable=_breakable,
        colour=svg.colour,
        frames_text=frames_text,
        count=_count,
        when=lambda created: created[:16].replace("T", " "),
    )
    return environment


def tone(table: Table, cell: Cell | None) -> tuple[str, float]:
    """CSS class (``up``, ``down`` or none) and strength in [0, 1] of a cell's background.

    Only differences whose interval excludes zero are toned; ten points and more are full strength.
    """
    if table.kind != "differences" or cell is None or not excludes_zero(cell):
        return "", 0.0
    return "up" if cell.mean > 0 else "down", min(1.0, 0.25 + 0.75 * abs(cell.mean) / _FULL_TONE)


def _typeset(text: str) -> str:
    """A figure with real minus signs; a dash of its own where there is none."""
    return "\N{EN DASH}" if text == "-" else text.replace("-", "\N{MINUS SIGN}")


def _breakable(text: str) -> Markup:
    """A name that may break after its underscores."""
    return Markup("_<wbr>").join(text.split("_"))


def _count(value: Any) -> str:
    """A parameter count for people.

    >>> _count(1094112), _count(80800000), _count(512), _count(None)
    ('1.09 M', '80.8 M', '512', '-')
    """
    if not isinstance(value, int | float):
        return "-"
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    return f"{value / 1e3:.3g} k" if value >= 1e4 else f"{value:.0f}"


def _write(path: Path, text: str) -> Path:
    """Replace a file as a whole: a reader never sees half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
