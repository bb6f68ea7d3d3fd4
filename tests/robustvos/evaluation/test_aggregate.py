"""Means, intervals and paired differences over objects and clips."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from robustvos.evaluation.aggregate import aggregate, mean_of, paired_records
from robustvos.evaluation.records import ObjectScore

pytestmark = pytest.mark.fast


def record(clip: str, score: float | None, object_id: int = 1, **tags: str) -> ObjectScore:
    return ObjectScore(clip, object_id, 3, tags, {"J": score})


def many(seed: int, clips: int = 12) -> list[ObjectScore]:
    rng = np.random.default_rng(seed)
    return [
        record(f"clip{c}", float(rng.uniform()), o, corruption=corruption)
        for c in range(clips)
        for o in range(1 + c % 3)
        for corruption in ("fog", "clean")
    ]


def test_objects_weigh_the_same_or_clips_do() -> None:
    objects = [record("a", 0.2, 1), record("a", 0.4, 2), record("a", 0.6, 3), record("b", 1.0)]
    over_objects, over_clips = mean_of(objects, "J"), mean_of(objects, "J", averaging="videos")
    assert over_objects.mean == pytest.approx(0.55)
    assert over_clips.mean == pytest.approx((0.4 + 1.0) / 2)
    assert over_clips.std == over_objects.std == pytest.approx(np.std([0.4, 1.0], ddof=1))
    assert (over_objects.videos, over_objects.objects) == (2, 4)


def test_undefined_scores_are_left_out_and_not_counted() -> None:
    found = mean_of([record("a", 0.5), record("b", None), record("c", 0.7)], "J")
    assert found.mean == pytest.approx(0.6)
    assert (found.videos, found.objects) == (2, 2)


def test_nothing_to_average_gives_none() -> None:
    nothing = {"mean": None, "low": None, "high": None, "std": None, "videos": 0, "objects": 0}
    assert mean_of([record("a", None)], "J").to_json() == nothing
    assert mean_of([], "J").to_json() == nothing


def test_one_clip_has_no_interval() -> None:
    found = mean_of([record("a", 0.5, 1), record("a", 0.9, 2)], "J")
    assert found.mean == pytest.approx(0.7) and np.isnan([found.low, found.high, found.std]).all()


def test_equal_seeds_give_equal_intervals_in_any_order() -> None:
    objects = many(0)
    shuffled = [objects[i] for i in np.random.default_rng(1).permutation(len(objects))]
    assert aggregate(objects, ["J"], seed=3) == aggregate(shuffled, ["J"], seed=3)
    assert mean_of(objects, "J", seed=3).low != mean_of(objects, "J", seed=4).low


def test_interval_is_that_of_resampled_clips() -> None:
    objects = many(2)
    clips = sorted({entry.video for entry in objects})
    scores = {clip: [entry.scores["J"] for entry in objects if entry.video == clip] for clip in clips}
    rng = np.random.default_rng(9)
    means = [np.mean(np.concatenate([scores[clip] for clip in rng.choice(clips, len(clips))])) for _ in range(6000)]
    found = mean_of(objects, "J", resamples=6000)
    # Two bootstraps with other draws: their quantiles agree to a fraction of the interval's width.
    low, high = np.quantile(means, (0.025, 0.975))
    assert found.low == pytest.approx(low, abs=0.06 * (high - low))
    assert found.high == pytest.approx(high, abs=0.06 * (high - low))


def test_groups_by_each_tag() -> None:
    objects = [
        record("a", 0.2, corruption="fog", category="car"),
        record("a", 0.6, corruption="rain", category="car"),
        record("b", 0.4, corruption="fog"),
    ]
    found = aggregate(objects, ["J"])
    assert set(found["by"]) == {"corruption", "category"}
    assert found["by"]["corruption"]["fog"]["J"]["mean"] == pytest.approx(0.3)
    assert found["by"]["corruption"]["rain"]["J"]["mean"] == pytest.approx(0.6)
    assert found["by"]["category"]["car"]["J"]["objects"] == 2
    assert found["overall"]["J"]["mean"] == pytest.approx(0.4)
    json.dumps(found, allow_nan=False)


def test_paired_difference_compares_common_objects_only() -> None:
    a = [record("x", 0.9, corruption="fog"), record("x", 0.5, corruption="rain"), record("y", 0.4), record("z", 0.1)]
    b = [record("x", 0.6, corruption="fog"), record("x", 0.4, corruption="rain"), record("y", None), record("w", 0.7)]
    found = mean_of(paired_records(a, b, "J"), "J")
    assert found.mean == pytest.approx((0.3 + 0.1) / 2)
    assert found.videos == 1 and np.isnan([found.low, found.high]).all()
    assert paired_records(a, [], "J") == []


def test_paired_interval_is_narrow_where_systems_differ_evenly() -> None:
    a = many(4)
    b = [replace(entry, scores={"J": entry.scores["J"] - 0.05}) for entry in a]
    found = mean_of(paired_records(a, b, "J"), "J")
    assert [found.mean, found.low, found.high] == pytest.approx([0.05, 0.05, 0.05])
    assert found.videos == 12
    assert mean_of(paired_records(b, a, "J"), "J").mean == pytest.approx(-0.05)


def test_a_sequence_is_a_clip_under_one_corruption_and_weighs_as_any_other() -> None:
    objects = [record("a", 0.2, 1), record("a", 0.4, 2), record("a", 0.9, 1, corruption="fog"), record("b", None)]
    found = aggregate(objects, ["J"])
    assert found["sequences"]["a"]["J"] == pytest.approx(0.3)
    assert found["sequences"]["a@fog"]["J"] == 0.9
    assert found["sequences"]["b"]["J"] is None
    assert found["sequence_means"]["J"]["mean"] == pytest.approx((0.3 + 0.9) / 2)
    assert found["overall"]["J"]["mean"] == pytest.approx((0.2 + 0.4 + 0.9) / 3)


def test_flat_means_weigh_frames_alike():
    records = [
        ObjectScore(clip, 1, frames, {}, {"J": score})
        for clip, frames, score in (("a", 1, 0.2), ("b", 3, 0.6), ("c", 0, None))
    ]
    assert aggregate(records, ["J"])["flat"]["J"] == pytest.approx((0.2 + 3 * 0.6) / 4)
    assert aggregate(records[2:], ["J"])["flat"]["J"] is None
