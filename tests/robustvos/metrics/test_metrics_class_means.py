"""Figures over classes, and tags of single objects."""

import pytest
import torch

from robustvos.metrics.aggregate import aggregate
from robustvos.metrics.class_means import class_mean
from robustvos.metrics.video_scores import VideoScores


def record(clip: str, name: str | None, score: float | None, frames: int = 1) -> dict:
    tags = {} if name is None else {"class": name}
    return {"clip": clip, "object": 1, "frames": frames, "tags": tags, "scores": {"J": score}}


def test_each_class_weighs_the_same_and_each_frame_within_a_class():
    records = [
        record("a", "car", 1.0, 3),
        record("b", "car", 0.2, 1),
        record("a", "pole", 0.5, 7),
        record("b", None, 0.0, 9),
        record("b", "pole", None, 0),
    ]
    found = class_mean(records, "J")
    assert found["mean"] == pytest.approx(((3 * 1.0 + 0.2) / 4 + 0.5) / 2)
    assert (found["classes"], found["clips"], found["objects"]) == (2, 2, 3)
    assert found["low"] <= found["mean"] <= found["high"]


def test_order_of_records_does_not_matter():
    records = [record(clip, name, 0.1 * i) for i, (clip, name) in enumerate(zip("abcabc", "xxxyyz", strict=True))]
    assert class_mean(records, "J") == class_mean(records[::-1], "J")


def test_nothing_gives_none_and_one_clip_no_interval():
    assert class_mean([], "J")["mean"] is None
    found = class_mean([record("a", "car", 0.5)], "J")
    assert (found["mean"], found["low"], found["high"]) == (0.5, None, None)


def test_aggregates_have_class_means_only_where_there_are_classes():
    assert "class_means" not in aggregate([record("a", None, 0.5)], ["J"])
    assert aggregate([record("a", "car", 0.5)], ["J"])["class_means"]["J"]["mean"] == 0.5


def test_tag_of_one_object_is_its_alone():
    tags = {"weather": "fog", "class:5": "pole", "class:13": "car"}
    scores = VideoScores("a", (5, 13, 30), tags=tags)
    mask = torch.ones(3, 4, 4, dtype=torch.bool)
    scores.update(0, mask, mask)
    assert [entry["tags"] for entry in scores.objects()] == [
        {"weather": "fog", "class": "pole"},
        {"weather": "fog", "class": "car"},
        {"weather": "fog"},
    ]
