"""The frames of a video file are those that it shows, upright and in order, whatever the container."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from counted_videos import HEIGHT, WIDTH, number_of, numbered, remux, set_display_matrix, write_numbered

from robustvos.errors import BadVideo
from robustvos.video.frames import VideoFile, open_frames

ANY_ORDER = (29, 0, 13, 12, 24, 23, 5, 11, 28, 1)


def check_numbers(path: Path, expected: list[int]) -> VideoFile:
    """Forward, and then in any order."""
    frames = VideoFile(path)
    assert [number_of(frame) for frame in frames] == expected
    order = [position for position in ANY_ORDER if position < len(expected)]
    assert [number_of(frames[position]) for position in order] == [expected[position] for position in order]
    return frames


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mkv", "libx264"),
        ("a.ts", "libx264"),
        ("a.m2ts", "libx264"),
        ("a.flv", "libx264"),
        ("a.avi", "libx264"),
        ("a.3gp", "libx264"),
        ("a.ts", "mpeg2video"),
        ("a.mpg", "mpeg2video"),
        ("a.avi", "mpeg4"),
        ("a.webm", "libvpx-vp9"),
        ("a.gif", "gif"),
    ],
)
def test_every_frame_is_given_once_in_order(tmp_path: Path, name: str, codec: str) -> None:
    frames = check_numbers(write_numbered(tmp_path / name, range(30), codec), list(range(30)))
    assert frames.size == (HEIGHT, WIDTH)
    assert frames.fps == pytest.approx(10, rel=0.05)
    assert frames.notes == ()


def test_packets_that_show_nothing_are_no_frames(tmp_path: Path) -> None:
    """VP8 keeps pictures that others are predicted from and that nobody sees: the show_frame bit (RFC 6386, 9.1)."""
    hidden = (7, 20, 21)
    whole = write_numbered(tmp_path / "whole.webm", range(40), "libvpx", gop=15)
    with av.open(str(whole)) as given, av.open(str(tmp_path / "a.webm"), "w") as container:
        copied = container.add_stream_from_template(given.streams.video[0])
        for place, packet in enumerate(given.demux(given.streams.video[0])):
            if packet.size:
                content = bytearray(bytes(packet))
                content[0] &= 0xEF if place in hidden else 0xFF
                changed = av.Packet(bytes(content))
                changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
                changed.is_keyframe, changed.stream = packet.is_keyframe, copied
                container.mux(changed)
    check_numbers(tmp_path / "a.webm", [number for number in range(40) if number not in hidden])


def test_a_clip_cut_without_encoding_starts_where_its_edit_list_says(tmp_path: Path) -> None:
    whole = write_numbered(tmp_path / "whole.mp4", range(30))
    cut = remux(whole, tmp_path / "cut.mp4", first=12, shift=17, options={"avoid_negative_ts": "disabled"})
    assert b"elst" in cut.read_bytes()
    check_numbers(cut, list(range(17, 30)))


def test_an_edit_list_that_leaves_most_out_is_no_truncation(tmp_path: Path) -> None:
    whole = write_numbered(tmp_path / "whole.mp4", range(60), gop=6, b_frames=0)
    cut = remux(whole, tmp_path / "cut.mp4", shift=50, options={"avoid_negative_ts": "disabled"})
    check_numbers(cut, list(range(50, 60)))


@pytest.mark.parametrize(("name", "codec"), [("b.ts", "libx264"), ("b.mpg", "mpeg2video")])
def test_a_stream_that_begins_within_a_group_says_what_is_left_out(tmp_path: Path, name: str, codec: str) -> None:
    whole = write_numbered(tmp_path / f"a{Path(name).suffix}", range(30), codec, b_frames=0)
    cut = remux(whole, tmp_path / name, first=5)
    frames = check_numbers(cut, list(range(12, 30)))
    assert "the 7 before the first that can be decoded" in frames.notes[0]


def test_a_cover_picture_is_not_the_video(tmp_path: Path) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", range(12))
    with av.open(str(tmp_path / "a.mov"), "w") as container, av.open(str(clip)) as given:
        cover: Any = container.add_stream("png")
        cover.width, cover.height, cover.pix_fmt = 200, 120, "rgb24"
        copied = container.add_stream_from_template(given.streams.video[0])
        container.mux(cover.encode(av.VideoFrame.from_ndarray(numbered(63, 120, 200), format="rgb24")))
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = copied
                container.mux(packet)
    assert check_numbers(tmp_path / "a.mov", list(range(12))).notes == ()


def test_of_two_videos_the_one_that_is_read_is_named(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mkv", range(12), streams=2, stepped=lambda stream, number: 50 * stream + number)
    frames = VideoFile(path)
    assert "2 video streams: stream" in frames.notes[0]
    read = int(frames.notes[0].split("stream ")[1].split()[0])
    assert [number_of(frame) for frame in frames] == [50 * read + number & 63 for number in range(12)]


def test_a_variable_rate_keeps_its_frames(tmp_path: Path) -> None:
    times = [0, 1, 5, 6, 17, 18, 19, 40, 41, 60, 100, 101]
    check_numbers(write_numbered(tmp_path / "a.mp4", range(12), times=times, b_frames=2), list(range(12)))


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda pixels: pixels),
        ((0, 1, -1, 0), lambda pixels: np.rot90(pixels, -1)),
        ((-1, 0, 0, -1), lambda pixels: np.rot90(pixels, 2)),
        ((0, -1, 1, 0), lambda pixels: np.rot90(pixels, 1)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda pixels: pixels.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1)),
    ],
)
def test_frames_are_turned_as_the_file_says(tmp_path: Path, matrix: tuple[int, int, int, int], shown: Any) -> None:
    path = write_numbered(tmp_path / "a.mp4", range(4))
    set_display_matrix(path, matrix)
    frames = VideoFile(path)
    for number, frame in enumerate(frames):
        expected = torch.from_numpy(np.ascontiguousarray(shown(numbered(number)))).permute(2, 0, 1)
        assert frames.size == tuple(expected.shape[1:])
        assert (frame.float() - expected.float()).abs().mean() < 8, number


def test_a_slanted_video_is_refused(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", range(4))
    set_display_matrix(path, (1, 1, -1, 1))
    with pytest.raises(BadVideo, match=r"a\.mp4: is to be shown turned by other than quarter turns"):
        VideoFile(path)


def test_pixels_that_are_not_square_are_said_and_turn_with_the_frame(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", range(4), aspect=Fraction(4, 3))
    frames = VideoFile(path)
    assert (frames.pixel_aspect, frames.size) == (Fraction(4, 3), (HEIGHT, WIDTH))
    assert "4:3, not square" in frames.notes[0]
    set_display_matrix(path, (0, 1, -1, 0))
    assert VideoFile(path).pixel_aspect == Fraction(3, 4)


@pytest.mark.parametrize("name", ["cam:1.mp4", "-a.mp4", "a%03d b.mp4", "http:x.mp4", os.fsdecode(b"caf\xe9.mp4")])
def test_any_file_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_numbered(tmp_path / "a.mp4", range(3)).rename(name)
    assert [number_of(frame) for frame in open_frames(name)] == [0, 1, 2]


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream: Any = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(BadVideo, match="no video stream") as caught:
        open_frames(tmp_path / "a.mp4")
    assert caught.value.__cause__ is None  # an error that is its own cause is followed for ever


@pytest.mark.parametrize("name", ["a.avi", "a.mp4"])
def test_a_cut_file_is_refused(tmp_path: Path, name: str) -> None:
    options = {"crf": "5"}
    path = write_numbered(tmp_path / name, range(60), options=options)
    if name == "a.mp4":
        path = remux(path, tmp_path / "b.mp4", options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: os.path.getsize(path) * 4 // 5])
    with pytest.raises(BadVideo, match="truncated"):
        open_frames(path)


def test_damage_is_named_where_it_is_met(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", range(40), gop=10)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        damaged = next(packet for packet in packets if packet.is_keyframe and packet.pts > 0)
        place, size = damaged.pos, damaged.size
    content = bytearray(path.read_bytes())
    content[place : place + size] = bytes(size)
    path.write_bytes(bytes(content))
    frames = VideoFile(path)
    assert (len(frames), number_of(frames[3])) == (40, 3)
    with pytest.raises(BadVideo, match=r"a\.mp4"):
        list(frames)
