from pathlib import Path

import pytest

from datamodules.clip_sampling import ClipSampler, EpochSampler
from robustvos.errors import DataNotFound
from robustvos.video.layouts import SequenceRecord


def record(name: str, annotated: str) -> tuple[str, SequenceRecord]:
    """A video whose frame t is annotated where the text has an x."""
    frames = tuple(Path(f"{name}/{t:05d}.jpg") for t in range(len(annotated)))
    masks = tuple(
        path.with_suffix(".png") if mark == "x" else None for path, mark in zip(frames, annotated, strict=True)
    )
    return "own", SequenceRecord(name, frames, masks)


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


def test_processes_share_out_the_numbers_of_an_epoch_and_no_other_epoch_has_them():
    dealt = {}
    for epoch in (0, 1):
        for process in (0, 1):
            sampler = EpochSampler(range(6), processes=2, process=process)
            sampler.set_epoch(epoch)
            dealt[epoch, process] = list(sampler)
    assert sorted(dealt[0, 0] + dealt[0, 1]) == list(range(6))
    assert sorted(dealt[1, 0] + dealt[1, 1]) == list(range(6, 12))
