"""A table as aligned plain text for the terminal."""

from __future__ import annotations

from robustvos.report.table import Table, cell_text, is_emphasised


def format_table(table: Table) -> str:
    """Title, headings, one line per system; the best score of a column carries a star.

    In a table of differences the star marks intervals that exclude zero. Published rows say so behind their name.

    >>> from robustvos.report.table import Cell, Row
    >>> rows = (Row("sam2", (Cell(0.5),)), Row("moga", (Cell(0.6),)))
    >>> print(format_table(Table("scores", "J", "", ("fog",), rows, ("J",))))
    J
    system    fog
    ------  -----
    sam2     50.0
    moga    60.0*
    """
    notes = table.column_notes
    grid = [["system", *table.columns]]
    if any(notes):
        grid.append(["", *notes])
    heading_rows = len(grid)
    for index, row in enumerate(table.rows):
        name = f"{row.name} (published)" if row.source else row.name
        marks = ("*" if is_emphasised(table, index, column) else "" for column in range(len(table.columns)))
        cells = [cell_text(table, cell) + mark for cell, mark in zip(row.cells, marks, strict=True)]
        grid.append([name, *cells])
    widths = [max(len(line[column]) for line in grid) for column in range(len(grid[0]))]
    lines = [_line(line, widths) for line in grid]
    lines.insert(heading_rows, "  ".join("-" * width for width in widths))
    return "\n".join([table.title, *lines])


def _line(cells: list[str], widths: list[int]) -> str:
    first, *rest = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()
