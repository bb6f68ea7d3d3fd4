"""Frames as pictures for a browser."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

import numpy as np
from PIL import Image
from torch import Tensor

from robustvos.video.sequence import Frames

_KEPT_BYTES = 256 * 1024 * 1024


class FramePictures:
    """The frames of one video as JPEG, for any number of readers at once; the latest are kept.

    Args:
        frames: The video; decoded by one thread at a time.
        quality: Of the JPEGs, 1 to 95.
        kept: Bytes of JPEGs that are kept.
    """

    def __init__(self, frames: Frames, quality: int = 90, kept: int = _KEPT_BYTES) -> None:
        self.frames, self.quality, self.kept = frames, quality, kept
        self._lock = threading.Lock()
        self._pictures: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0

    def frame(self, index: int) -> Tensor:
        """Frame ``index``, ``(3, H, W)`` uint8.

        Raises:
            IndexError: If there is no such frame.
            BadVideo: If it cannot be decoded.
        """
        with self._lock:
            return self.frames[index]

    def jpeg(self, index: int) -> bytes:
        """The same as a JPEG file; raises the same."""
        with self._lock:
            if index in self._pictures:
                self._pictures.move_to_end(index)
                return self._pictures[index]
            if not 0 <= index < len(self.frames):
                raise IndexError(f"there is no frame {index}")
            picture = jpeg_bytes(self.frames[index], self.quality)
            self._pictures[index] = picture
            self._bytes += len(picture)
            while self._bytes > self.kept and len(self._pictures) > 1:
                self._bytes -= len(self._pictures.popitem(last=False)[1])
            return picture


def jpeg_bytes(frame: Tensor, quality: int = 90) -> bytes:
    """``(3, H, W)`` uint8 as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy())).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
