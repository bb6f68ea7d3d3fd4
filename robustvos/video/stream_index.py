"""Which frames a video file shows, in which order, before any of them is used.

The container is asked, by reading its packets once without decoding them: what an edit list cuts off is not shown, and a
frame's place is that of its time stamp. The first frames are then decoded, to see whether the decoder gives what the container
says. Where it does not (H.264 in AVI has no time stamps of its own, VP8 has packets that show nothing, a stream may begin
before its first key frame), all frames are decoded once to be counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.errors import BadVideo
from robustvos.video.container import describe_choice, open_container, video_stream
from robustvos.video.orientation import Turn, turn_of_matrix

_TRIED = 32
"""Frames that are decoded to see whether decoder and container agree."""


@dataclass(frozen=True)
class StreamIndex:
    """The frames of a video.

    Attributes:
        length: Number of frames, at least 1.
        times: ``(N,)`` int64, time stamps in order of display, strictly ascending; None if frames can only be counted, from
            the first on.
        keys: ``(N,)`` int64, index of the key frame from which a frame can be decoded.
        seeks: ``(N,)`` int64, time to seek to for a key frame: that at which it is decoded, not shown.
        fps: Frames per second on average; None if the file does not say.
        turn: How the stored frames become those that are shown.
        size: ``(H, W)`` of the frames as shown.
        pixel_aspect: Width of a pixel by its height.
        notes: What a reader may not expect, a line each.
    """

    length: int
    times: np.ndarray | None
    keys: np.ndarray
    seeks: np.ndarray
    fps: float | None
    turn: Turn
    size: tuple[int, int]
    pixel_aspect: Fraction
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Packets:
    """What demuxing has found: of each frame that is shown, in order of display."""

    times: np.ndarray | None
    is_key: np.ndarray
    seeks: np.ndarray
    fps: float | None
    pixel_aspect: Fraction
    note: str | None


def index_stream(path: Path) -> StreamIndex:
    """Find out what ``path`` shows.

    Raises:
        BadVideo: If there is no video stream or no frame, the file is cut, or is to be shown slanted.
        OSError: If it is no media file (PyAV's errors are OSErrors or ValueErrors).
    """
    packets = _demux(path)
    shown = len(packets.is_key)
    if shown == 0:
        raise BadVideo(f"{path}: the video holds no frames; export it again")
    first, stamps, _ = _decode(path, _TRIED)
    notes = [] if packets.note is None else [packets.note]
    times, is_key = packets.times, packets.is_key
    if times is None or stamps != times[: len(stamps)].tolist():
        first, stamps, is_key = _decode(path, None)
        times = _ascending(stamps)
        lost = 0 if times is None or packets.times is None else int((packets.times < times[0]).sum())
        if lost:
            notes.append(
                f"begins within a group of pictures: the {lost} before the first that can be decoded are left out"
            )
    turn = _turn_of(first, path)
    aspect = 1 / packets.pixel_aspect if turn.transposes else packets.pixel_aspect
    if aspect != 1:
        notes.append(f"pixels are {aspect.numerator}:{aspect.denominator}, not square: frames and masks are as stored")
    return StreamIndex(
        len(is_key),
        times,
        _keys(is_key),
        _seeks(times, packets),
        packets.fps,
        turn,
        (first.width, first.height) if turn.transposes else (first.height, first.width),
        aspect,
        tuple(notes),
    )


def _turn_of(frame: Any, path: Path) -> Turn:
    """How frames are to be turned, by the first: one that is asked for its side data is kept until the garbage collector comes.

    Raises:
        BadVideo: If they are to be shown slanted.
    """
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    turn = Turn() if matrix is None else turn_of_matrix(bytes(matrix))
    if turn is None:
        raise BadVideo(f"{path}: is to be shown turned by other than quarter turns; export it upright")
    return turn


def decoded_frames(container: Any, path: Path) -> Iterator[Any]:
    """Frames of a file's video as they are decoded, in order of display.

    Raises:
        BadVideo: If the decoder has had to make one up.
        OSError: If a packet cannot be decoded (PyAV's errors are OSErrors or ValueErrors).
    """
    stream = video_stream(container, path)
    if not stream.codec_context.is_open:
        stream.thread_type = "AUTO"
    for frame in container.decode(stream):
        if frame.is_corrupt:
            raise BadVideo(f"{path}: the file is damaged, and the decoder would have to guess pixels; copy it again")
        yield frame


def _demux(path: Path) -> _Packets:
    with open_container(path) as container:
        stream = video_stream(container, path)
        packets = [
            (packet.pts, packet.dts, packet.is_keyframe, packet.is_discard, packet.is_corrupt)
            for packet in container.demux(stream)
            if packet.size
        ]
        _check_whole(path, container.format.name, stream.frames, packets)
        shown = [(pts, dts, is_key) for pts, dts, is_key, is_discarded, _ in packets if not is_discarded]
        stamped = all(pts is not None for pts, _, _ in shown) and len({pts for pts, _, _ in shown}) == len(shown)
        if stamped:
            shown.sort(key=lambda packet: packet[0])
        return _Packets(
            np.array([pts for pts, _, _ in shown], dtype=np.int64) if stamped else None,
            np.array([is_key for _, _, is_key in shown], dtype=bool),
            np.array([(pts or 0) if dts is None else dts for pts, dts, _ in shown], dtype=np.int64),
            _fps(container, stream, len(shown)),
            Fraction(stream.sample_aspect_ratio or 1),
            describe_choice(container, stream),
        )


def _fps(container: Any, stream: Any, frames: int) -> float | None:
    if container.format.name == "avi" and stream.duration:  # its rate is that of the header's ticks
        return frames / float(stream.duration * stream.time_base)
    return float(stream.average_rate) if stream.average_rate else None


def _check_whole(path: Path, container: str, promised: int, packets: list[tuple[Any, ...]]) -> None:
    """Refuse a file that was cut; some headers are off by a frame or two, and a cut file lacks many.

    Raises:
        BadVideo: Saying how much is there.
    """
    found = len(packets)
    if container == "avi":  # whose header counts ticks, of which H.264 has two a frame
        cut = bool(packets) and packets[-1][4]
        found = max((dts + 1 for _, dts, *_ in packets if dts is not None), default=0)
    else:
        cut = False
    if (cut or promised - found > max(2, promised // 100)) and not _is_edited(path, container, promised):
        raise BadVideo(f"{path}: truncated: {found} of {promised} frames are there; copy it again")


def _is_edited(path: Path, container: str, promised: int) -> bool:
    """Whether an edit list cuts off what is missing, rather than the file's end."""
    if not container.startswith("mov"):
        return False
    with open_container(path, {"ignore_editlist": "1"}) as whole:
        stored = sum(bool(packet.size) for packet in whole.demux(video_stream(whole, path)))
    return promised - stored <= max(2, promised // 100)


def _decode(path: Path, limit: int | None) -> tuple[Any, list[int | None], np.ndarray]:
    """The first frame, and of the first ``limit`` ones time stamps and whether they are key frames.

    Raises:
        BadVideo: If not even one can be decoded. Damage further on is left to be met, and named, by whoever reads on.
    """
    first, stamps, is_key = None, [], []
    with open_container(path) as container:
        try:
            for frame in islice(decoded_frames(container, path), limit):
                first = frame if first is None else first
                stamps.append(frame.pts)
                is_key.append(bool(frame.key_frame))
        except (OSError, ValueError, BadVideo):
            if limit is None or first is None:
                raise
    if first is None:
        raise BadVideo(f"{path}: the video holds no frames that can be decoded; export it again")
    return first, stamps, np.array(is_key)


def _ascending(stamps: list[int | None]) -> np.ndarray | None:
    """Time stamps that name each frame; None if they do not."""
    if any(stamp is None for stamp in stamps):
        return None
    times = np.array(stamps, dtype=np.int64)
    return times if bool((np.diff(times) > 0).all()) else None


def _keys(is_key: np.ndarray) -> np.ndarray:
    places = np.where(is_key, np.arange(len(is_key)), 0)
    return np.maximum.accumulate(places)


def _seeks(times: np.ndarray | None, packets: _Packets) -> np.ndarray:
    """For frames that have no packet of their own time, their time: a reader that lands late goes back further."""
    if times is None or packets.times is None or np.array_equal(times, packets.times):
        return packets.seeks
    places = np.searchsorted(packets.times, times).clip(max=len(packets.times) - 1)
    return np.where(packets.times[places] == times, packets.seeks[places], times)
