"""Write a video file frame by frame."""

from __future__ import annotations

import os
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from torch import Tensor

from robustvos.errors import BadVideo, UserError
from robustvos.files.atomic import atomic_path
from robustvos.video.container import quiet_av


class VideoWriter:
    """H.264 mp4, streamed: a frame is encoded and forgotten. The file appears under its name when all is written.

    Use it as a context manager; if the block fails, nothing is left behind. Odd widths and heights gain one repeated
    column or row, because H.264's usual colour format needs even sizes.

    Args:
        path: The file; missing folders are made.
        fps: Frames per second, above 0.
        quality: Constant rate factor of x264, 0 (lossless) to 51.
        pixel_aspect: Width of a pixel by its height, as players read it.

    Raises:
        UserError: If the file cannot be written.
        BadVideo: On leaving, if no frame was added.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with VideoWriter(f"{folder}/a.mp4", fps=10) as writer:
    ...         writer.add(torch.zeros(3, 15, 20, dtype=torch.uint8))
    ...     sorted(os.listdir(folder))
    ['a.mp4']
    """

    def __init__(
        self, path: str | os.PathLike[str], fps: float, *, quality: int = 18, pixel_aspect: Fraction = Fraction(1)
    ) -> None:
        if not fps > 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self.path = Path(path)
        self.fps = Fraction(fps).limit_denominator(1001)
        self.quality = quality
        self.pixel_aspect = pixel_aspect
        self._size: tuple[int, int] | None = None
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> VideoWriter:
        self._stack = ExitStack()
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        return self

    def add(self, frame: Tensor) -> None:
        """Append one frame, ``(3, H, W)`` uint8 RGB on any device.

        Raises:
            BadVideo: If it differs in size from the first.
        """
        pixels = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())
        size = pixels.shape[:2]
        if self._size is None:
            self._start(size)
        if size != self._size:
            height, width = self._size or size
            raise BadVideo(f"{self.path}: a frame of {size[1]}x{size[0]} cannot follow frames of {width}x{height}")
        padded = np.pad(pixels, ((0, size[0] % 2), (0, size[1] % 2), (0, 0)), mode="edge")
        self._encode(quiet_av().VideoFrame.from_ndarray(padded, format="rgb24"))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            # Raising inside the stack makes atomic_path discard the temporary file.
            self._finish(complete=kind is None)
            if error is not None:
                raise error

    def _start(self, size: tuple[int, int]) -> None:
        self._size = size
        av = quiet_av()
        self._container = av.open(f"file:{self._temporary}", mode="w", format="mp4")
        try:
            self._stream = self._container.add_stream("libx264", rate=self.fps)
        except Exception as error:
            raise UserError("this PyAV was built without x264; reinstall it with: pip install -U av") from error
        self._stream.height, self._stream.width = (side + side % 2 for side in size)
        self._stream.pix_fmt = "yuv420p"
        self._stream.sample_aspect_ratio = self.pixel_aspect
        self._stream.options = {"crf": str(self.quality)}

    def _encode(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _finish(self, *, complete: bool) -> None:
        if self._container is None:
            if complete:
                raise BadVideo(f"{self.path}: no frame was added, so there is no video to write")
            return
        try:
            if complete:
                self._encode(None)
        finally:
            self._container.close()
