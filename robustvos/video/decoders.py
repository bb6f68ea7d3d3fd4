"""Frames out of a video file: exactly those that it shows, in their order, forward or in any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.errors import BadVideo
from robustvos.video.container import open_container, video_stream
from robustvos.video.stream_index import StreamIndex, decoded_frames, index_stream


class _Lost(Exception):
    """The decoder has not come by the frame that was to come next."""


class Decoder:
    """Random access to the frames of one open file. Forward reading decodes each frame once, and keeps none.

    For an earlier or a far frame it seeks to the key frame before. Containers' seeks are not believed: each frame is known by
    its time stamp, and where a seek has led too far it goes back further, to the file's beginning in the end.

    Args:
        path: The file.

    Attributes:
        index: What the file shows.

    Raises:
        BadVideo: See :func:`robustvos.video.stream_index.index_stream`.
        OSError: If it is no media file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.index: StreamIndex = index_stream(path)
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._next = self.index.length

    def read(self, index: int) -> np.ndarray:
        """Frame ``index``, upright, as ``(H, W, 3)`` uint8 RGB.

        Raises:
            BadVideo: If the file ends before it, or does not show what its index says.
            OSError: If it cannot be decoded (PyAV's errors are OSErrors or ValueErrors).
        """
        for start in self._starts(index):
            try:
                if start is not None:
                    self._restart(start)
                frame = self._run_to(index)
            except _Lost:
                continue
            return np.ascontiguousarray(self.index.turn.apply(frame.to_ndarray(format="rgb24")))
        raise BadVideo(
            f"{self._path}: frame {index} of {self.index.length} does not come out of the decoder; the file is damaged: "
            "convert it, e.g. with ffmpeg, to H.264 mp4"
        )

    def close(self) -> None:
        """Let go of the file; reading opens it anew."""
        if self._container is not None:
            self._container.close()
        self._container, self._next = None, self.index.length

    def _starts(self, index: int) -> list[int | None]:
        """Where decoding may begin, best first: where it stands (None), at the last key frame, at the one before, at 0."""
        if self.index.times is None:
            return [None, 0] if self._next <= index else [0]
        key = int(self.index.keys[index])
        before = int(self.index.keys[max(key - 1, 0)])
        goes_on: list[int | None] = [None] if key <= self._next <= index else []
        return [*goes_on, *dict.fromkeys((key, before, 0))]

    def _restart(self, key: int) -> None:
        import av

        if key == 0 or self._container is None:
            self.close()
            self._container = open_container(self._path)
        if key:
            stream = video_stream(self._container, self._path)
            try:
                self._container.seek(int(self.index.seeks[key]), stream=stream)
            except av.FFmpegError as error:
                raise _Lost from error
        self._frames, self._next = decoded_frames(self._container, self._path), key

    def _run_to(self, index: int) -> Any:
        for frame in self._frames:
            position = self._position(frame)
            if position < self._next:
                continue  # before the key frame that was sought, or not shown
            if position > self._next:
                break
            self._next += 1
            if position == index:
                return frame
        self._next = self.index.length  # go on nowhere from here
        raise _Lost

    def _position(self, frame: Any) -> int:
        """Index of a decoded frame; -1 if it is none of those that are shown."""
        times = self.index.times
        if times is None:
            return self._next
        place = int(np.searchsorted(times, frame.pts))
        return place if place < len(times) and times[place] == frame.pts else -1
