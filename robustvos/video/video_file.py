"""A video file as a lazy sequence of frames."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import weakref
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from robustvos.errors import BadVideo, DataNotFound
from robustvos.video.decoders import Decoder, DecordDecoder, PyAVDecoder, check_is_video
from robustvos.video.sequence import Frames

Backend = Literal["auto", "decord", "pyav"]


class VideoFile(Frames):
    """The frames of an mp4, avi, ... file. Going forward decodes each frame once; any other frame can be asked for.

    May be pickled and used after a fork: each process opens the file for itself.

    Args:
        path: The file.
        backend: ``decord`` or ``pyav``; ``auto`` takes decord where it is installed and can read the file, else PyAV.

    Raises:
        DataNotFound: If the file does not exist.
        BadVideo: If it is no video, holds no frame, or uses a codec that is not built in.
    """

    def __init__(self, path: str | os.PathLike[str], *, backend: Backend = "auto") -> None:
        self.path = Path(path)
        self.backend = backend
        if not self.path.exists():
            raise DataNotFound(f"video {self.path} does not exist; check the path")
        if not self.path.is_file():
            raise DataNotFound(f"video {self.path} is not a file; give a video file or a folder of frames")
        self._decoder: Decoder | None = None
        _FILES.add(self)
        decoder = self._open()
        self.fps = decoder.fps
        self.size = decoder.size
        digits = max(5, len(str(decoder.length - 1)))
        self.frame_names = tuple(f"{index:0{digits}d}" for index in range(decoder.length))

    def _decode(self, index: int) -> Tensor:
        decoder = self._open()
        try:
            pixels = decoder.read(index)
        except Exception as error:
            # A decoder that has failed may be in any state: start afresh next time.
            self._decoder = None
            raise BadVideo(f"{self.path}: frame {index} cannot be decoded; the file may be truncated") from error
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    def _open(self) -> Decoder:
        if self._decoder is None:
            self._decoder = open_decoder(self.path, self.backend)
        return self._decoder

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_decoder": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _FILES.add(self)


_FILES: weakref.WeakSet[VideoFile] = weakref.WeakSet()
_INHERITED: list[Decoder | None] = []


def _leave_inherited_decoders() -> None:
    """Make a forked process open its files anew.

    The threads of an inherited decoder do not exist here. To use it is to wait for them for ever, and to delete it, too,
    or it aborts the process: so it is kept, unused. PyAV's containers refer to themselves and wait for the garbage
    collector even after they are closed: what a process inherits is put out of the collector's reach.
    """
    gc.freeze()
    for file in list(_FILES):
        _INHERITED.append(file._decoder)
        file._decoder = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_inherited_decoders)


def open_decoder(path: Path, backend: Backend) -> Decoder:
    """Open ``path`` with ``backend``.

    Raises:
        BadVideo: If no decoder reads at least one frame.
    """
    try:
        # Before decord, which prints to the terminal when it meets a file that it cannot open.
        check_is_video(path)
        if backend == "decord":
            return DecordDecoder(path)
        if backend == "auto" and importlib.util.find_spec("decord") is not None:
            # What decord cannot read, PyAV gets a chance at.
            with contextlib.suppress(Exception):
                return DecordDecoder(path)
        return PyAVDecoder(path)
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadVideo:
    if isinstance(error, BadVideo):
        return error
    text = getattr(error, "strerror", None) or str(error)
    reason = (text.strip().splitlines() or [type(error).__name__])[0][:160]
    return BadVideo(f"{path}: not a video that can be decoded ({reason}); convert it, e.g. with ffmpeg, to H.264 mp4")
