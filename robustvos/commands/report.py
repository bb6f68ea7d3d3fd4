"""``cli.py report RUN...``: one page of tables and pictures from any number of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustvos.commands.closing import after_reporting
from robustvos.commands.tool import run_tool
from robustvos.files.naming import printable
from robustvos.files.paths import refuse_dataset_folders, refuse_inputs_as_output

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
        out: Folder for the report; may lie in a run's folder, but not be or contain one.
        title: Heading of the page.
        reference: System that the others are compared with, pair by pair.
    """
    from robustvos.report.class_tables import class_tables
    from robustvos.report.page import build_report, tabled_sections
    from robustvos.report.tables import terminal_text
    from robustvos.report.text import format_table

    refuse_dataset_folders(out)
    refuse_inputs_as_output(out, runs)
    tabled = tabled_sections(runs, reference)
    page = build_report(runs, out, title=title, reference=reference, tabled=tabled)
    for section, tables in tabled:
        print(terminal_text(section, reference, tables), end="\n\n")
        for table in class_tables(section):
            if table.metrics[0] == section.metrics[0]:
                print(format_table(table), end="\n\n")
    print(f"report: {page}; open it in a browser")
    print(printable(after_reporting([run for section, _ in tabled for _, run in section.runs], out)))
