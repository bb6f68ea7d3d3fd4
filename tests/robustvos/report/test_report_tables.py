"""Laws of the tables: which figures stand where, and which never stand together."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest

from robustvos.evaluation.results import load_result
from robustvos.evaluation.summary import summary_lines
from robustvos.experiments.rows import RowRuns
from robustvos.experiments.tables import experiment_tables
from robustvos.report.published import published_for
from robustvos.report.retention import retention_table
from robustvos.report.sections import make_sections
from robustvos.report.table import Cell, Row, Table, is_emphasised, mean_text, spread_text
from robustvos.report.tables import (
    amodal_difference_table,
    amodal_tables,
    cost_table,
    difference_table,
    published_tables,
    score_table,
    terminal_text,
)

pytestmark = pytest.mark.fast

CLIPS = ("a", "b", "c", "d")
CONDITIONS = ("clean", "rain", "fog")


def scores(offset: float = 0.0, **by_condition: float) -> dict:
    """Four clips under three conditions; clips differ more than systems do."""
    return {
        (clip, f"corruption={condition}"): 0.3 + 0.1 * i - 0.05 * j + offset + by_condition.get(condition, 0.0)
        for i, clip in enumerate(CLIPS)
        for j, condition in enumerate(CONDITIONS)
    }


def only_section(*paths):
    (section,) = make_sections([load_result(path) for path in paths])
    return section


def named(table: Table, row: str) -> dict[str, Cell | None]:
    return next(dict(zip(table.columns, r.cells, strict=True)) for r in table.rows if r.name == row)


def test_columns_are_clean_then_corruptions_in_the_papers_order_then_their_mean(write_run):
    table = score_table(only_section(write_run("sam2", scores())), "J")
    assert table.columns == ("clean", "fog", "rain", "corrupted mean")


def test_condition_cells_are_the_stored_aggregates(write_run):
    table = score_table(only_section(write_run("sam2", scores())), "J")
    fog = named(table, "sam2")["fog"]
    expected = statistics.fmean(v for (_, tag), v in scores().items() if tag == "corruption=fog")
    assert (fog.mean, fog.low, fog.high) == pytest.approx((expected, expected - 0.05, expected + 0.05))
    assert table.column_notes[0] == "4 videos"


def test_corrupted_mean_leaves_clean_out_and_its_interval_holds_it(write_run):
    cell = named(score_table(only_section(write_run("sam2", scores(clean=0.3))), "J"), "sam2")["corrupted mean"]
    expected = statistics.fmean(v for (_, tag), v in scores().items() if tag != "corruption=clean")
    assert cell.mean == pytest.approx(expected)
    assert cell.low < cell.mean < cell.high
    assert (cell.videos, cell.objects) == (4, 8)


def test_a_dataset_without_conditions_has_one_column(write_run):
    table = score_table(only_section(write_run("sam2", {("a", "corruption=clean"): 0.4, ("b", ""): 0.6})), "J")
    assert table.columns == ("all",)
    assert table.rows[0].cells[0].mean == pytest.approx(0.5)


def test_weather_is_a_condition_too(write_run):
    section = only_section(write_run("sam2", {("a", "weather=night"): 0.4, ("b", "weather=fog"): 0.6}))
    assert score_table(section, "J").columns == ("fog", "night", "all")


def test_reference_comes_first(write_run):
    section = only_section(write_run("lora", scores()), write_run("sam2", scores()), write_run("moga", scores()))
    assert [row.name for row in score_table(section, "J").rows] == ["sam2", "lora", "moga"]


def test_constant_gain_is_found_exactly_whatever_the_spread_of_clips(write_run):
    table = difference_table(only_section(write_run("sam2", scores()), write_run("moga", scores(0.02))), "J")
    for cell in table.rows[0].cells:
        assert (cell.mean, cell.low, cell.high) == pytest.approx((0.02, 0.02, 0.02))


def test_difference_is_antisymmetric(write_run):
    section = only_section(write_run("sam2", scores()), write_run("moga", scores(fog=0.1, rain=-0.04)))
    forth, back = difference_table(section, "J", "sam2"), difference_table(section, "J", "moga")
    for one, other in zip(forth.rows[0].cells, back.rows[0].cells, strict=True):
        assert one.mean == pytest.approx(-other.mean)


def test_difference_counts_only_common_clips(write_run):
    mine = {("a", ""): 0.5, ("b", ""): 0.7, ("z", ""): 0.9}
    theirs = {("a", ""): 0.4, ("b", ""): 0.4, ("y", ""): 0.0}
    cell = difference_table(only_section(write_run("sam2", theirs), write_run("moga", mine)), "J").rows[0].cells[0]
    assert cell.mean == pytest.approx(0.2)
    assert cell.videos == 2


# One clip has three objects and two have one: over objects the rival gains, over sequences it loses.
CROWD = [("crowd#1", 0.5, 0.6), ("crowd#2", 0.5, 0.6), ("crowd#3", 0.5, 0.6), ("one", 0.5, 0.4), ("two", 0.5, 0.4)]
OF_CLASSES = ["class=car", "class=car", "class=car", "class=pole", "class=pole"]


@pytest.mark.parametrize("tags", [[""] * 5, OF_CLASSES], ids=["sequences", "classes"])
def test_release_differences_are_those_of_the_scores_that_are_shown(write_run, tags):
    told = list(zip(CROWD, tags, strict=True))
    runs = [
        write_run(system, {(row[0], tag): row[place] for row, tag in told}, protocol="release", dataset="mvseg_adv")
        for place, system in ((1, "sam2"), (2, "moga"))
    ]
    section = only_section(*runs)
    shown = score_table(section, "J")
    ours, theirs = (named(shown, system)["all"].mean for system in ("moga", "sam2"))
    expected = (0.6 + 0.4 + 0.4) / 3 if tags[0] == "" else (0.6 + 0.4) / 2
    assert (ours, theirs) == (pytest.approx(expected), pytest.approx(0.5))
    difference = named(difference_table(section, "J"), "moga")["all"]
    assert difference.mean == pytest.approx(ours - theirs)
    assert difference.low <= difference.mean <= difference.high
    assert "over classes or, where there are none, sequences" in shown.caption

    rows = [RowRuns(system, "", (("mvseg_adv", load_result(path)),)) for system, path in zip("AB", runs, strict=True)]
    scored, differences, *_ = experiment_tables("Table 2", 2, ["mvseg_adv"], rows, ["A"])
    assert [row.cells[0].mean for row in scored.rows] == [pytest.approx(0.5), pytest.approx(expected)]
    assert differences.rows[0].cells[0].mean == pytest.approx(expected - 0.5)

    lines = [line.split() for line in summary_lines(load_result(runs[1]))]
    assert [line[1] for line in lines if line and line[0] == "all"] == [f"{100 * expected:.1f}"]


def test_systems_are_compared_with_the_reference_of_their_own_base(write_run):
    small = write_run("sam2", scores(), folder="s")
    large = write_run("sam2", scores(0.2), folder="l", base="large")
    rival = write_run("moga", scores(0.25), base="large")
    table = difference_table(only_section(small, large, rival), "J")
    assert len(table.rows) == 1
    assert table.rows[0].cells[0].mean == pytest.approx(0.05)


def test_no_reference_no_difference_table(write_run):
    assert difference_table(only_section(write_run("moga", scores())), "J") is None


@pytest.mark.parametrize("field", ["dataset", "protocol", "prompt", "facts"])
def test_what_may_not_be_mixed_is_kept_apart(write_run, field):
    other = {"severity": "5"} if field == "facts" else "other"
    runs = [load_result(write_run("sam2", scores())), load_result(write_run("moga", scores(), **{field: other}))]
    sections = make_sections(runs)
    assert [len(section.runs) for section in sections] == [1, 1]
    assert len({section.title for section in sections}) == 2


def test_facts_stand_in_the_title_and_strength_only_where_frames_are_corrupted(write_run):
    facts = {"frames": "16", "preset": "release", "severity": "5"}
    corrupted = only_section(write_run("sam2", scores(), facts=facts))
    assert corrupted.title == "shapes, protocol davis, prompt mask, frames 16, preset release, severity 5"
    assert (
        only_section(write_run("sam2", CLEAN_ONLY, facts=facts)).title
        == "shapes, protocol davis, prompt mask, frames 16"
    )


CLEAN_ONLY = {(clip, "corruption=clean"): 0.5 for clip in CLIPS}


def facts_of(preset: str) -> dict[str, str]:
    return {"frames": "16", "preset": preset}


def test_clean_runs_are_not_kept_apart_by_a_strength_that_they_do_not_have(write_run):
    first = write_run("sam2", CLEAN_ONLY, facts=facts_of("release"))
    second = write_run("moga", CLEAN_ONLY, facts=facts_of("intended"))
    alone = only_section(first, second)
    assert len(alone.runs) == 2 and alone.facts == ("frames 16",)
    corrupted = write_run("lora", scores(), facts=facts_of("release"))
    assert only_section(first, second, corrupted).facts == ("frames 16", "preset release")
    other = write_run("gara", scores(), facts=facts_of("intended"))
    sections = make_sections([load_result(path) for path in (first, second, corrupted, other)])
    assert sorted(len(section.runs) for section in sections) == [1, 1, 2]


@pytest.mark.parametrize("field", ["base_hash", "restorer_hash"])
def test_other_weights_are_another_row_compared_with_their_own_reference(write_run, field):
    paths = [
        write_run(system, scores(gain), folder=f"{system}{weights}", **{field: weights})
        for system, weights, gain in (("sam2", "a" * 16, 0.0), ("sam2", "b" * 16, 0.2), ("moga", "b" * 16, 0.25))
    ]
    section = only_section(*paths)
    assert [name for name, _ in section.runs if "sam2" in name] == [
        "sam2 (nano, weights aaaaaa)",
        "sam2 (nano, weights bbbbbb)",
    ]
    assert not section.superseded
    if field == "base_hash":
        assert difference_table(section, "J").rows[0].cells[0].mean == pytest.approx(0.05)


def test_equal_systems_get_names_that_differ(write_run):
    seeds = [write_run("moga", scores(), folder=f"m{seed}", seed=seed) for seed in (0, 1)]
    section = only_section(*seeds, write_run("sam2", scores()))
    names = [name for name, _ in section.runs]
    assert names[0] == "sam2"
    assert len(set(names)) == 3
    assert all("seed" in name for name in names[1:])


def test_a_system_tested_again_shows_its_newest_run_only(write_run):
    old = write_run("moga", scores(), folder="old", created="2026-01-01T00:00:00")
    new = write_run("moga", scores(0.1), folder="new", created="2026-02-01T00:00:00")
    section = only_section(new, old)
    assert [run.path for _, run in section.runs] == [new]
    assert [run.path for run in section.superseded] == [old]


def test_a_later_run_on_part_of_the_clips_hides_none_that_has_more(write_run):
    part = {key: score for key, score in scores(0.1).items() if key[0] == "a"}
    whole = write_run("moga", scores(), folder="whole", created="2026-01-01T00:00:00")
    later = write_run("moga", part, folder="part", created="2026-02-01T00:00:00")
    section = only_section(whole, later)
    assert {run.path for _, run in section.runs} == {whole, later}
    assert section.superseded == ()
    assert difference_table(only_section(whole, later, write_run("sam2", part, folder="s")), "J") is not None


def test_no_score_is_best_where_systems_were_tested_on_different_clips(write_run):
    part = {key: score for key, score in scores(0.1).items() if key[0] in "ab"}
    section = only_section(write_run("sam2", scores()), write_run("moga", part))
    table = score_table(section, "J")
    assert not any(is_emphasised(table, row, column) for row in range(2) for column in range(len(table.columns)))
    text = terminal_text(section)
    assert "sam2, 4 videos with 4 objects" in text and "moga, 2 videos with 2 objects" in text
    whole = terminal_text(only_section(write_run("sam2", scores()), write_run("moga", scores(0.1))))
    assert "videos with" not in whole and "\n* the best of a condition" in whole


AMODAL = ("mIoU", "mIoU_fo", "mIoU_ffo", "mIoU_occ")


def amodal_scores(offset: float = 0.0) -> dict:
    rows = {
        ("a", "category=occlusion"): (0.8, 0.6, 0.2, 0.1),
        ("b", "category=occlusion"): (0.6, 0.4, None, 0.3),
        ("c", "category=mobile"): (0.7, 0.5, 0.4, 0.2),
    }
    return {key: tuple(None if v is None else v + offset for v in row) for key, row in rows.items()}


def test_amodal_tables_count_only_clips_that_define_a_metric(write_run):
    section = only_section(write_run("sam2", amodal_scores(), metrics=AMODAL, dataset="realvas"))
    everything, mobile, occlusion = amodal_tables(section)
    assert everything.columns == AMODAL
    assert [cell.videos for cell in everything.rows[0].cells] == [3, 3, 2, 3]
    assert everything.rows[0].cells[2].mean == pytest.approx(0.3)
    assert (mobile.title, mobile.rows[0].cells[2].mean) == ("Category: mobile", 0.4)
    assert [cell.videos for cell in occlusion.rows[0].cells] == [2, 2, 1, 2]


def test_amodal_tables_under_several_conditions_cross_them_with_the_categories(write_run):
    rows = {
        (clip, f"category={category},corruption={condition}"): (0.8 - drop, 0.6 - drop, 0.4 - drop, 0.2)
        for clip, category in (("a", "occlusion"), ("b", "mobile"))
        for condition, drop in (("clean", 0.0), ("fog", 0.3))
    }
    section = only_section(write_run("sam2", rows, metrics=AMODAL, dataset="realvas"))
    means = {table.title: table.rows[0].cells[0].mean for table in amodal_tables(section)}
    assert means["All clips"] == pytest.approx(0.65)
    assert (means["Condition: clean"], means["Condition: fog"]) == pytest.approx((0.8, 0.5))
    assert means["Category: mobile, fog"] == pytest.approx(0.5)
    lines = [line.split() for line in summary_lines(section.runs[0][1])]
    assert ["mobile,", "fog", "50.0", "30.0", "10.0", "20.0", "1"] in lines


def test_amodal_difference_is_over_clips_that_both_define(write_run):
    section = only_section(
        write_run("sam2", amodal_scores(), metrics=AMODAL), write_run("moga", amodal_scores(0.05), metrics=AMODAL)
    )
    table = amodal_difference_table(section)
    assert [cell.videos for cell in table.rows[0].cells] == [3, 3, 2, 3]
    assert all(cell.mean == pytest.approx(0.05) for cell in table.rows[0].cells)


def test_published_rows_stand_only_by_their_dataset_and_say_so(write_run):
    here = only_section(write_run("sam2", scores(), dataset="mvseg_adv", protocol="release"))
    tables = published_tables(here)
    assert tables
    assert all(row.source for table in tables for row in table.rows)
    assert all("Not comparable" in table.caption for table in tables)
    assert "4 clips were tested here, 20 in the paper" in tables[0].caption
    assert published_tables(only_section(write_run("sam2", scores()))) == []


def test_another_protocol_is_named_as_not_comparable(write_run):
    section = only_section(write_run("sam2", scores(), dataset="youtube_vos_c", protocol="davis"))
    assert "'release'" in published_tables(section)[0].caption


def test_measured_rows_join_the_published_ones_on_the_whole_dataset_under_the_same_protocol(write_run):
    complete = {(f"clip{i}", "weather=fog"): (0.6, 0.5, 0.7) for i in range(149)}
    section = only_section(
        write_run("sam2", complete, metrics=("J&F", "J", "F"), dataset="acdc_video", protocol="release")
    )
    table = published_tables(section)[0]
    assert [bool(row.source) for row in table.rows] == [False] + [True] * 5
    assert [cell.mean for cell in table.rows[0].cells] == pytest.approx([0.6, 0.5, 0.7])
    assert "Not comparable" not in table.caption


def test_published_j_and_f_is_the_mean_of_j_and_f_as_printed():
    for dataset in ("mvseg_adv", "acdc_video", "youtube_vos_c", "youtube_vos"):
        for _, (both, region, contour) in published_for(dataset)[0].rows:
            assert abs(both - (region + contour) / 2) <= 0.1 + 1e-9


def test_published_spreads_have_the_shape_of_their_rows():
    for table in published_for("realvas"):
        assert all(len(values) == len(table.columns) == len(table.metrics) for _, values in table.rows)
        assert not table.stds or [len(s) for s in table.stds] == [len(table.columns)] * len(table.rows)


def test_only_measured_bests_and_decided_differences_are_bold():
    rows = (
        Row("a", (Cell(0.5, 0.4, 0.54),)),
        Row("b", (Cell(0.6, 0.55, 0.7),)),
        Row("paper", (Cell(0.9),), source="x"),
    )
    table = Table("scores", "", "", ("fog",), rows, ("J",))
    assert [is_emphasised(table, i, 0) for i in range(3)] == [False, True, False]
    rows = (Row("a", (Cell(0.1, -0.01, 0.2),)), Row("b", (Cell(-0.1, -0.2, -0.01),)), Row("c", (Cell(0.3),)))
    table = Table("differences", "", "", ("fog",), rows, ("J",))
    assert [is_emphasised(table, i, 0) for i in range(3)] == [False, True, False]


def test_no_score_is_best_on_one_clip_or_where_intervals_overlap():
    apart, beside = Cell(0.5, 0.4, 0.54, videos=3), Cell(0.6, 0.55, 0.7, videos=3)
    for cells, best in (
        ((apart, beside), [False, True]),
        ((apart, replace(beside, low=0.53)), [False, False]),
        ((replace(apart, videos=1), replace(beside, videos=1)), [False, False]),
        ((apart, replace(beside, low=math.nan)), [False, False]),
    ):
        table = Table("scores", "", "", ("fog",), tuple(Row(str(c), (c,)) for c in cells), ("J",))
        assert [is_emphasised(table, i, 0) for i in range(2)] == best


def test_paired_differences_carry_wilcoxons_p_corrected_over_conditions(write_run):
    """Six clips that all gain under fog: exact p is 2 / 2 ** 6; one of two conditions, so that Holm doubles it."""
    clips = [chr(97 + i) for i in range(6)]
    conditions = [f"corruption={c}" for c in ("clean", "fog")]
    gain = {"corruption=fog": 0.1, "corruption=clean": 0.0}
    base = {(clip, c): 0.4 + i / 50 for i, clip in enumerate(clips) for c in conditions}
    better = {(clip, c): base[clip, c] + gain[c] * (1 + i / 10) for i, clip in enumerate(clips) for c in conditions}
    runs = [load_result(write_run("sam2", base)), load_result(write_run("moga", better))]
    (section,) = make_sections(runs)
    table = difference_table(section, "J")
    clean, fog = table.rows[0].cells[:2]
    assert fog.p == pytest.approx(2 * 2 / 2**6) and clean.p == 1.0
    assert "p .062" in spread_text(table, fog)
    kept = retention_table(section).rows[1].cells[0]
    assert kept.mean == pytest.approx(
        sum(better[c, conditions[1]] for c in clips) / sum(base[c, conditions[0]] for c in clips)
    )
    assert kept.low < kept.mean < kept.high and kept.videos == 6


def test_parameters_and_memory_are_those_that_the_runs_kept(write_run):
    memory = {"host": 900.4, "fit_host": 2100.0}
    tuned = write_run("moga", scores(), parameters={"total": 3000000, "trainable": 1200}, memory_mib=memory)
    section = only_section(tuned, write_run("sam2", scores(), parameters={"total": 2900000, "trainable": 0}))
    table = cost_table(section)
    assert table is not None and table.columns == ("parameters", "trained", "fit, host MiB", "test, host MiB")
    shown = {row.name: [mean_text(table, cell) for cell in row.cells] for row in table.rows}
    assert shown == {"moga": ["3,000,000", "1,200", "2,100", "900"], "sam2": ["2,900,000", "0", "-", "-"]}
