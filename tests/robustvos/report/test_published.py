"""The papers' rows, as data."""

from __future__ import annotations

import math

from robustvos.report.published import REALVAS, ROBUSTPVOS, published_for, published_table


def test_every_table_has_a_figure_a_column():
    parts = [
        part for paper in (ROBUSTPVOS, REALVAS) for number in range(2, 9) for part in published_table(number, paper)
    ]
    assert {(part.paper, part.table) for part in parts} == {
        *((ROBUSTPVOS, number) for number in range(2, 9)),
        *((REALVAS, number) for number in range(2, 6)),
    }
    for part in parts:
        assert len(part.metrics) == len(part.columns), part.source
        assert all(len(values) == len(part.columns) for _, values in part.rows), part.source
        assert all(len(values) == len(part.columns) for values in part.stds) and len(part.stds) in (0, len(part.rows))
        largest = 100 if part.percent else 1
        assert all(math.isnan(value) or 0 <= value <= largest for _, values in part.rows for value in values)


def test_j_and_f_is_the_mean_of_j_and_f_as_printed():
    for dataset in ("mvseg_adv", "acdc_video", "youtube_vos_c", "youtube_vos"):
        for name, (mean, region, contour) in published_for(dataset)[0].rows:
            assert abs(mean - (region + contour) / 2) < 0.11, (dataset, name)  # each is rounded by itself
