"""Tables as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from robustvos.report.sections import Section
from robustvos.report.table import Table, cell_text, is_emphasised


def markdown_document(
    title: str, sections: Sequence[tuple[Section, Sequence[Table]]], leading: Sequence[Table] = ()
) -> str:
    """The leading tables, then all tables of all sections, under headings."""
    parts = [f"# {escape(title)}"]
    groups = [("Experiment", leading)] if leading else []
    for heading, tables in [*groups, *((section.title, tables) for section, tables in sections)]:
        parts.append(f"## {escape(heading)}")
        for table in tables:
            parts += [f"### {escape(table.title)}", markdown_table(table), escape(table.caption)]
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """One table: heading, alignment row, one line per system; emphasised figures bold, published names in italics."""
    headings = [
        escape(column) + (f"<br>{escape(note)}" if note else "")
        for column, note in zip(table.columns, table.column_notes, strict=True)
    ]
    about = [escape(heading) for heading in table.about]
    lines = [_line(["system", *about, *headings])]
    lines.append(_line(["---", *("---" for _ in about), *("---:" for _ in headings)]))
    for index, row in enumerate(table.rows):
        name = f"*{escape(row.name)}* (published)" if row.source else escape(row.name)
        cells = []
        for column, cell in enumerate(row.cells):
            text = escape(cell_text(table, cell))
            cells.append(f"**{text}**" if is_emphasised(table, index, column) else text)
        lines.append(_line([name, *map(escape, table.about_of(row)), *cells]))
    return "\n".join(lines)


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, also inside a table cell.

    >>> print(escape("a_b|c *x* <y>"))
    a\_b\|c \*x\* \<y\>
    """
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>|#~" else letter for letter in text.replace("\n", " "))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
