"""Scores over conditions as a bar chart with interval whiskers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from robustvos.report import svg
from robustvos.report.table import Cell, Table, cell_text

_GROUP_GAP, _HEIGHT = 22, 300
_NARROW_BAR, _WIDE_BAR, _FULL_WIDTH = 15, 30, 1040
_LEFT, _TOP, _BOTTOM = 40, 12, 44


def bar_chart(table: Table, slots: Sequence[int]) -> str:
    """One group of bars per column, one bar per row, a whisker over each 95 % interval. The axis starts at zero.

    Args:
        table: A table of scores.
        slots: Colour slot of each row.

    Returns:
        SVG text. Hovering a bar tells system, condition and figures.
    """
    bar = _bar_width(table)
    group = max(len(table.rows) * bar, 52)
    width = _LEFT + len(table.columns) * (group + _GROUP_GAP) + 8
    tops = [_top(cell) for row in table.rows for cell in row.cells if cell is not None and not math.isnan(cell.mean)]
    ticks = svg.nice_ticks(0.0, max(tops, default=1.0) * _unit(table))
    axis = svg.Axis(0.0, ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = []
    for tick in ticks:
        parts.append(svg.line(_LEFT, axis(tick), width - 8, axis(tick), "grid" if tick else "axis"))
        parts.append(svg.text(_LEFT - 6, axis(tick) + 4, svg.short(tick), "end"))
    for column, heading in enumerate(table.columns):
        left = _LEFT + _GROUP_GAP / 2 + column * (group + _GROUP_GAP)
        offset = (group - len(table.rows) * bar) / 2
        for index, row in enumerate(table.rows):
            cell = row.cells[column]
            if cell is not None and not math.isnan(cell.mean):
                tip = f"{row.name}, {heading}: {cell_text(table, cell)}"
                parts.append(_bar(left + offset + index * bar, bar - 3, cell, axis, _unit(table), slots[index], tip))
        parts += _heading(left + group / 2, heading)
    return svg.document(width, _HEIGHT, parts, f"Bar chart: {table.title} of each system in each condition")


def _bar_width(table: Table) -> int:
    """As wide as the page allows, within bounds."""
    room = (_FULL_WIDTH - _LEFT) / max(1, len(table.columns)) - _GROUP_GAP
    return int(min(_WIDE_BAR, max(_NARROW_BAR, room / max(1, len(table.rows)))))


def _bar(x: float, width: int, cell: Cell, axis: svg.Axis, unit: float, slot: int, tip: str) -> str:
    top, base = axis(cell.mean * unit), axis(0.0)
    middle = x + width / 2
    whisker = ""
    if not (math.isnan(cell.low) or math.isnan(cell.high)):
        low, high = axis(cell.low * unit), axis(cell.high * unit)
        whisker = (
            svg.line(middle, low, middle, high, "whisker")
            + svg.line(middle - 3, low, middle + 3, low, "whisker")
            + svg.line(middle - 3, high, middle + 3, high, "whisker")
        )
    rectangle = (
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{width}" height="{max(0.0, base - top):.1f}" rx="1.5" '
        f'style="fill:{svg.colour(slot)}"/>'
    )
    return f"<g><title>{escape(tip)}</title>{rectangle}{whisker}</g>"


def _heading(middle: float, heading: str) -> list[str]:
    """The condition under its group, broken at underscores and spaces so that neighbours do not touch."""
    words = heading.replace("_", " ").split(" ")
    return [svg.text(middle, _HEIGHT - _BOTTOM + 16 + 13 * i, word) for i, word in enumerate(words[:2])]


def _top(cell: Cell) -> float:
    return cell.mean if math.isnan(cell.high) else max(cell.mean, cell.high)


def _unit(table: Table) -> float:
    return 100.0 if table.percent else 1.0
