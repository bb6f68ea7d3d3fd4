"""An experiment's table: measured rows, the paper's beside them, seeds averaged, differences paired."""

from __future__ import annotations

import pytest

from robustvos.evaluation.gate_variance import WITHIN
from robustvos.evaluation.results import load_result
from robustvos.experiments.rows import RowRuns
from robustvos.experiments.tables import average_over_runs, experiment_tables
from robustvos.report.table import Cell, cell_text

pytestmark = pytest.mark.fast

CLIPS = [f"c{n}" for n in range(6)]


def scores(clean, corrupted):
    return {
        **{(clip, "corruption=clean"): (clean + 0.01 * n, clean, clean) for n, clip in enumerate(CLIPS)},
        **{(clip, "corruption=fog"): (corrupted + 0.01 * n, corrupted, corrupted) for n, clip in enumerate(CLIPS)},
    }


@pytest.fixture
def rows(write_run):
    def run(system, folder, clean, corrupted):
        path = write_run(system, scores(clean, corrupted), folder=folder, metrics=("J&F", "J", "F"))
        return "shapes", load_result(path)

    return [
        RowRuns("SAM2", "SAM2", (run("sam2", "a", 0.8, 0.6),)),
        RowRuns("LoRA+SAM2", "LoRA+SAM2", ()),
        RowRuns("MoGA+SAM2", "MoGA+SAM2", (run("moga", "b", 0.80, 0.70), run("moga", "c", 0.82, 0.66))),
    ]


def test_measured_rows_have_the_papers_beside_them(rows):
    table, differences, *others = experiment_tables("Table 4", 4, ["shapes"], rows, ["SAM2"])
    assert table.columns == ("shapes clean", "shapes corrupted", "mvseg_adv")
    names = [(row.name, bool(row.source)) for row in table.rows]
    assert names == [
        ("SAM2", False),
        ("SAM2", True),
        ("LoRA+SAM2 (not measured)", False),
        ("LoRA+SAM2", True),
        ("MoGA+SAM2 (2 seeds)", False),
        ("MoGA+SAM2", True),
    ]
    measured, published = table.rows[4].cells, table.rows[5].cells
    assert measured[0].mean == pytest.approx(0.81 + 0.025)
    assert measured[1].mean == pytest.approx(0.68 + 0.025)
    assert measured[2] is None and published[:2] == (None, None)
    assert published[2].mean == pytest.approx(0.718)
    assert [other.title for other in others] == ["Table 4: J", "Table 4: F"]

    (row,) = differences.rows
    assert row.name == "MoGA+SAM2 (2 seeds)"
    assert row.cells[1].mean == pytest.approx(0.08)
    assert row.cells[1].low == pytest.approx(0.08), "every clip gains the same"


def test_settings_that_the_paper_has_in_columns_become_rows(rows):
    renamed = [RowRuns(row.title, f"R={rank}", row.runs) for row, rank in zip(rows, (32, 64, 128), strict=True)]
    table = experiment_tables("Table 7", 7, ["shapes"], renamed, ["SAM2"])[0]
    assert table.columns[-1] == "youtube_vos_c"
    assert [round(row.cells[-1].mean, 3) for row in table.rows if row.source] == [0.793, 0.794, 0.799]


def test_seeds_are_averaged_for_each_object(rows):
    runs = [run for _, run in rows[2].runs]
    averaged = {(o.video, o.corruption): o.scores["J&F"] for o in average_over_runs(runs)}
    assert averaged["c2", "fog"] == pytest.approx((0.72 + 0.68) / 2)
    assert len(averaged) == 12


def test_an_experiment_of_ours_has_no_published_rows(rows):
    table = experiment_tables("Ours", None, ["shapes"], rows, ["SAM2"])[0]
    assert not any(row.source for row in table.rows)
    assert table.columns == ("shapes clean", "shapes corrupted")


