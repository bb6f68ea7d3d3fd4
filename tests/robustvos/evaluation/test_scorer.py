"""Tracked frames meet the truth of the same object, whatever the order and whenever it appears."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from robustvos.errors import DataNotFound
from robustvos.evaluation.protocol import ModalScoring, protocol_named
from robustvos.evaluation.records import ObjectScore
from robustvos.evaluation.scorer import Scorer, VideoTruth, evaluate
from robustvos.sam2.build import build_sam2
from robustvos.sam2.config import Sam2Config
from robustvos.sam2.tracker import Tracker
from robustvos.systems.tracking import track_video
from robustvos.types import Prompt, TrackedFrame, Video

pytestmark = pytest.mark.fast

SIZE = (24, 32)


def square(top: int, left: int, side: int = 8) -> torch.Tensor:
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[top : top + side, left : left + side] = True
    return mask


def said(index: int, masks: dict[int, torch.Tensor]) -> TrackedFrame:
    stack = torch.stack(list(masks.values())) if masks else torch.zeros(0, *SIZE, dtype=torch.bool)
    return TrackedFrame(index, tuple(masks), stack, stack.float(), torch.ones(len(masks)), torch.ones(len(masks)))


NOTHING = torch.zeros(SIZE, dtype=torch.bool)
TRUTH = {  # object 9 appears on frame 2; frame 3 has no truth
    4: [square(2, 2), square(2, 4), square(2, 6), square(2, 8), square(2, 10)],
    9: [NOTHING, NOTHING, square(12, 20), square(12, 18), square(12, 16)],
}


def make_video(amodal: bool = False) -> Video:
    modal = [torch.stack([TRUTH[4][t], TRUTH[9][t]]) for t in range(5)]
    whole = [m.clone() for m in modal]
    for t in range(5):
        whole[t][0, 2:10, 10:14] = True  # a part that is never seen
    frames = [torch.full((3, *SIZE), 40 * t, dtype=torch.uint8) for t in range(5)]
    return Video(
        name="v",
        frames=frames,
        object_ids=(4, 9),
        masks=[m if t != 3 else None for t, m in enumerate(modal)],
        prompts=(Prompt(4, mask=TRUTH[4][0], frame=0), Prompt(9, mask=TRUTH[9][2], frame=2)),
        frame_names=tuple("01234"),
        size=SIZE,
        amodal=[w if t != 3 else None for t, w in enumerate(whole)] if amodal else None,
        corruption="fog",
        tags={"category": "square"},
    )


def iou(one: torch.Tensor, two: torch.Tensor) -> float:
    return float((one & two).sum() / (one | two).sum())


DAVIS = protocol_named("davis")


def score(predictions: list[dict[int, torch.Tensor]], task: str = "modal", **rules: Any) -> dict[int, ObjectScore]:
    protocol = protocol_named("realvas") if task == "amodal" else replace(DAVIS, scoring=ModalScoring(**rules))
    frames = (said(t, masks) for t, masks in enumerate(predictions))
    result = evaluate(VideoTruth(make_video(amodal=task == "amodal")), frames, protocol)
    assert (result.video, result.corruption) == ("v", "fog")
    return {record.object_id: record for record in result.objects}


def test_truth_without_identities_is_what_fits_the_prediction():
    class Regions(list):
        """Regions 0 and 1 of each frame may be either object's: the one that overlaps a prediction more is its truth."""

        def matched_to(self, index: int, prediction: torch.Tensor) -> torch.Tensor:
            return torch.stack([max(self[index], key=lambda region: iou(region, mask)) for mask in prediction])

    video = make_video()
    swapped = [None if m is None else m.flip(0) for m in video.masks]
    seen = {t: {4: TRUTH[4][t], 9: TRUTH[9][t]} for t in (2, 4)}
    for masks, expected in ((swapped, 0.0), (Regions(swapped), 1.0)):
        scorer = Scorer(VideoTruth(replace(video, masks=masks)), DAVIS)
        for t, prediction in seen.items():
            scorer.update(said(t, prediction))
        assert [record.scores["J"] for record in scorer.result().objects] == [expected] * 2


def test_masks_take_the_order_of_the_video():
    tracked = said(2, {9: square(1, 1), 77: square(3, 3), 4: square(5, 5)})
    found = tracked.masks_of((4, 9), SIZE)
    assert np.array_equal(found, torch.stack([square(5, 5), square(1, 1)]).numpy())


def test_objects_not_introduced_yet_are_empty():
    assert not said(0, {}).masks_of((4, 9), SIZE).any()
    found = said(0, {9: square(1, 1)}).masks_of((4, 9), SIZE)
    assert not found[0].any() and np.array_equal(found[1], square(1, 1).numpy())


def test_perfect_tracking_scores_one_in_any_order():
    predictions = [{9: TRUTH[9][t], 4: TRUTH[4][t]} if t % 2 else {4: TRUTH[4][t], 9: TRUTH[9][t]} for t in range(5)]
    records = score(predictions)
    assert [records[o].scores for o in (4, 9)] == [{"J&F": 1.0, "J": 1.0, "F": 1.0}] * 2
    assert records[4].tags == {"category": "square", "corruption": "fog"}


