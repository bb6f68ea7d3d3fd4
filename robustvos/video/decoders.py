"""The two libraries that decode video, behind one interface."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from robustvos.errors import BadVideo


class Decoder(Protocol):
    """Random access to the frames of one open file; forward reading decodes each frame once.

    Attributes:
        length: Number of frames, at least 1.
        fps: Average frames per second; None if the file does not say.
        size: ``(H, W)``.
    """

    length: int
    fps: float | None
    size: tuple[int, int]

    def read(self, index: int) -> np.ndarray:
        """Frame ``index`` as ``(H, W, 3)`` uint8 RGB; raises whatever its library raises."""


def check_is_video(path: Path) -> None:
    """Look at the header of a file.

    Raises:
        BadVideo: If it has no video stream.
        OSError: If it is not a media file (PyAV's errors are OSErrors).
    """
    import av

    with av.open(str(path)) as container:
        if not container.streams.video:
            raise BadVideo(f"{path}: the file has no video stream; give a video")


class DecordDecoder:
    """Decodes with decord, which keeps its position and seeks by itself."""

    def __init__(self, path: Path) -> None:
        import decord

        decord.logging.set_level(decord.logging.FATAL)
        # More threads change nothing at the sizes of interest, and data loaders have one process per core already.
        self._reader: Any = decord.VideoReader(str(path), num_threads=1)
        self.length = len(self._reader)
        if self.length == 0:
            raise BadVideo(f"{path}: the video holds no frames; export it again")
        self.fps = float(self._reader.get_avg_fps()) or None
        height, width, channels = self._reader[0].shape
        if channels != 3:
            # decord 0.6 takes the padding of narrow rows (at a width of 48, say) for a fourth channel.
            raise BadVideo(f"{path}: decord gives {channels} channels for a width of {width}; use the backend pyav")
        self.size = (int(height), int(width))

    def read(self, index: int) -> np.ndarray:
        """See :class:`Decoder`."""
        return self._reader[index].asnumpy()


class PyAVDecoder:
    """Decodes with PyAV: streams forward; for an earlier or a far frame it seeks to the key frame before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fps: float | None = None
        self._times = self._list_times()
        self.length = len(self._times)
        if self.length == 0:
            raise BadVideo(f"{path}: the video holds no frames; export it again")
        self._container: Any = None
        self._next = 0
        self._restart(0)
        height, width, _ = self.read(0).shape
        self.size = (height, width)

    def read(self, index: int) -> np.ndarray:
        """See :class:`Decoder`."""
        if index < self._next or self._times[index][1] > self._key_of(self._next):
            self._restart(index)
        for frame in self._frames:
            position = self._position(frame)
            self._next = position + 1
            if position == index:
                return frame.to_ndarray(format="rgb24")
        raise BadVideo(f"{self._path}: the stream ends before frame {index} of {self.length}; it may be truncated")

    def _key_of(self, index: int) -> int:
        """Index of the key frame from which ``index`` is decoded."""
        return self._times[min(index, self.length - 1)][1]

    def _position(self, frame: Any) -> int:
        """Index of a decoded frame: found by its time stamp where there are time stamps, else counted."""
        if not self._stamped:
            return self._next
        return bisect.bisect_left(self._times, (frame.pts, -1))

    def _restart(self, index: int) -> None:
        import av

        if self._container is None or not self._stamped:
            container = av.open(str(self._path))
            container.streams.video[0].thread_type = "AUTO"
            self._container = container
        stream = self._container.streams.video[0]
        # Without time stamps every frame hangs on frame 0, and the file was opened anew.
        self._next = self._key_of(index)
        if self._stamped:
            self._container.seek(self._times[self._next][0], stream=stream)
        self._frames: Iterator[Any] = self._container.decode(stream)

    def _list_times(self) -> list[tuple[int, int]]:
        """Time stamp of each frame in order of display, and the index of the key frame it depends on."""
        import av

        with av.open(str(self._path)) as container:
            stream = container.streams.video[0]
            promised = stream.frames
            self.fps = float(stream.average_rate) if stream.average_rate else None
            found: list[tuple[Any, bool, bool]] = [
                (packet.pts, packet.is_keyframe, packet.is_discard)
                for packet in container.demux(video=0)
                if packet.size
            ]
        # Some headers are off by a frame or two; a cut file lacks many.
        if promised - len(found) > max(2, promised // 100):
            raise BadVideo(f"{self._path}: truncated: {len(found)} of {promised} frames are there; copy it again")
        packets = [(pts, is_key) for pts, is_key, discard in found if not discard]
        self._stamped = all(pts is not None for pts, _ in packets) and len(set(packets)) == len(packets)
        if not self._stamped:
            return [(index, 0) for index in range(len(packets))]
        packets.sort()
        times, key = [], 0
        for index, (pts, is_key) in enumerate(packets):
            key = index if is_key else key
            times.append((pts, key))
        return times
