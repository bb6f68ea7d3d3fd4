"""Laws of the writers: the same figures in every format, and no text breaks a format."""

from __future__ import annotations

import csv
import io
import re

import pytest

from robustvos.evaluation.results import load_result
from robustvos.report.latex import latex_document, latex_table
from robustvos.report.markdown import markdown_document, markdown_table
from robustvos.report.sections import make_sections
from robustvos.report.table import Cell, Row, Table
from robustvos.report.tables import section_tables
from robustvos.report.text import format_table
from robustvos.report.tidy_csv import FIELDS, csv_document

pytestmark = pytest.mark.fast

NASTY = "a_b & 50% #1 {x} |y| \\cmd $z^2~ <i>*"


@pytest.fixture
def table() -> Table:
    rows = (
        Row("sam2", (Cell(0.5, 0.45, 0.55, videos=9), None)),
        Row(NASTY, (Cell(0.625, 0.6, 0.65, videos=9), Cell(0.25, videos=7))),
        Row("paper", (Cell(0.7), Cell(0.3, std=0.1)), source="Some paper, Table 1"),
    )
    return Table("scores", f"J {NASTY}", f"caption {NASTY}", ("fog", NASTY), rows, ("J", "J"))


@pytest.fixture
def tabled(write_run):
    def scores(offset: float) -> dict:
        return {
            (clip, f"corruption={c}"): 0.4 + i / 10 + offset for i, clip in enumerate("abc") for c in ("clean", "fog")
        }

    fields = {"dataset": "youtube_vos_c", "protocol": "release"}
    paths = [write_run("sam2", scores(0.0), **fields), write_run("mo_ga", scores(0.05), **fields)]
    return [(section, section_tables(section)) for section in make_sections([load_result(p) for p in paths])]


def test_words_about_systems_stand_between_names_and_figures_in_every_format():
    rows = (
        Row("ours", (Cell(0.5, 0.4, 0.6, videos=9),), about=("/", "Online")),
        Row("theirs", (Cell(0.25),), source="Some paper, Table 4", about=("Modal Seg. & GT BBox", "Offline")),
        Row("unknown", (None,)),
    )
    table = Table("amodal", "All", "", ("mIoU",), rows, ("mIoU",), about=("Inputs", "Run type"))
    lines = [line.split("  ") for line in format_table(table).splitlines()]
    assert [word.strip() for word in lines[1] if word] == ["system", "Inputs", "Run type", "mIoU"]
    assert [word.strip() for word in lines[5] if word] == [
        "theirs (published)",
        "Modal Seg. & GT BBox",
        "Offline",
        "25.0",
    ]
    assert [word.strip() for word in lines[6] if word] == ["unknown", "-", "-", "-"]
    markdown = markdown_table(table).splitlines()
    assert markdown[0] == "| system | Inputs | Run type | mIoU<br>9 videos |"
    assert {unescaped(line, "|") for line in markdown} == {5}
    assert r"theirs$^\dagger$ & Modal Seg. \& GT BBox & Offline & 25.0 \\" in latex_table(table)
    assert r"\begin{tabular}{lllr}" in latex_table(table)
    (ours, theirs) = csv.DictReader(io.StringIO(csv_document([], [table])))
    assert (ours["inputs"], ours["run_type"], theirs["inputs"]) == ("/", "Online", "Modal Seg. & GT BBox")


def unescaped(text: str, letter: str) -> int:
    return len(re.findall(rf"(?<!\\)(?:\\\\)*{re.escape(letter)}", text))


def test_markdown_rows_have_one_cell_per_column(table):
    lines = markdown_table(table).splitlines()
    assert len(lines) == 2 + 3
    assert {unescaped(line, "|") for line in lines} == {2 + 2}


def test_markdown_shows_figures_and_marks(table):
    text = markdown_table(table)
    assert "50.0 \\[45.0, 55.0\\]" in text
    assert "**62.5 \\[60.0, 65.0\\]**" in text
    assert "*paper* (published)" in text
    assert "fog<br>9 videos" in text