def test_swapped_objects_score_nothing():
    records = score([{4: TRUTH[9][t], 9: TRUTH[4][t]} for t in range(5)])
    assert records[4].scores["J"] == records[9].scores["J"] == 0.0


def test_late_object_counts_from_its_first_frame_and_frames_without_truth_do_not():
    off = [{4: square(3, 2 + 2 * t)} | ({9: square(12, 21 - 2 * (t - 2))} if t >= 2 else {}) for t in range(5)]
    records = score(off)
    assert (records[4].frames, records[9].frames) == (4, 2)
    expected = {
        4: sum(iou(off[t][4], TRUTH[4][t]) for t in (0, 1, 2, 4)) / 4,
        9: sum(iou(off[t][9], TRUTH[9][t]) for t in (2, 4)) / 2,
    }
    for object_id, value in expected.items():
        assert records[object_id].scores["J"] == pytest.approx(value)


def test_first_and_last_frame_are_left_out_if_the_data_say_so():
    predictions = [{o: TRUTH[o][t] if t in (1, 2) else NOTHING for o in (4, 9)} for t in range(5)]
    records = score(predictions, skip_first_last=True)
    assert (records[4].frames, records[9].frames) == (2, 1)
    assert records[4].scores["J"] == records[9].scores["J"] == 1.0


def test_every_annotated_frame_is_told_by_object():
    scorer = Scorer(VideoTruth(make_video()), DAVIS)
    for t in range(5):
        scorer.update(said(t, {4: TRUTH[4][t], 9: NOTHING}))
    rows = scorer.result().frames
    assert [(row.frame, row.object_id) for row in rows] == [(t, o) for t in (0, 1, 2, 4) for o in (4, 9)]
    assert [row.region for row in rows if row.object_id == 4] == [1.0] * 4
    assert [row.region for row in rows if row.object_id == 9 and row.frame >= 2] == [0.0] * 2
    assert [row.counts for row in rows if row.object_id == 4] == [True] * 4
    assert [row.frame for row in rows if row.object_id == 9 and row.counts] == [2, 4]


def test_amodal_task_compares_with_whole_objects():
    video = make_video(amodal=True)
    whole = score([{4: m[0], 9: m[1]} if m is not None else {4: NOTHING} for m in video.amodal], "amodal")
    assert whole[4].scores["mIoU"] == pytest.approx(1.0)
    seen = score([{4: TRUTH[4][t], 9: TRUTH[9][t]} for t in range(5)], "amodal")
    frames = (0, 1, 2, 4)
    common = sum(int((TRUTH[4][t] & video.amodal[t][0]).sum()) for t in frames)
    either = sum(int((TRUTH[4][t] | video.amodal[t][0]).sum()) for t in frames)
    assert seen[4].scores["mIoU"] == pytest.approx(common / either)
    assert seen[4].scores["mIoU"] < 0.9


def test_amodal_task_without_amodal_truth_is_refused():
    with pytest.raises(DataNotFound, match="video 'v' has no amodal masks"):
        Scorer(VideoTruth(make_video(amodal=False)), protocol_named("realvas"))


@pytest.fixture(scope="module")
def nano() -> Any:
    torch.manual_seed(0)
    return build_sam2(Sam2Config("nano", "random", 64))


def test_tracker_is_told_each_prompt_on_its_frame(nano):
    video = make_video()
    seen = list(track_video(Tracker(nano, num_frames=5), video))
    assert [tracked.index for _, tracked in seen] == [0, 1, 2, 3, 4]
    assert [set(tracked.object_ids) for _, tracked in seen] == [{4}, {4}, {4, 9}, {4, 9}, {4, 9}]
    for t, (frame, tracked) in enumerate(seen):
        assert torch.equal(frame, video.frames[t])
        assert tracked.masks.shape[1:] == SIZE
    prompted = seen[0][1].masks[0]
    assert iou(prompted, TRUTH[4][0]) > 0.7, "the mask prompt itself, resized and back"


def test_tracker_sees_restored_frames(nano):
    video = make_video()
    seen = list(track_video(Tracker(nano, num_frames=5), video, restore=lambda frame: 255 - frame))
    assert all(torch.equal(frame, 255 - video.frames[t]) for t, (frame, _) in enumerate(seen))
    other = list(track_video(Tracker(nano, num_frames=5), video))
    assert not torch.equal(seen[1][1].logits, other[1][1].logits)


class MasksWithVoid(list):
    """Truth of which a part is not known on frame 1."""

    def void(self, index: int) -> torch.Tensor | None:
        return square(2, 12) if index == 1 else None


def test_what_the_truth_does_not_know_is_not_scored():
    video = make_video()
    wrong = {4: square(2, 4) | square(2, 12), 9: NOTHING}  # right of the object, on pixels that are void
    for masks, region in ((video.masks, 0.5), (MasksWithVoid(video.masks), 1.0)):
        scorer = Scorer(VideoTruth(replace(video, masks=masks)), DAVIS)
        scorer.update(said(1, wrong))
        (found,) = [row for row in scorer.result().frames if row.object_id == 4]
        assert found.region == pytest.approx(region)
