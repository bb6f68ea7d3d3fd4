"""The record every writer takes: a table of estimates, free of any format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Cell:
    """One figure. Scores and differences are fractions (0.789, never 78.9); NaN means undefined or not given.

    Attributes:
        mean: The figure.
        low: Lower end of its 95 % interval.
        high: Upper end.
        std: Standard deviation over clips.
        clips: Clips behind it; 0 if unknown.
        objects: Objects behind it; 0 if unknown.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    std: float = math.nan
    clips: int = 0
    objects: int = 0


@dataclass(frozen=True)
class Row:
    """One system's figures; ``source`` is empty for what was measured, else the publication it was copied from."""

    name: str
    cells: tuple[Cell | None, ...]
    source: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of systems, columns of conditions or metrics.

    Attributes:
        kind: ``scores``, ``differences``, ``amodal`` or ``published``.
        title: One line.
        caption: What the figures are and how to read them.
        columns: Heading of each column, without the first one (the system).
        rows: The figures; each row has one cell per column, None where there is nothing.
        metrics: Metric of each column.
        percent: Show as percentages with one decimal, else as fractions with three.
        spread: What follows the mean: a 95 % interval, a standard deviation, or nothing.
    """

    kind: Literal["scores", "differences", "amodal", "published"]
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]
    percent: bool = True
    spread: Literal["interval", "std"] = "interval"

    @property
    def column_notes(self) -> tuple[str, ...]:
        """Clips behind each column, e.g. ``12 clips`` or ``9-12 clips``; empty where unknown."""
        return tuple(_clips_note([row.cells[i] for row in self.rows]) for i in range(len(self.columns)))


def _clips_note(cells: Sequence[Cell | None]) -> str:
    counts = sorted({cell.clips for cell in cells if cell is not None and cell.clips})
    if not counts:
        return ""
    text = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    return f"{text} clip{'' if counts[-1] == 1 else 's'}"


def mean_text(table: Table, cell: Cell | None) -> str:
    """The figure alone, as ``table`` shows it; a dash where there is none.

    >>> table = Table("differences", "", "", ("fog",), (), ("J",))
    >>> mean_text(table, Cell(0.0234)), mean_text(table, None)
    ('+2.3', '-')
    """
    return "-" if cell is None else _number(table, cell.mean)


def spread_text(table: Table, cell: Cell | None) -> str:
    """What follows the mean: ``[75.1, 82.0]``, ``± 0.217``, or nothing where it is unknown.

    >>> table = Table("scores", "", "", ("fog",), (), ("J",))
    >>> spread_text(table, Cell(0.789, 0.751, 0.82))
    '[75.1, 82.0]'
    """
    if cell is None or math.isnan(cell.mean):
        return ""
    if table.spread == "std":
        return "" if math.isnan(cell.std) else f"± {_number(table, cell.std)}"
    if math.isnan(cell.low) or math.isnan(cell.high):
        return ""
    return f"[{_number(table, cell.low)}, {_number(table, cell.high)}]"


def cell_text(table: Table, cell: Cell | None) -> str:
    """Mean and spread in one line."""
    return f"{mean_text(table, cell)} {spread_text(table, cell)}".rstrip()


def is_emphasised(table: Table, row: int, column: int) -> bool:
    """Whether a figure is set bold.

    A difference is, where its interval excludes zero. A score is, where it is the best of at least two measured
    rows as shown (ties together), if all of them are of as many clips and objects. Published figures never are, and
    nothing measured competes with them.
    """
    cell = table.rows[row].cells[column]
    if cell is None or math.isnan(cell.mean) or table.rows[row].source:
        return False
    if table.kind == "differences":
        return excludes_zero(cell)
    rivals = [r.cells[column] for r in table.rows if not r.source]
    if differ_in_number(rivals):
        return False
    shown = [float(mean_text(table, c)) for c in rivals if c is not None and not math.isnan(c.mean)]
    return len(shown) > 1 and float(mean_text(table, cell)) == max(shown)


def differ_in_number(cells: Sequence[Cell | None]) -> bool:
    """Whether figures are of different numbers of clips or objects, so that none is better than another."""
    return len({(c.clips, c.objects) for c in cells if c is not None and not math.isnan(c.mean)}) > 1


def excludes_zero(cell: Cell | None) -> bool:
    """Whether the interval is known and lies on one side of zero."""
    return cell is not None and (cell.low > 0 or cell.high < 0)


def _number(table: Table, value: float) -> str:
    if math.isnan(value):
        return "-"
    sign = "+" if table.kind == "differences" else ""
    return f"{value * 100:{sign}.1f}" if table.percent else f"{value:{sign}.3f}"