def test_markdown_document_is_consistent_table_by_table(tabled):
    blocks = re.findall(r"(?:^\|.*\n)+", markdown_document("t", tabled), re.MULTILINE)
    assert len(blocks) == sum(len(tables) for _, tables in tabled)
    for block in blocks:
        assert len({unescaped(line, "|") for line in block.splitlines()}) == 1


def assert_balanced(tex: str) -> None:
    body = "\n".join(re.sub(r"(?<!\\)%.*", "", line) for line in tex.splitlines())
    body = re.sub(r"\\[\\{}&%$#_]", lambda match: "\\\\" if match[0] == "\\\\" else "", body)
    depth = 0
    for letter in body:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    assert body.count("$") % 2 == 0
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack


def test_latex_is_balanced_and_rows_fit_the_columns(table):
    tex = latex_table(table, "where")
    assert_balanced(tex)
    rows = [line for line in tex.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 2 + 3
    assert {unescaped(row.removesuffix(r"\\"), "&") for row in rows} == {2}
    assert r"\begin{tabular}{lrr}" in tex


def test_latex_escapes_every_special_letter(table):
    tex = latex_table(table)
    body = re.sub(r"\\(textbackslash|textasciicircum|textasciitilde|textless|textgreater)\{\}", "", tex)
    assert r"a\_b \& 50\% \#1 \{x\} |y| cmd \$z2 i*" in body.replace("\n", " ")


def test_latex_bolds_the_best_and_marks_published_rows(table):
    tex = latex_table(table)
    assert r"\textbf{62.5}" in tex
    assert r"paper$^\dagger$" in tex


def test_latex_document_is_balanced(tabled):
    tex = latex_document(f"100% {NASTY}", tabled)
    assert_balanced(tex)
    assert tex.count(r"\begin{table}") == sum(len(tables) for _, tables in tabled)


def test_csv_holds_each_figure_once_at_full_precision(tabled):
    rows = list(csv.DictReader(io.StringIO(csv_document(tabled))))
    assert tuple(rows[0]) == FIELDS
    (fog,) = [r for r in rows if (r["kind"], r["system"], r["column"]) == ("scores", "mo_ga", "fog")]
    assert float(fog["mean"]) == pytest.approx(0.55, abs=1e-6)
    assert (fog["dataset"], fog["source"], fog["clips"]) == ("youtube_vos_c", "measured", "3")
    (gain,) = [r for r in rows if (r["kind"], r["column"]) == ("differences", "fog")]
    assert float(gain["mean"]) == pytest.approx(0.05, abs=1e-6)
    assert {r["source"] != "measured" for r in rows if r["kind"] == "published"} == {True}
    cells = sum(cell is not None for _, tables in tabled for t in tables for row in t.rows for cell in row.cells)
    assert len(rows) == cells


def test_plain_text_is_aligned(table):
    lines = format_table(table).splitlines()[1:]
    rule = next(line for line in lines if set(line) <= {"-", " "})
    edges = [match.end() for match in re.finditer(r"-+", rule)]
    assert all(len(line) <= edges[-1] for line in lines)
    ends = [line.find("fog") + 3 for line in lines[:1]] + [line.find("]") + 1 for line in lines if "[45.0" in line]
    assert set(ends) == {edges[1]}


def test_plain_text_stars_the_best_and_names_published_rows(table):
    text = format_table(table)
    assert "62.5 [60.0, 65.0]*" in text
    assert "paper (published)" in text


def test_a_wide_table_puts_spreads_under_means_and_fits_a_terminal():
    cells = tuple(Cell(0.318, 0.212, 0.405, 0.2, videos=20, objects=20) for _ in range(4))
    rows = (Row("follow_occluder on tracked masks", cells), Row("sam2", cells))
    names = ("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ")
    text = format_table(Table("amodal", "All clips", "", names, rows, names, spread="both"))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 118
    above, below = lines[4], lines[5]
    assert above.split() == ["follow_occluder", "on", "tracked", "masks", *["31.8"] * 4]
    assert below.strip().startswith("± 20.0 [21.2, 40.5]") and below.count("[21.2, 40.5]") == 4
    assert [m.end() for m in re.finditer("31.8", above)] == [m.end() for m in re.finditer("40.5]", below)]
