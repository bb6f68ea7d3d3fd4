"""What every source of frames, and every source of masks, looks like from outside."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import overload

from torch import Tensor

from robustvos.errors import BadVideo


class Frames(Sequence[Tensor]):
    """A lazy sequence of frames: item ``t`` is decoded when asked for, and forgotten.

    Attributes:
        path: Where the frames come from.
        frame_names: One name per frame, without suffix.
        fps: Frames per second; None if unknown.
        size: ``(H, W)`` of every frame, as it is shown: upright.
        pixel_aspect: Width of a pixel by its height; frames are given as stored, not stretched.
        notes: What a reader may not expect of this source, a line each.
    """

    path: Path
    frame_names: tuple[str, ...]
    fps: float | None
    size: tuple[int, int]
    pixel_aspect: Fraction = Fraction(1)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame_names)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...

    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        """Decode a frame, or the list of frames of a slice.

        Returns:
            ``(3, H, W)`` uint8 RGB on the CPU.

        Raises:
            IndexError: If there is no such frame.
            BadVideo: If the frame cannot be decoded or has another size than the first.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"{self.path} has {len(self)} frames, frame {index} was asked for")
        frame = self._decode(position)
        if tuple(frame.shape[-2:]) != self.size:
            (height, width), (seen_height, seen_width) = self.size, frame.shape[-2:]
            raise BadVideo(
                f"{self.path}: frame {self.frame_names[position]} is {seen_width}x{seen_height}, the first one "
                f"{width}x{height}; resize the frames to one size"
            )
        return frame

    def __repr__(self) -> str:
        height, width = self.size
        return f"{type(self).__name__}('{self.path}', {len(self)} frames of {width}x{height})"

    @abstractmethod
    def _decode(self, index: int) -> Tensor:
        """Decode frame ``index``, counted from 0."""


class MaskSequence(Sequence["Tensor | None"]):
    """A lazy sequence of masks, one file a frame: item ``t`` is read when asked for; None where there is no file.

    Attributes:
        paths: One file per frame, or None.
    """

    def __init__(self, paths: Sequence[Path | None]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Tensor | None: ...

    @overload
    def __getitem__(self, index: slice) -> list[Tensor | None]: ...

    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor | None] | None:
        """The masks of a frame, or the list of those of a slice.

        Raises:
            IndexError: If there is no such frame.
            DataNotFound: If the file has gone.
            BadMask: If the file is no mask of the kind that is expected.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        path = self.paths[position]
        return None if path is None else self._read(position, path)

    @abstractmethod
    def _read(self, index: int, path: Path) -> Tensor:
        """The masks of frame ``index``, counted from 0, from its file."""
