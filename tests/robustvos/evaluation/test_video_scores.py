"""Which frames of a clip count, and how they make an object's score."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustvos.errors import UnknownName
from robustvos.evaluation.davis_statistics import davis_statistics
from robustvos.evaluation.protocol import ModalScoring, protocol_named
from robustvos.evaluation.records import FrameScore, ObjectScore
from robustvos.evaluation.video_scores import VideoScores
from robustvos.metrics.functional import contour_accuracy, region_similarity

pytestmark = pytest.mark.fast


def random_clip(frames: int, objects: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    prediction, target = (torch.rand(2, frames, objects, 16, 18, generator=random) < 0.5).unbind()
    return prediction, target


def score(prediction: torch.Tensor, target: torch.Tensor, scoring: ModalScoring | None = None) -> list[ObjectScore]:
    scores = VideoScores("boat", range(1, target.shape[1] + 1), scoring=scoring)
    for t in range(len(target)):
        scores.update(t, prediction[t].numpy(), target[t].numpy())
    return scores.objects()


def test_scores_are_means_over_frames_of_the_functional_ones() -> None:
    prediction, target = random_clip(5, 2)
    region, contour = region_similarity(prediction, target), contour_accuracy(prediction, target)
    for position, record in enumerate(score(prediction, target)):
        assert record.frames == 5 and record.object_id == position + 1
        assert record.scores["J"] == pytest.approx(float(region[:, position].mean()), abs=1e-6)
        assert record.scores["F"] == pytest.approx(float(contour[:, position].mean()), abs=1e-6)
        assert record.scores["J&F"] == pytest.approx((record.scores["J"] + record.scores["F"]) / 2)


def test_an_object_counts_from_the_frame_that_first_shows_it() -> None:
    prediction, target = random_clip(6, 1)
    target[:2] = False
    target[4] = False  # Hidden later: this frame counts, with J 0.
    (record,) = score(prediction, target)
    assert record.frames == 4
    assert record.scores["J"] == pytest.approx(float(region_similarity(prediction, target)[2:].mean()), abs=1e-6)


def test_first_and_last_frame_can_be_left_out() -> None:
    prediction, target = random_clip(5, 1)
    (record,) = score(prediction, target, ModalScoring(skip_first_last=True))
    assert record.frames == 3
    assert record.scores["J"] == pytest.approx(float(region_similarity(prediction, target)[1:4].mean()), abs=1e-6)


def test_the_release_leaves_out_frames_without_the_object() -> None:
    prediction, target = random_clip(5, 1)
    target[2] = False
    (record,) = score(prediction, target, protocol_named("release").scoring)
    kept = [0, 1, 3, 4]
    region = region_similarity(prediction[kept], target[kept])
    contour = contour_accuracy(prediction[kept], target[kept], whole_pixels=False, contour="cross")
    assert record.frames == 4
    assert record.scores["J"] == pytest.approx(float(region.mean()), abs=1e-6)
    assert record.scores["F"] == pytest.approx(float(contour.mean()), abs=1e-6)


def test_an_object_that_never_counts_has_no_score() -> None:
    prediction, target = random_clip(3, 2)
    target[:, 1] = False
    assert score(prediction, target)[1].scores == {"J&F": None, "J": None, "F": None}
    late = random_clip(3, 1)
    late[1][:2] = False
    (record,) = score(*late, ModalScoring(skip_first_last=True))
    assert record.frames == 0 and record.scores["J"] is None


def test_the_order_of_frames_does_not_matter() -> None:
    prediction, target = random_clip(5, 2)
    target[:2, 1] = False
    scores = VideoScores("boat", (1, 2))
    for t in (3, 1, 4, 0, 2):
        scores.update(t, prediction[t].numpy(), target[t].numpy())
    assert scores.objects() == score(prediction, target)


def test_an_object_added_on_appearance_scores_as_if_known_from_the_start() -> None:
    prediction, target = random_clip(6, 2)
    target[:3, 1] = False
    scores = VideoScores("boat", (1,), scoring=ModalScoring(skip_first_last=True))
    for t in range(6):
        if t == 3:
            scores.add_object(2)
        known = len(scores.object_ids)
        scores.update(t, prediction[t, :known].numpy(), target[t, :known].numpy())
    assert scores.objects() == score(prediction, target, ModalScoring(skip_first_last=True))


def test_a_clip_without_objects_has_no_records() -> None:
    scores = VideoScores("sea", ())
    scores.update(0, np.zeros((0, 4, 4), bool), np.zeros((0, 4, 4), bool))
    assert scores.objects() == []


def test_wrong_calls_are_refused() -> None:
    mask = np.ones((1, 4, 4), bool)
    scores = VideoScores("boat", (1,))
    scores.update(0, mask, mask)
    with pytest.raises(ValueError, match="already"):
        scores.update(0, mask, mask)
    with pytest.raises(ValueError, match="1 objects need as many masks, got 2"):
        scores.update(1, mask.repeat(2, axis=0), mask.repeat(2, axis=0))
    with pytest.raises(UnknownName, match="did you mean 'davis'"):
        protocol_named("davi")


def test_recall_and_decay_are_those_of_davis() -> None:
    region = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    found = davis_statistics([FrameScore(t, 1, j, 1.0, True) for t, j in enumerate(region)])
    assert found["J-Mean"] == pytest.approx(0.5)
    assert found["J-Recall"] == pytest.approx(4 / 9)
    # Quarters of nine frames: 0 to 2, 2 to 4, 4 to 6, 6 to 8.
    assert found["J-Decay"] == pytest.approx((0.9 + 0.8 + 0.7) / 3 - (0.3 + 0.2 + 0.1) / 3)
    assert found["F-Decay"] == 0
    single = davis_statistics([FrameScore(0, 1, 0.6, 0.4, True)])
    assert (single["J-Recall"], single["F-Recall"], single["J-Decay"]) == (1, 0, 0)
