from pathlib import Path

import pytest

from robustvos.datasets.vos.clip_sampling import ClipSampler, EpochSampler
from robustvos.errors import DataNotFound
from robustvos.video.layouts import SequenceRecord

pytestmark = pytest.mark.fast


def record(name: str, annotated: str, source: str = "own") -> tuple[str, SequenceRecord]:
    """A video whose frame t is annotated where the text has an x."""
    frames = tuple(Path(f"{name}/{t:05d}.jpg") for t in range(len(annotated)))
    masks = tuple(
        path.with_suffix(".png") if mark == "x" else None for path, mark in zip(frames, annotated, strict=True)
    )
    return source, SequenceRecord(name, frames, masks)


def first(sampler: ClipSampler, epoch: int, number: int):
    return next(sampler.windows(epoch, number))


def test_every_video_is_visited_once_before_any_is_visited_again():
    sampler = ClipSampler([record(name, "x" * 9) for name in "abcdefg"], frames=4)
    for turn in range(3):
        names = [first(sampler, 0, turn * 7 + i).record.name for i in range(7)]
        assert sorted(names) == list("abcdefg")


def test_order_and_starts_differ_from_epoch_to_epoch_and_from_seed_to_seed():
    videos = [record(name, "x" * 30) for name in "abcdefg"]
    drawn = {
        (seed, epoch): tuple(first(ClipSampler(videos, 4, seed=seed), epoch, i) for i in range(7))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(set(drawn.values())) == 4
    assert drawn[0, 1] == tuple(first(ClipSampler(videos, 4, seed=0), 1, i) for i in range(7))


@pytest.mark.parametrize("stride", [1, 2])
def test_windows_are_consecutive_at_their_stride_and_every_start_is_offered_once(stride):
    sampler = ClipSampler([record("a", "x" * 8)], frames=3, stride=stride)
    windows = [window.frames for window in sampler.windows(0, 0)]
    assert sorted(windows) == [tuple(range(s, s + 2 * stride + 1, stride)) for s in range(8 - 2 * stride)]


def test_frames_without_annotation_are_passed_over_or_follow_an_annotated_one():
    sparse = record("a", "x..x..x")
    over = {window.frames for window in ClipSampler([sparse], 2, annotated_only=True).windows(0, 0)}
    assert over == {(0, 3), (3, 6)}
    within = {window.frames for window in ClipSampler([sparse], 2, annotated_only=False).windows(0, 0)}
    assert within == {(0, 1), (3, 4)}


def test_videos_too_short_for_a_clip_are_named_and_none_left_is_an_error():
    videos = [record("long", "x" * 5), record("short", "x" * 3)]
    sampler = ClipSampler(videos, frames=4)
    assert sampler.too_short == ("short",)
    assert {window.record.name for window in sampler.windows(0, 0)} == {"long"}
    with pytest.raises(DataNotFound, match="none of 2 video.* longest has 5; lower --data.train.frames"):
        ClipSampler(videos, frames=6)


LARGE_AND_SMALL = [record(name, "x" * 9, "large") for name in "abcdefghij"] + [
    record(n, "x" * 9, "small") for n in "yz"
]


@pytest.mark.parametrize(("weights", "share"), [({"large": 1, "small": 1}, 0.5), ({"small": 9, "large": 1}, 0.9)])
def test_sets_are_drawn_by_their_weights_in_each_part_of_an_epoch_and_each_process(weights, share):
    sampler = ClipSampler(LARGE_AND_SMALL, frames=4, weights=weights)
    drawn = [first(sampler, 2, i).source == "small" for i in range(400)]
    for part in (drawn[:50], drawn[300:], *(drawn[process::4] for process in range(4))):
        assert sum(part) == pytest.approx(share * len(part), abs=3)


def test_set_that_is_rare_comes_even_where_an_epoch_is_shorter_than_its_turn():
    sampler = ClipSampler(LARGE_AND_SMALL, frames=4, weights={"large": 19, "small": 1})
    drawn = [first(sampler, epoch, i).source for epoch in range(200) for i in range(2)]
    assert drawn.count("small") == pytest.approx(20, abs=10)


def test_with_weights_every_video_of_a_set_is_visited_once_before_any_is_visited_again():
    sampler = ClipSampler(LARGE_AND_SMALL, frames=4, weights={"large": 1, "small": 2})
    windows = [first(sampler, 0, i) for i in range(120)]
    for source, names in (("large", "abcdefghij"), ("small", "yz")):
        own = [window.record.name for window in windows if window.source == source]
        for turn in range(len(own) // len(names)):
            assert sorted(own[turn * len(names) : (turn + 1) * len(names)]) == list(names)
    again = ClipSampler(LARGE_AND_SMALL, frames=4, weights={"large": 1, "small": 2})
    assert [first(again, 0, i) for i in reversed(range(120))][::-1] == windows
    every = {(window.record.name, window.frames) for window in sampler.windows(0, 0)}
    assert every == {(name, tuple(range(s, s + 4))) for name in "abcdefghijyz" for s in range(6)}


def test_weighted_set_whose_videos_are_all_too_short_is_named():
    videos = [record("a", "x" * 9, "large"), record("y", "xx", "small")]
    with pytest.raises(DataNotFound, match=r"small: none of 1 video.* longest has 2.* leave small out of roots"):
        ClipSampler(videos, frames=4, weights={"large": 1, "small": 1})
    assert ClipSampler(videos, frames=4).too_short == ("y",)


def test_processes_share_out_the_numbers_of_an_epoch_and_no_other_epoch_has_them():
    dealt = {}
    for epoch in (0, 1):
        for process in (0, 1):
            sampler = EpochSampler(range(6), processes=2, process=process)
            sampler.set_epoch(epoch)
            dealt[epoch, process] = list(sampler)
    assert sorted(dealt[0, 0] + dealt[0, 1]) == list(range(6))
    assert sorted(dealt[1, 0] + dealt[1, 1]) == list(range(6, 12))
