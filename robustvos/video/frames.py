"""Frames on disk as lazy sequences: a folder of images, or a video file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustvos.errors import BadVideo, DataNotFound
from robustvos.files.naming import name_some
from robustvos.video.frame_files import list_frames
from robustvos.video.pictures import (
    IMAGE_SUFFIXES,
    UNREADABLE,
    check_is_one_frame,
    exif_orientation,
    shown_size,
    upright,
    why_unreadable,
)
from robustvos.video.sequence import Frames
from robustvos.video.video_file import VideoFile

__all__ = ["IMAGE_SUFFIXES", "FrameFolder", "Frames", "VideoFile", "open_frames", "read_frame"]

_KINDS = ".jpg, .png, .webp, .bmp or .tif"


class FrameFolder(Frames):
    """The images of a folder in natural order: ``2.jpg`` comes before ``10.jpg``.

    Only the first image's header is read here. Hidden files are passed over. Each image is given upright, as its EXIF
    orientation says.

    Args:
        path: Folder of JPEG, PNG, WebP, BMP or TIFF files, or (``files``) what to call it in messages.
        fps: Frames per second, if known: images do not say.
        files: The images and their order; those of the folder if None.

    Raises:
        DataNotFound: If the folder does not exist or holds no image.
        BadVideo: If the first image cannot be read, or two files are of one frame.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, fps: float | None = None, files: Sequence[Path] | None = None
    ) -> None:
        self.path = Path(path)
        self.fps = fps
        self.files = tuple(_images_of(self.path) if files is None else files)
        if not self.files:
            raise DataNotFound(f"{self.path} holds no {_KINDS} frame; expected one image per frame")
        self.frame_names = tuple(file.stem for file in self.files)
        self.size, orientation = _header_of(self.files[0])
        if orientation != 1:
            turned = f"EXIF orientation {orientation}: frames are shown upright, and masks must fit them so"
            self.notes = (turned,)

    def _decode(self, index: int) -> Tensor:
        return read_frame(self.files[index])


def open_frames(path: str | os.PathLike[str]) -> Frames:
    """Open whatever ``path`` is: a folder of images, or a video file.

    Raises:
        DataNotFound: If it does not exist or is an empty folder.
        BadVideo: If it is a single image, or not a video that can be decoded.
    """
    source = Path(path)
    if source.is_dir():
        return FrameFolder(source)
    if source.suffix.lower() in IMAGE_SUFFIXES and source.exists():
        raise BadVideo(f"{source} is a single image; give its folder, or a video file")
    return VideoFile(source)


def read_frame(path: str | os.PathLike[str]) -> Tensor:
    """Decode one image.

    Returns:
        ``(3, H, W)`` uint8 RGB, upright. Greyscale and palette images are turned into RGB, alpha is dropped.

    Raises:
        DataNotFound: If the file does not exist.
        BadVideo: If it is truncated or broken, has more than 8 bits per channel or far more pixels than a frame, or holds
            several pictures.
    """
    file = Path(path)
    try:
        with Image.open(file) as image:
            if image.mode.startswith(("I", "F")):
                raise BadVideo(f"{file}: more than 8 bits per channel (mode {image.mode}); convert the frames to 8")
            check_is_one_frame(image)
            pixels = np.array(upright(image).convert("RGB"))
    except FileNotFoundError as error:
        raise DataNotFound(f"frame {file} does not exist; copy the frames again") from error
    except UNREADABLE as error:
        raise _broken(file, error) from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _images_of(folder: Path) -> list[Path]:
    if not folder.exists():
        raise DataNotFound(f"{folder} does not exist; check the path")
    if not folder.is_dir():
        raise DataNotFound(f"{folder} is a file; expected a folder of {_KINDS} frames")
    files = list_frames(folder)
    if not files:
        seen = name_some(sorted(entry.name for entry in folder.iterdir())) or "nothing"
        raise DataNotFound(f"{folder} holds no {_KINDS} frame, but {seen}; expected one image per frame")
    return files


def _header_of(file: Path) -> tuple[tuple[int, int], int]:
    """``(H, W)`` as shown, and EXIF's orientation."""
    try:
        with Image.open(file) as image:
            orientation = exif_orientation(image)  # gone once a TIFF is loaded
            return shown_size(image), orientation
    except UNREADABLE as error:
        raise _broken(file, error) from error


def _broken(file: Path, error: Exception) -> BadVideo:
    return BadVideo(f"{file}: cannot be decoded ({why_unreadable(error)}); copy or export the frame again")
