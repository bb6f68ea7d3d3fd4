"""Frames that come once, in order, and of which nobody knows how many: a camera, a stream of the network, standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustvos.errors import BadVideo, UserError
from robustvos.video.container import quiet_av

STDIN = "-"
_ADDRESS = re.compile(r"(rtsps?|https?|udp|tcp|srt)://", re.IGNORECASE)
_WAIT = 15.0  # seconds for a stream to answer


def is_live(source: str) -> bool:
    """Whether a name means frames that come once: ``-``, the number of a camera, or an address.

    >>> is_live("-"), is_live("0"), is_live("rtsp://camera/1"), is_live("a.mp4")
    (True, True, True, False)
    """
    camera = re.fullmatch(r"\d{1,2}", source) is not None and not Path(source).exists()
    return source == STDIN or camera or _ADDRESS.match(source) is not None


class LiveFrames:
    """An iterator of ``(3, H, W)`` uint8 frames; the first is read at once, so that size and rate are known.

    Args:
        source: ``-`` for standard input (anything FFmpeg reads from a pipe: Matroska, MPEG-TS, Y4M, JPEGs or PNGs one after
            the other), the number of a camera, or an address (RTSP, HTTP, UDP).

    Attributes:
        size: ``(H, W)`` of the first frame.
        fps: Frames per second, if the source says.

    Raises:
        BadVideo: If nothing can be read.
    """

    def __init__(self, source: str) -> None:
        self.source = "standard input" if source == STDIN else f"camera {source}" if source.isdigit() else source
        self.fps: float | None = None
        self._release: Any = lambda: None
        self._frames = self._of_camera(int(source)) if source.isdigit() else self._of_stream(source)
        first = next(self._frames, None)
        if first is None:
            raise BadVideo(f"{self.source} gives no frame; check that something sends to it")
        self._first: Tensor | None = first
        self.size = (first.shape[1], first.shape[2])

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        """The next frame.

        Raises:
            BadVideo: If its size is not the first one's.
        """
        frame, self._first = self._first, None
        frame = next(self._frames) if frame is None else frame
        if tuple(frame.shape[1:]) != self.size:
            (height, width), (seen_height, seen_width) = self.size, frame.shape[1:]
            raise BadVideo(
                f"{self.source} changes from {width}x{height} to {seen_width}x{seen_height} pixels; track again from there"
            )
        return frame

    def close(self) -> None:
        """Let go of the source."""
        self._frames.close()
        self._release()

    def _of_stream(self, source: str) -> Generator[Tensor, None, None]:
        av = quiet_av()
        options = {"rtsp_transport": "tcp"} if source.lower().startswith("rtsp") else {}
        try:
            if source == STDIN:
                container = av.open(sys.stdin.buffer, mode="r")
            else:
                container = av.open(source, mode="r", options=options, timeout=(_WAIT, _WAIT))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BadVideo(f"{self.source} is no video that can be decoded ({reason}); check what is sent") from error
        self._release = container.close
        if not container.streams.video:
            raise BadVideo(f"{self.source} holds no video; check what is sent")
        rate = container.streams.video[0].average_rate
        self.fps = float(rate) if rate else None
        try:
            for frame in container.decode(video=0):
                yield _tensor(frame.to_ndarray(format="rgb24"))
        except OSError:  # the stream was cut: what came is all there is
            return

    def _of_camera(self, number: int) -> Generator[Tensor, None, None]:
        import cv2

        with _quiet_opencv():
            camera = cv2.VideoCapture(number)
        if not camera.isOpened():
            camera.release()
            raise BadVideo(f"camera {number} cannot be opened; check its number, and that nothing else uses it")
        self._release = camera.release
        rate = float(camera.get(cv2.CAP_PROP_FPS))
        self.fps = rate if 1 <= rate <= 1000 else None
        while True:
            taken, pixels = camera.read()
            if not taken:
                return
            yield _tensor(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV says on standard error what is said here in one line."""
    import cv2

    logging: Any = getattr(cv2.utils, "logging", None)
    if logging is None:
        yield
        return
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _tensor(pixels: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).contiguous()


def open_live(source: str) -> LiveFrames:
    """Open a source that :func:`is_live`.

    Raises:
        BadVideo: If nothing can be read.
        UserError: If it is standard input, and that is a keyboard.
    """
    if source == STDIN and sys.stdin.isatty():
        raise UserError("standard input is a keyboard; send a video to it: ffmpeg -i IN -f matroska - | ... track -")
    return LiveFrames(source)
