"""Tables as LaTeX (package ``booktabs``)."""

from __future__ import annotations

from collections.abc import Sequence

from robustvos.report.sections import Section
from robustvos.report.table import Table, is_emphasised, mean_text, spread_text

_DAGGER = r"$^\dagger$"
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "\n": " ",
}


def latex_document(
    title: str, sections: Sequence[tuple[Section, Sequence[Table]]], leading: Sequence[Table] = ()
) -> str:
    r"""Every table as a ``table`` environment, to be read by ``\input``; comments name title and section."""
    parts = [f"% {_comment(title)}", r"% needs \usepackage{booktabs}", *map(latex_table, leading)]
    for section, tables in sections:
        parts.append(f"% {_comment(section.title)}")
        parts += [latex_table(table, section.title) for table in tables]
    return "\n\n".join(parts) + "\n"


def latex_table(table: Table, where: str = "") -> str:
    """One ``table`` environment: measured rows, then published rows below a rule, marked by a dagger.

    Args:
        table: The table.
        where: Dataset, protocol and prompt, for the caption.
    """
    caption = escape(". ".join(part for part in (where, table.title, table.caption) if part))
    if any(row.source for row in table.rows):
        caption += rf" {_DAGGER}: published."
    lines = [
        r"\begin{table}[t]",
        r"\centering\small",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{l{'l' * len(table.about)}{'r' * len(table.columns)}}}",
        r"\toprule",
        _line(["System", *(escape(heading) for heading in (*table.about, *table.columns))]),
        *_notes(table),
        r"\midrule",
        *_rows(table),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def escape(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> print(escape("J&F_50%"))
    J\&F\_50\%
    """
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _notes(table: Table) -> list[str]:
    notes = table.column_notes
    words = ["" for _ in table.about]
    return (
        [_line(["", *words, *(rf"{{\scriptsize {escape(note)}}}" if note else "" for note in notes)])]
        if any(notes)
        else []
    )


def _rows(table: Table) -> list[str]:
    lines: list[str] = []
    for index, row in enumerate(table.rows):
        if row.source and lines and not table.rows[index - 1].source:
            lines.append(r"\midrule")
        name = escape(row.name) + (_DAGGER if row.source else "")
        cells = []
        for column, cell in enumerate(row.cells):
            mean, spread = escape(mean_text(table, cell)), escape(spread_text(table, cell))
            mean = rf"\textbf{{{mean}}}" if is_emphasised(table, index, column) else mean
            # Brackets would be read as an optional argument after a line end, so they stay inside a group.
            cells.append(f"{mean} {{\\scriptsize {spread}}}" if spread else mean)
        lines.append(_line([name, *map(escape, table.about_of(row)), *cells]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _comment(text: str) -> str:
    return text.replace("\n", " ")
