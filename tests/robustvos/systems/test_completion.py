"""Whole masks guessed from visible ones: where a square that something hides is said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustvos.errors import UserError
from robustvos.systems.completion import (
    CompleteConvex,
    ConstantVelocity,
    FollowOccluder,
    HoldLast,
    RepeatQuery,
    completed,
    true_visible,
)
from robustvos.types import Video

pytestmark = pytest.mark.fast

SIZE = (48, 64)
BLANK = np.zeros((3, *SIZE), np.uint8)


def square(x: int, y: int = 10, side: int = 10, width: int | None = None) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y : y + side, x : x + (side if width is None else width)] = True
    return mask


NOTHING = np.zeros(SIZE, bool)
# It moves right by 2 a frame, then half of it is hidden, then all of it.
SEEN = [square(4), square(6), square(8), square(10, width=5), NOTHING]


def run(completion, seen=SEEN, frames=None):
    frames = [BLANK] * len(seen) if frames is None else frames
    one = completion.fresh()
    return [one.complete(frame, mask) for frame, mask in zip(frames, seen, strict=True)]


@pytest.mark.parametrize(
    ("completion", "half", "hidden"),
    [
        (RepeatQuery(), square(4), square(4)),
        (HoldLast(), square(8), square(8)),
        (ConstantVelocity(), square(10), square(12)),
        (CompleteConvex(), square(10, width=5), square(8)),
        (HoldLast(whole_above=0.5), square(10, width=5), square(10, width=5)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fresh") else "",
)
def test_occluded_square_is_where_the_baseline_says(completion, half, hidden):
    answers = run(completion)
    for answer, expected in zip(answers[:3], SEEN, strict=False):
        np.testing.assert_array_equal(answer, square(4) if isinstance(completion, RepeatQuery) else expected)
    np.testing.assert_array_equal(answers[3], half)
    np.testing.assert_array_equal(answers[4], hidden)


def test_object_inside_a_moving_box_moves_along():
    """A textured box is let down over the square and then carried 3 pixels a frame to the right."""
    texture = np.random.default_rng(0).integers(0, 255, (3, 28, 28), dtype=np.uint8)
    frames = [BLANK]
    for step in range(5):
        frame = BLANK.copy()
        frame[:, 4:32, 4 + 3 * step : 32 + 3 * step] = texture
        frames.append(frame)
    answers = run(FollowOccluder(), [square(12), *[NOTHING] * 5], frames)
    assert abs(float(np.nonzero(answers[-1])[1].mean()) - (16.5 + 12)) <= 1
    assert abs(float(np.nonzero(answers[-1])[0].mean()) - 14.5) <= 1


def test_hull_fills_a_notch():
    bite = square(20, 10, 12)
    bite[14:18, 20:30] = False  # a bar crosses it: 40 of 144 pixels
    np.testing.assert_array_equal(run(CompleteConvex(), [square(20, 10, 12), bite])[1], square(20, 10, 12))


def test_each_object_has_a_memory_of_its_own_and_frames_without_truth_are_passed_over():
    masks = [torch.from_numpy(np.stack(pair)) for pair in ((square(4), square(40)), (square(6), NOTHING))]
    frames = [torch.from_numpy(BLANK)] * 3
    video = Video("v", frames, (7, 9), [*masks, None], (), ("0", "1", "2"), SIZE)
    found = [tracked for _, tracked in completed(true_visible(video), HoldLast())]
    assert [tracked.object_ids for tracked in found] == [(7, 9), (7, 9), ()]
    np.testing.assert_array_equal(found[1].masks.numpy(), np.stack([square(6), square(40)]))
    assert found[1].presence.tolist() == [1, -1]


@pytest.mark.parametrize("make", [lambda: HoldLast(0), lambda: HoldLast(1.5), lambda: ConstantVelocity(over=0)])
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(UserError):
        make()


class Counted(HoldLast):
    """Says how many were made."""

    made = 0

    def fresh(self):
        type(self).made += 1
        return super().fresh()


def test_each_object_of_a_video_has_one_completion():
    frames = torch.zeros(5, 3, *SIZE, dtype=torch.uint8)
    masks = torch.stack([torch.from_numpy(np.stack([mask, mask])) for mask in SEEN])
    video = Video("v", frames, (1, 2), masks, (), tuple("01234"), SIZE)
    for _ in completed(true_visible(video), Counted()):
        pass
    assert Counted.made == 2