def test_a_second_reference_has_a_table_without_the_first(rows, write_run):
    path = write_run("lora", scores(0.8, 0.65), folder="d", metrics=("J&F", "J", "F"))
    lora = RowRuns("LoRA+SAM2", "", (("shapes", load_result(path)),))
    rows = [rows[0], lora, rows[2]]
    tables = experiment_tables("Table 4", 4, ["shapes"], rows, ["SAM2", "LoRA+SAM2"], note="Mind the gap.")
    assert "Mind the gap." in tables[0].caption
    first, second = (table for table in tables if table.kind == "differences")
    assert [row.name for row in first.rows] == ["LoRA+SAM2", "MoGA+SAM2 (2 seeds)"]
    assert [row.name for row in second.rows] == ["MoGA+SAM2 (2 seeds)"]
    assert second.rows[0].cells[1].mean == pytest.approx(0.68 - 0.65)


def test_few_corruptions_are_shown_one_by_one(rows, write_run):
    objects = {**scores(0.8, 0.6), **{("c0", "corruption=mixed"): (0.3, 0.3, 0.3)}}
    run = load_result(write_run("sam2", objects, folder="few", metrics=("J&F", "J", "F")))
    table = experiment_tables("Ours", None, ["local"], [RowRuns("SAM2", "", (("local", run),))], ["SAM2"])[0]
    assert table.columns == ("local clean", "fog", "mixed", "local corrupted")
    assert table.rows[0].cells[2].mean == pytest.approx(0.3)


def test_differences_say_what_could_have_been_seen(rows):
    differences = experiment_tables("Table 4", 4, ["shapes"], rows, ["SAM2"])[1]
    (row,) = differences.rows
    assert row.cells[1].error == pytest.approx(0, abs=1e-9), "every clip gains the same"
    assert cell_text(differences, Cell(0.02, 0.01, 0.03, error=0.005)) == "+2.0 [+1.0, +3.0] (1.4)"
    assert "in parentheses what could be seen" in differences.title and "80 % power" in differences.caption


def shares(object_, frame, condition, rest, within=0.0):
    return dict(
        zip(("object", "frame", "condition", "rest", WITHIN), (object_, frame, condition, rest, within), strict=True)
    )


def test_what_gates_vary_with_stands_beside_shuffled_labels(rows, write_run):
    def run(folder, found):
        path = write_run("moga", scores(0.8, 0.7), folder=folder, metrics=("J&F", "J", "F"), findings=found)
        return "shapes", load_result(path)

    assert not any("variance" in table.title for table in experiment_tables("T", None, ["shapes"], rows, ["SAM2"]))
    by_seed = [shares(0.5, 0.1, 0.2, 0.2, 0.3), shares(0.7, 0.1, 0.1, 0.1, 0.5)]
    chance = shares(0.1, 0.3, 0.1, 0.5)
    runs = [
        run(f"v{i}", {"gate_variance": {"rows": 9, "shares": found, "shuffled": chance}})
        for i, found in enumerate(by_seed)
    ]
    still = run("still", {"gate_variance": {"rows": 9, "shares": None, "shuffled": None}})
    measured = [rows[0], RowRuns("MoGA", "", tuple(runs)), RowRuns("never", "", (still,))]
    (table,) = (t for t in experiment_tables("T", None, ["shapes"], measured, ["SAM2"]) if "variance" in t.title)
    assert [row.name for row in table.rows] == [
        "MoGA (2 seeds), shapes", "- labels shuffled", "never, shapes", "- labels shuffled"
    ]  # fmt: skip
    assert table.columns == ("object", "frame", "condition", "rest", WITHIN)
    first, shuffled, never, _ = (row.cells for row in table.rows)
    assert [cell.mean for cell in first] == pytest.approx([0.6, 0.1, 0.15, 0.15, 0.4])
    assert [cell.mean for cell in shuffled] == pytest.approx(list(chance.values()))
    assert never == (None,) * 5
    assert cell_text(table, first[0]) == "60.0 ± 14.1"
