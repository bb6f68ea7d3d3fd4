"""Tables as aligned plain text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from robustvos.report.table import Cell, Table, cell_text, differ_in_number, is_emphasised

_WIDEST = 118
"""Columns of a terminal that a table may take."""
_STARS = (
    "* the best of a condition, its interval above all others; of a difference: its interval excludes zero\n"
    "  p: Wilcoxon over videos, Holm over conditions"
)


def format_conditions(scores: Sequence[Table], differences: Sequence[Table] = ()) -> str:
    """All metrics of all systems under all conditions as one narrow table: conditions and systems downwards.

    Args:
        scores: One table for each metric, of the same systems under the same conditions.
        differences: Of the same metrics from a reference; each system's follow its scores, marked ``-``.

    Returns:
        A heading, a block of lines for each condition, and what the stars mean. The best score of a condition and metric
        carries one, and so do differences whose interval excludes zero. Where systems were tested on different numbers of
        clips or objects, these stand behind their names, and no score is the best.

    >>> from robustvos.report.table import Cell, Row
    >>> rows = (Row("sam2", (Cell(0.5, 0.45, 0.54),)), Row("moga", (Cell(0.6, 0.55, 0.64),)))
    >>> difference = Table("differences", "J", "", ("fog",), (Row("moga", (Cell(0.1, 0.05, 0.15),)),), ("J",))
    >>> print(format_conditions([Table("scores", "J", "", ("fog",), rows, ("J",))], [difference]))
    condition  system                           J
    ---------  ------------  --------------------
    fog        sam2             50.0 [45.0, 54.0]
               moga            60.0 [55.0, 64.0]*
               - difference  +10.0 [+5.0, +15.0]*
    * the best of a condition, its interval above all others; of a difference: its interval excludes zero
      p: Wilcoxon over videos, Holm over conditions
    """
    grid = [["condition", "system", *(table.title for table in scores)]]
    for column, condition in enumerate(scores[0].columns):
        differ = differ_in_number([row.cells[column] for row in scores[0].rows])
        for index, row in enumerate(scores[0].rows):
            first = condition if index == 0 else ""
            name = f"{row.name}, {_number_of(row.cells[column])}" if differ else row.name
            grid.append([first, name, *(_marked(table, index, column) for table in scores)])
            for place in range(len(differences[0].rows) if differences else 0):
                if differences[0].rows[place].name == row.name:
                    grid.append(["", "- difference", *(_marked(table, place, column) for table in differences)])
    widths = [max(len(line[column]) for line in grid) for column in range(len(grid[0]))]
    lines = [_line(line, widths, left=2) for line in grid]
    lines.insert(1, "  ".join("-" * width for width in widths))
    starred = any(text.endswith("*") for line in grid for text in line)
    return "\n".join([*lines, _STARS] if starred else lines)


def format_table(table: Table) -> str:
    """Title, headings, one line per system; the best score of a column carries a star.

    In a table of differences the star marks intervals that exclude zero. Published rows say so behind their name. Where lines
    would be longer than a terminal is wide, means and their spreads stand under one another.

    >>> from robustvos.report.table import Cell, Row
    >>> rows = (Row("sam2", (Cell(0.5, 0.4, 0.54),)), Row("moga", (Cell(0.6, 0.55, 0.7),)))
    >>> print(format_table(Table("scores", "J", "", ("fog",), rows, ("J",))))
    J
    system                 fog
    ------  ------------------
    sam2     50.0 [40.0, 54.0]
    moga    60.0 [55.0, 70.0]*
    """
    notes = table.column_notes
    grid = [["system", *table.about, *table.columns]]
    if any(notes):
        grid.append(["", *("" for _ in table.about), *notes])
    heading_rows = len(grid)
    for index, row in enumerate(table.rows):
        name = f"{row.name} (published)" if row.source else row.name
        cells = (_marked(table, index, column) for column in range(len(table.columns)))
        grid.append([name, *table.about_of(row), *cells])
    left = 1 + len(table.about)
    if sum(_widths(grid)) + 2 * (len(grid[0]) - 1) > _WIDEST:
        folded = [half for line in grid[heading_rows:] for half in _folded(line, left)]
        grid = [*grid[:heading_rows], *folded]
    widths = _widths(grid)
    lines = [_line(line, widths, left) for line in grid]
    lines.insert(heading_rows, "  ".join("-" * width for width in widths))
    return "\n".join([table.title, *lines])


def _widths(grid: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(line[column]) for line in grid) for column in range(len(grid[0]))]


def _folded(line: Sequence[str], left: int) -> list[list[str]]:
    """Means, and under them what stands behind each: its spread; the first ``left`` cells are words."""
    halves = [text.partition(" ") for text in line[left:]]
    below = [half[2] for half in halves]
    above = [*line[:left], *(half[0] for half in halves)]
    return [above, [*[""] * left, *below]] if any(below) else [above]


def _number_of(cell: Cell | None) -> str:
    return "none" if cell is None else f"{cell.videos} videos with {cell.objects} objects"


def _marked(table: Table, row: int, column: int) -> str:
    return cell_text(table, table.rows[row].cells[column]) + "*" * is_emphasised(table, row, column)


def _line(cells: list[str], widths: list[int], left: int = 1) -> str:
    texts = (
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(texts).rstrip()
