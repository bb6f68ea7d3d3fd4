"""The record every writer takes: a table of estimates, free of any format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from robustvos.evaluation.bootstrap import VISIBLE
from robustvos.report.significance import p_text


@dataclass(frozen=True)
class Cell:
    """One figure. Scores and differences are fractions (0.789, never 78.9); NaN means undefined or not given.

    Attributes:
        mean: The figure.
        low: Lower end of its 95 % interval.
        high: Upper end.
        std: Standard deviation over videos.
        videos: Videos behind it; 0 if unknown.
        objects: Objects behind it; 0 if unknown.
        p: Of a paired difference: Wilcoxon's, corrected over conditions.
        error: Standard error of the figure.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    std: float = math.nan
    videos: int = 0
    objects: int = 0
    p: float = math.nan
    error: float = math.nan


@dataclass(frozen=True)
class Row:
    """One system's figures.

    Attributes:
        name: Of the system.
        cells: A figure a column.
        source: Empty for what was measured, else the publication it was copied from.
        about: Words about the system, one for each heading of :attr:`Table.about`.
    """

    name: str
    cells: tuple[Cell | None, ...]
    source: str = ""
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows of systems, columns of conditions or metrics.

    Attributes:
        kind: ``scores``, ``differences``, ``amodal``, ``published`` or ``costs`` (whole numbers).
        title: One line.
        caption: What the figures are and how to read them.
        columns: Heading of each column, without the first one (the system).
        rows: The figures; each row has one cell per column, None where there is nothing.
        metrics: Metric of each column.
        percent: Show as percentages with one decimal, else as fractions with three.
        spread: What follows the mean: a 95 % interval, a standard deviation, both, or nothing where they are unknown.
        about: Headings of words between a system's name and its figures.
        visible: Of differences: in parentheses, behind the interval, stands the least true difference that would have been
            seen (:data:`robustvos.evaluation.bootstrap.VISIBLE` standard errors), where it is known.
    """

    kind: Literal["scores", "differences", "amodal", "published", "costs"]
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]
    percent: bool = True
    spread: Literal["interval", "std", "both"] = "interval"
    about: tuple[str, ...] = ()
    visible: bool = False

    def about_of(self, row: Row) -> tuple[str, ...]:
        """What is said of a row's system under each heading of ``about``; a dash where nothing is known."""
        return tuple(text or "-" for text in (row.about or ("",) * len(self.about))) if self.about else ()

    @property
    def column_notes(self) -> tuple[str, ...]:
        """Videos behind each column, e.g. ``12 videos`` or ``9-12 videos``; empty where unknown."""
        return tuple(_videos_note([row.cells[i] for row in self.rows]) for i in range(len(self.columns)))


def _videos_note(cells: Sequence[Cell | None]) -> str:
    counts = sorted({cell.videos for cell in cells if cell is not None and cell.videos})
    if not counts:
        return ""
    text = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    return f"{text} video{'' if counts[-1] == 1 else 's'}"


def mean_text(table: Table, cell: Cell | None) -> str:
    """The figure alone, as ``table`` shows it; a dash where there is none.

    >>> table = Table("differences", "", "", ("fog",), (), ("J",))
    >>> mean_text(table, Cell(0.0234)), mean_text(table, None)
    ('+2.3', '-')
    """
    return "-" if cell is None else _number(table, cell.mean)


def spread_text(table: Table, cell: Cell | None) -> str:
    """What follows the mean: ``[75.1, 82.0]``, ``± 0.217``, both, or nothing where it is unknown; and what could be seen.

    >>> table = Table("scores", "", "", ("fog",), (), ("J",))
    >>> spread_text(table, Cell(0.789, 0.751, 0.82))
    '[75.1, 82.0]'
    >>> table = Table("differences", "", "", ("fog",), (), ("J",), visible=True)
    >>> spread_text(table, Cell(0.01, -0.002, 0.022, error=0.005))
    '[-0.2, +2.2] (1.4)'
    """
    if cell is None or math.isnan(cell.mean):
        return ""
    std = "" if math.isnan(cell.std) else f"± {_number(table, cell.std)}"
    unknown = math.isnan(cell.low) or math.isnan(cell.high)
    interval = "" if unknown else f"[{_number(table, cell.low)}, {_number(table, cell.high)}] {p_text(cell.p)}".rstrip()
    if table.visible and not math.isnan(cell.error):
        interval = f"{interval} ({_number(table, VISIBLE * cell.error).lstrip('+')})".lstrip()
    return {"std": std, "interval": interval, "both": f"{std} {interval}".strip()}[table.spread]


def cell_text(table: Table, cell: Cell | None) -> str:
    """Mean and spread in one line."""
    return f"{mean_text(table, cell)} {spread_text(table, cell)}".rstrip()


def is_emphasised(table: Table, row: int, column: int) -> bool:
    """Whether a figure is set bold.

    A difference is, where its interval excludes zero. A score is, where its interval lies above those of all other measured
    rows, if all of them are of as many clips and objects. Nothing is on a single clip, or without an interval. Published
    figures never are, and nothing measured competes with them.
    """
    cell = table.rows[row].cells[column]
    if cell is None or math.isnan(cell.mean) or math.isnan(cell.low) or cell.videos == 1 or table.rows[row].source:
        return False
    if table.kind == "differences":
        return excludes_zero(cell)
    rivals = [r.cells[column] for r in table.rows if not r.source]
    if differ_in_number(rivals):
        return False
    others = [
        c for r, c in zip((r for r in table.rows if not r.source), rivals, strict=True) if r is not table.rows[row]
    ]
    measured = [c for c in others if c is not None and not math.isnan(c.mean)]
    return bool(measured) and all(cell.low > c.high for c in measured)


def differ_in_number(cells: Sequence[Cell | None]) -> bool:
    """Whether figures are of different numbers of clips or objects, so that none is better than another."""
    return len({(c.videos, c.objects) for c in cells if c is not None and not math.isnan(c.mean)}) > 1


def excludes_zero(cell: Cell | None) -> bool:
    """Whether the interval is known and lies on one side of zero."""
    return cell is not None and (cell.low > 0 or cell.high < 0)


def _number(table: Table, value: float) -> str:
    if math.isnan(value):
        return "-"
    if table.kind == "costs":
        return f"{value:,.0f}"
    sign = "+" if table.kind == "differences" else ""
    return f"{value * 100:{sign}.1f}" if table.percent else f"{value:{sign}.3f}"
