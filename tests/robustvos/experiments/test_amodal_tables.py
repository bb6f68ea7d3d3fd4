"""An amodal experiment's table: the paper's columns, measured rows and the paper's below one another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robustvos.evaluation.results import load_result
from robustvos.experiments.amodal_tables import amodal_experiment_tables
from robustvos.experiments.rows import RowRuns
from robustvos.report.published import REALVAS, published_table

pytestmark = pytest.mark.fast

METRICS = ("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ")


@pytest.fixture
def rows(write_run):
    """Four clips of occlusion, two of containment, which score half; held masks score 0.1 more."""

    def run(system, more, **fields):
        scores = {
            **{(f"o{i}", "category=occlusion"): (0.8, 0.4 + more, 0.2, 0.2) for i in range(4)},
            ("s", "category=surface"): (0.4, 0.2 + more, 0.1, 0.1),
            ("m", "category=mobile"): (0.4, 0.4 + more, None, 0.1),
        }
        path = write_run(
            system, scores, metrics=METRICS, dataset="realvas", protocol="realvas", averaging="videos", **fields
        )
        return "realvas", load_result(path)

    return [
        RowRuns("SAM2 (modal)", "SAM2 (modal)", (run("sam2", 0.0, inputs="/", run_type="Online"),)),
        RowRuns("Not there", "", ()),
        RowRuns("Held", "", (run("hold_last", 0.1, inputs="GT Modal Seg.", run_type="Online"),)),
    ]


def test_table_5_parts_clips_as_the_paper_does(rows):
    scores, differences = amodal_experiment_tables("T5", published_table(5, REALVAS), rows, ["SAM2 (modal)"], "A note.")
    assert scores.columns == tuple(
        f"{category}: {metric}" for category in ("containment", "occlusion") for metric in METRICS[1:]
    )
    ours, absent, held, *published = scores.rows
    assert [round(cell.mean, 3) for cell in ours.cells] == [0.3, 0.1, 0.1, 0.4, 0.2, 0.2]
    assert [cell.videos for cell in ours.cells] == [2, 1, 2, 4, 4, 4]
    assert absent.name == "Not there (not measured)" and absent.cells == (None,) * 6
    assert (ours.about, held.about) == (("/", "Online"), ("GT Modal Seg.", "Online"))
    assert [row.name for row in published][:2] == ["pix2gestalt", "TCOW"] and len(published) == 6
    assert (published[0].cells[0].mean, published[0].cells[0].std) == (0.203, pytest.approx(0.11))
    assert published[2].about == ("Modal Seg. & GT BBox", "Online")
    assert "A note." in scores.caption and "Real-VAS paper, Table 5" in scores.caption
    (row,) = differences.rows
    assert [round(cell.mean, 3) for cell in row.cells] == [0.1, 0.0, 0.0, 0.1, 0.0, 0.0]


def test_a_published_row_stands_below_its_own(rows):
    (scores, *_) = amodal_experiment_tables("T3", published_table(3, REALVAS), rows, [])
    assert [(row.name, bool(row.source)) for row in scores.rows] == [
        ("SAM2 (modal)", False),
        ("SAM2 (modal)", True),
        ("Not there (not measured)", False),
        ("Held", False),
        ("TABE", True),
        ("Diffusion VAS", True),
    ]
    assert scores.columns == ("mIoU", "mIoU_occ")
    assert round(scores.rows[0].cells[0].mean, 4) == round((4 * 0.8 + 2 * 0.4) / 6, 4)


def test_table_2_has_a_column_a_part_of_rubric_and_no_table_has_the_four_figures(write_run):
    scores = {
        (f"{group}{i}", f"category={group}"): (0.5 + 0.1 * i,) for group in ("office", "davis_ytvos") for i in range(2)
    }
    run = load_result(write_run("sam2", scores, metrics=("mIoU",), dataset="rubric", protocol="realvas"))
    rows = [RowRuns("SAM2", "SAM2", (("rubric", run),))]
    (table,) = amodal_experiment_tables("T2", published_table(2, REALVAS), rows, ["SAM2"])
    assert table.columns == ("Rubric Office", "Rubric Cup Games", "Rubric DAV/YTB")
    ours, theirs, tcow = table.rows
    assert (round(ours.cells[0].mean, 3), ours.cells[1], round(ours.cells[2].mean, 3)) == (0.55, None, 0.55)
    assert (theirs.name, theirs.cells[2].mean, tcow.name) == ("SAM2", pytest.approx(0.689), "TCOW")
    assert amodal_experiment_tables("own", [], rows, [])[0].columns == METRICS


def test_sets_have_tables_of_their_own(rows):
    both = [replace(row, runs=(*row.runs, *((f"{name}_fog", run) for name, run in row.runs))) for row in rows]
    tables = amodal_experiment_tables("own", [], both, ["SAM2 (modal)"])
    assert [table.title.partition(":")[0] for table in tables] == ["own, realvas"] * 2 + ["own, realvas_fog"] * 2
    alone = amodal_experiment_tables("own", [], rows, ["SAM2 (modal)"])
    assert [table.rows for table in tables[:2]] == [table.rows for table in alone]
