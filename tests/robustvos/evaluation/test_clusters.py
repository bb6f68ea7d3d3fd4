"""The bootstrap draws clusters: a sequence with all its objects and conditions, clips of the same footage together."""

from __future__ import annotations

import numpy as np
import pytest

from robustvos.evaluation.aggregate import aggregate, mean_of, paired_records
from robustvos.evaluation.records import CLUSTER_TAG, ObjectScore

pytestmark = pytest.mark.fast


def records(values, **tags):
    """``values[video, condition]``, one object each."""
    return [
        ObjectScore(f"v{v}", 1, 5, {"corruption": f"c{c}", **{k: f(v) for k, f in tags.items()}}, {"J": float(value)})
        for (v, c), value in np.ndenumerate(values)
    ]


def test_conditions_of_a_sequence_add_nothing_to_what_is_known_of_sequences():
    of_sequences = np.random.default_rng(0).normal(size=(8, 1))
    once, nine_times = mean_of(records(of_sequences), "J"), mean_of(records(np.repeat(of_sequences, 9, 1)), "J")
    assert (nine_times.low, nine_times.high) == pytest.approx((once.low, once.high))
    assert nine_times.error == pytest.approx(once.error)
    assert nine_times.videos == once.videos == 8


def test_standard_error_is_that_of_a_mean_over_clusters():
    values = np.random.default_rng(1).normal(size=(40, 3))
    expected = values.mean(1).std() / np.sqrt(40)  # of the plug-in distribution, which the bootstrap draws from
    assert mean_of(records(values), "J").error == pytest.approx(expected, rel=0.05)


def test_clips_of_the_same_footage_are_drawn_together():
    of_footage = np.random.default_rng(2).normal(size=(6, 1))
    alone = mean_of(records(of_footage), "J")
    values = np.repeat(of_footage, 5, 0)
    apart, together = (mean_of(records(values, **tags), "J") for tags in ({}, {CLUSTER_TAG: lambda v: f"f{v // 5}"}))
    assert together.mean == apart.mean == pytest.approx(alone.mean)
    assert together.error == pytest.approx(alone.error)
    assert together.error > 2 * apart.error
    assert (together.videos, together.objects) == (30, 30), "the clips are counted all the same"


def test_paired_differences_keep_their_clusters():
    values = np.random.default_rng(3).normal(size=(12, 2))
    tags = {CLUSTER_TAG: lambda v: f"f{v // 4}"}
    better = records(values + 0.25, **tags)
    difference = mean_of(paired_records(better, records(values, **tags), "J"), "J")
    assert (difference.mean, difference.low, difference.high) == pytest.approx((0.25, 0.25, 0.25))
    assert difference.error == pytest.approx(0, abs=1e-12)


def test_footage_is_no_heading_of_results():
    found = aggregate(records(np.zeros((4, 1)), **{CLUSTER_TAG: lambda v: f"f{v // 2}"}), ["J"])
    assert list(found["by"]) == ["corruption"]
    assert "error" not in found["overall"]["J"]
