"""``cli.py report RUN...``: one page of tables and pictures from any number of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustvos.commands.tool import run_tool
from robustvos.report.class_tables import class_tables
from robustvos.report.page import build_report
from robustvos.report.results import find_results, load_result
from robustvos.report.sections import make_sections
from robustvos.report.tables import terminal_text
from robustvos.report.text import format_table

_CORRUPTIONS = "--corruptions"


def main(argv: Sequence[str]) -> None:
    """Run the subcommand."""
    if _CORRUPTIONS in argv:
        from robustvos.commands.report_corruptions import picture_corruptions

        run_tool(picture_corruptions, [token for token in argv if token != _CORRUPTIONS])
    else:
        run_tool(report, argv, positional=["runs"])


def report(runs: list[Path], out: Path, title: str = "robustvos report", reference: str = "sam2") -> None:
    """Write OUT/index.html (self-contained), tables.md, tables.tex and tables.csv, and print the tables.

    With --corruptions instead of runs: pictures of the eight corruptions; see `report --corruptions --help`.

    Args:
        runs: Folders that are searched for results.json, and for TensorBoard events to draw beside them; or results.json
            files.
        out: Folder for the report.
        title: Heading of the page.
        reference: System that the others are compared with, pair by pair.
    """
    page = build_report(runs, out, title=title, reference=reference)
    for section in make_sections([load_result(path) for path in find_results(runs)], reference):
        print(terminal_text(section, reference), end="\n\n")
        for table in class_tables(section):
            if table.metrics[0] == section.metrics[0]:
                print(format_table(table), end="\n\n")
    print(f"report: {page}")
