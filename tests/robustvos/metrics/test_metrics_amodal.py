"""The four amodal IoU figures against sets of pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustvos.evaluation.amodal_scores import AmodalScores
from robustvos.metrics.amodal_figures import occlusion_tags
from robustvos.metrics.functional import amodal_counts, amodal_iou, tabe_amodal_iou

pytestmark = pytest.mark.fast

Pixels = set[tuple[int, ...]]


def pixels(mask: torch.Tensor) -> Pixels:
    return {tuple(place) for place in mask.nonzero().tolist()}


def ratio(pairs: list[tuple[Pixels, Pixels]]) -> float | None:
    """IoU of pairs of sets, pooled."""
    whole = sum(len(a | b) for a, b in pairs)
    return sum(len(a & b) for a, b in pairs) / whole if whole else None


def slow_figures(prediction: torch.Tensor, amodal: torch.Tensor, modal: torch.Tensor) -> dict[str, float | None]:
    every, occluded, full, hidden = [], [], [], []
    for t in range(len(prediction)):
        p, a = pixels(prediction[t]), pixels(amodal[t])
        m = pixels(modal[t]) & a
        if not a:
            continue
        every.append((p, a))
        if len(a - m) / len(a) > 0.005:
            occluded.append((p, a))
            hidden.append((p - m, a - m))
        if not m:
            full.append((p, a))
    return {
        "mIoU": ratio(every),
        "mIoU_fo": ratio(occluded),
        "mIoU_ffo": ratio(full),
        "mIoU_occ": ratio(hidden),
    }


def clip(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random masks; frame 0 visible, 1 partly hidden, 2 wholly hidden, 3 gone, 4 with visible pixels outside A."""
    random = torch.Generator().manual_seed(seed)
    prediction, amodal, noise = (torch.rand(3, 5, 12, 14, generator=random) < 0.5).unbind()
    modal = amodal.clone()
    modal[1] &= noise[1]
    modal[2] = False
    amodal[3] = modal[3] = False
    modal[4] = noise[4]
    return prediction, amodal, modal


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_pixel_sets(seed: int) -> None:
    prediction, amodal, modal = clip(seed)
    assert amodal_iou(prediction, amodal, modal) == pytest.approx(slow_figures(prediction, amodal, modal))


def test_figures_without_such_frames_are_undefined() -> None:
    _, amodal, _ = clip(0)
    visible = amodal[:3]
    found = amodal_iou(visible, visible, visible)
    assert found == {"mIoU": 1.0, "mIoU_fo": None, "mIoU_ffo": None, "mIoU_occ": None}


def test_an_empty_prediction_of_a_hidden_object_scores_zero() -> None:
    _, amodal, modal = clip(1)
    found = amodal_iou(torch.zeros_like(amodal), amodal, modal)
    assert set(found.values()) == {0.0}


def test_frames_without_the_object_count_nowhere() -> None:
    prediction, amodal, modal = clip(2)
    without = [0, 1, 2, 4]
    changed = prediction.clone()
    changed[3] = True
    assert amodal_iou(changed, amodal, modal) == amodal_iou(prediction[without], amodal[without], modal[without])


def test_occluded_means_more_than_half_a_percent_hidden() -> None:
    amodal = torch.ones(2, 20, 20, dtype=torch.bool)
    modal = amodal.clone()
    modal[0].view(-1)[:2] = False  # 0.5 %: not above the limit.
    modal[1].view(-1)[:3] = False
    found = amodal_iou(modal, amodal, modal)
    assert found["mIoU_fo"] == pytest.approx(397 / 400)
    literal = amodal_iou(modal, amodal, modal, occluded_above=0)
    assert literal["mIoU_fo"] == pytest.approx((398 + 397) / 800)


def test_tabe_means_ious_over_frames_and_subtracts_with_a_sign() -> None:
    prediction, amodal, modal = clip(3)
    modal &= amodal
    found = tabe_amodal_iou(amodal_counts(prediction, amodal, modal, signed_difference=True))
    ious, hidden, occluded, full = [], [], [], []
    for t in range(5):
        p, a, m = pixels(prediction[t]), pixels(amodal[t]), pixels(modal[t])
        ious.append(len(p & a) / len(p | a) if p | a else 0.0)
        if not a or len(a - m) / len(a) > 0.005:
            occluded.append(ious[-1])
        if not m:
            full.append(ious[-1])
        if a - m:
            # -1 is as true as 1: a missed visible pixel joins the predicted hidden ones.
            difference = (p - m) | (m - p)
            hidden.append(len(difference & (a - m)) / len(difference | (a - m)))
    expected = {
        "mIoU": sum(ious) / 5,
        "mIoU_fo": sum(occluded) / len(occluded),
        "mIoU_ffo": sum(full) / len(full),
        "mIoU_occ": sum(hidden) / len(hidden),
    }
    assert found == pytest.approx(expected)


def test_streamed_objects_score_as_the_whole_clip_does() -> None:
    first, second = clip(4), clip(5)
    scores = AmodalScores("cup", (7, 2), tags={"category": "surface"})
    for t in (3, 0, 4, 1, 2):
        scores.update(t, *(torch.stack([a[t], b[t]]).numpy() for a, b in zip(first, second, strict=True)))
    one, other = scores.objects()
    tags = {"category": "surface", "occlusion": "severe", "frames_hidden": "1-10"}
    assert (one.video, one.object_id, one.frames, one.tags) == ("cup", 7, 4, tags)
    assert one.scores == pytest.approx(slow_figures(*first))
    assert other.object_id == 2 and other.scores == pytest.approx(slow_figures(*second))


def test_a_frame_cannot_be_scored_twice() -> None:
    mask = torch.ones(1, 2, 2, dtype=torch.bool).numpy()
    scores = AmodalScores("cup", (1,))
    scores.update(0, mask, mask, mask)
    with pytest.raises(ValueError, match="already"):
        scores.update(0, mask, mask, mask)


@pytest.mark.parametrize(
    ("hidden_parts", "tags"),
    [
        ([0.0, 0.004], ("none", "0")),
        ([0.0, 0.2, 0.6], ("slight", "0")),
        ([0.0, 0.2, 0.9], ("severe", "0")),
        ([0.0] + [1.0] * 10, ("severe", "1-10")),
        ([0.0] + [1.0] * 11, ("severe", "11-20")),
        ([0.0] + [1.0] * 21, ("severe", "over 20")),
    ],
)
def test_objects_are_grouped_by_how_much_and_how_long_they_are_hidden(hidden_parts, tags):
    counts = np.zeros((len(hidden_parts) + 1, 7), np.int64)  # the last frame does not hold the object
    counts[:-1, 4] = 1000
    counts[:-1, 6] = np.rint(1000 * np.array(hidden_parts))
    counts[:, 5] = counts[:, 4] - counts[:, 6]
    assert tuple(occlusion_tags(counts).values()) == tags
