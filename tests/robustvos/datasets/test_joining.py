from pathlib import Path

import pytest

from robustvos.datasets.vos.joining import join_records
from robustvos.errors import UserError
from robustvos.video.layouts import SequenceRecord

pytestmark = pytest.mark.fast


def clip(name: str, frames: int, corruption: str = "clean") -> SequenceRecord:
    paths = tuple(Path(name) / f"{i}v.jpg" for i in range(frames))
    return SequenceRecord(name, paths, (Path(name) / "0vl.png", *[None] * (frames - 1)), corruption)


def lengths(clips: list[SequenceRecord], frames: int) -> dict[str, int]:
    return {record.name: len(record.frame_paths) for record in join_records(clips, frames)}


def test_clips_of_a_source_are_joined_in_the_order_of_their_numbers_whatever_order_they_come_in():
    parts = [clip(f"A_x.-{k}", 3) for k in (10, 2, 1)]
    (video,) = join_records(parts, 9)
    assert video.name == "A_x.-1to2+10"
    assert [path.parent.name for path in video.frame_paths[::3]] == ["A_x.-1", "A_x.-2", "A_x.-10"]
    assert [t for t, path in enumerate(video.annotation_paths) if path is not None] == [0, 3, 6]


def test_length_is_as_near_as_whole_clips_come_to_it():
    parts = [clip(f"fog_v_split_{k:03d}", 400) for k in range(6)]
    assert lengths(parts, 1000) == {
        "fog_v_split_000to001": 800,
        "fog_v_split_002to003": 800,
        "fog_v_split_004to005": 800,
    }
    assert lengths(parts, 1100) == {"fog_v_split_000to002": 1200, "fog_v_split_003to005": 1200}
    assert lengths(parts[:3], 100) == {part.name: 400 for part in parts[:3]}


def test_sources_and_corruptions_are_kept_apart():
    parts = [clip(f"{s}.-{k}", 2, c) for c in ("fog", "rain") for s in ("A", "B") for k in (1, 2)]
    joined = join_records([*parts, clip("lone", 5, "fog")], 100)
    assert [(video.corruption, video.name) for video in joined] == [
        *((c, f"{s}.-1to2") for c in ("fog", "rain") for s in ("A", "B")),
        ("fog", "lone"),
    ]


def test_names_of_frames_tell_the_clips_apart():
    (video,) = join_records([clip("A.-1", 2), clip("A.-3", 2)], 4)
    assert video.frame_names == ("01_0v", "01_1v", "02_0v", "02_1v")
    assert len(set(video.frame_names)) == len(video.frame_paths)


def test_nothing_to_join_is_said():
    with pytest.raises(UserError, match=r"join_frames is 9, but no two of 2 clips are numbered parts.*e\.g\. bear"):
        join_records([clip("bear", 2), clip("dog", 2)], 9)
