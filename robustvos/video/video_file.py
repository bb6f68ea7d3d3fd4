"""A video file as a lazy sequence of frames."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robustvos.errors import BadVideo, DataNotFound
from robustvos.video.decoders import Decoder
from robustvos.video.sequence import Frames


class VideoFile(Frames):
    """The frames that an mp4, avi, ... file shows, upright and in order, whatever their rate.

    Going forward decodes each frame once, and holds no more than the decoder's own few; any other frame can be asked for.
    May be pickled and used after a fork: each process opens the file for itself.

    Args:
        path: The file.

    Raises:
        DataNotFound: If the file does not exist.
        BadVideo: If it is no video, holds no frame, was cut, or uses a codec that is not built in.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise DataNotFound(f"video {self.path} does not exist; check the path")
        if not self.path.is_file():
            raise DataNotFound(f"video {self.path} is not a file; give a video file or a folder of frames")
        self._decoder: Decoder | None = None
        _FILES.add(self)
        index = self._open().index
        self.fps, self.size, self.pixel_aspect, self.notes = index.fps, index.size, index.pixel_aspect, index.notes
        digits = max(5, len(str(index.length - 1)))
        self.frame_names = tuple(f"{position:0{digits}d}" for position in range(index.length))

    def _decode(self, index: int) -> Tensor:
        decoder = self._open()
        try:
            pixels = decoder.read(index)
        except Exception as error:
            # A decoder that has failed may be in any state: start afresh next time.
            decoder.close()
            if isinstance(error, BadVideo):
                raise
            raise BadVideo(
                f"{self.path}: frame {index} cannot be decoded; the file may be truncated: copy it again"
            ) from error
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    def _open(self) -> Decoder:
        if self._decoder is None:
            self._decoder = open_decoder(self.path)
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


def open_decoder(path: Path) -> Decoder:
    """Open ``path``.

    Raises:
        BadVideo: If not at least one frame can be decoded.
    """
    try:
        return Decoder(path)
    except BadVideo:
        raise
    except Exception as error:
        text = getattr(error, "strerror", None) or str(error)
        reason = (text.strip().splitlines() or [type(error).__name__])[0][:160]
        advice = "convert it, e.g. with ffmpeg, to H.264 mp4"
        raise BadVideo(f"{path}: not a video that can be decoded ({reason}); {advice}") from error
