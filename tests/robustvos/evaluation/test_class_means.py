"""Figures over classes, and tags of single objects."""

import numpy as np
import pytest

from robustvos.evaluation.aggregate import aggregate, class_mean
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.video_scores import VideoScores

pytestmark = pytest.mark.fast


def record(clip: str, name: str | None, score: float | None, frames: int = 1) -> ObjectScore:
    tags = {} if name is None else {"class": name}
    return ObjectScore(clip, 1, frames, tags, {"J": score})


def test_each_class_weighs_the_same_and_each_frame_within_a_class():
    records = [
        record("a", "car", 1.0, 3),
        record("b", "car", 0.2, 1),
        record("a", "pole", 0.5, 7),
        record("b", None, 0.0, 9),
        record("b", "pole", None, 0),
    ]
    found = class_mean(records, "J")
    assert found.mean == pytest.approx(((3 * 1.0 + 0.2) / 4 + 0.5) / 2)
    assert (found.classes, found.videos, found.objects) == (2, 2, 3)
    assert found.low <= found.mean <= found.high


def test_order_of_records_does_not_matter():
    records = [record(clip, name, 0.1 * i) for i, (clip, name) in enumerate(zip("abcabc", "xxxyyz", strict=True))]
    assert class_mean(records, "J") == class_mean(records[::-1], "J")


def test_nothing_gives_none_and_one_clip_no_interval():
    assert not class_mean([], "J").known
    found = class_mean([record("a", "car", 0.5)], "J")
    assert found.mean == 0.5 and np.isnan([found.low, found.high]).all()


def test_aggregates_have_class_means_only_where_there_are_classes():
    assert "class_means" not in aggregate([record("a", None, 0.5)], ["J"])
    assert aggregate([record("a", "car", 0.5)], ["J"])["class_means"]["J"]["mean"] == 0.5


def test_tag_of_one_object_is_its_alone():
    tags = {"weather": "fog", "class:5": "pole", "class:13": "car"}
    scores = VideoScores("a", (5, 13, 30), tags=tags)
    mask = np.ones((3, 4, 4), bool)
    scores.update(0, mask, mask)
    assert [entry.tags for entry in scores.objects()] == [
        {"weather": "fog", "class": "pole"},
        {"weather": "fog", "class": "car"},
        {"weather": "fog"},
    ]
