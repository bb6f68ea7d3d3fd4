"""A video taken apart into layers by somebody else's program: a background and one RGBA video an object, effects included."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustvos.errors import BadVideo, DataNotFound
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.video.frames import FrameFolder
from robustvos.video.sequence import Frames

_BACKGROUND = "bg"
_LAYER = "fg"
_DETAILED = "dt_fg"  # the same with the input's own pixels where it shows


class RgbaFolder(Frames):
    """Lazy RGBA frames: item ``t`` is ``(4, H, W)`` uint8, colour not multiplied by alpha.

    Args:
        path: Folder of PNG files with an alpha channel.

    Raises:
        DataNotFound: If there are none.
        BadVideo: If the first cannot be read; when a frame is asked for, if it cannot be, or has no alpha.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.fps = None
        self.files = tuple(list_files(self.path, (".png",))) if self.path.is_dir() else ()
        if not self.files:
            raise DataNotFound(f"{self.path} holds no .png frame; expected one RGBA image per frame")
        self.frame_names = tuple(file.stem for file in self.files)
        first = self._decode(0)
        self.size = (first.shape[-2], first.shape[-1])

    def _decode(self, index: int) -> Tensor:
        file = self.files[index]
        try:
            with Image.open(file) as image:
                if image.mode != "RGBA":
                    raise BadVideo(f"{file}: a layer needs an alpha channel, got mode {image.mode}; export RGBA")
                pixels = np.array(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise BadVideo(f"{file}: cannot be decoded ({' '.join(str(error).split())}); export it again") from error
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


@dataclass(frozen=True)
class VideoLayers:
    """One video's layers, all of the same length and size.

    Attributes:
        name: Of the video.
        background: Item ``t`` is ``(3, H, W)`` uint8: the scene without the objects and their effects.
        objects: Front to back; item ``t`` of each is ``(4, H, W)`` uint8, RGBA, shadows and reflections in alpha.
    """

    name: str
    background: Frames
    objects: tuple[Frames, ...]

    def composite(self, index: int, objects: Sequence[int] | None = None) -> Tensor:
        """Frame ``index`` put together again, ``(3, H, W)`` uint8, of all objects or of some, by position."""
        colour = self.background[index].float()
        chosen = range(len(self.objects)) if objects is None else objects
        for position in sorted(chosen, reverse=True):
            layer = self.objects[position][index].float()
            alpha = layer[3:] / 255.0
            colour = layer[:3] * alpha + colour * (1.0 - alpha)
        return colour.round().clamp(0, 255).to(torch.uint8)


class LayerReader(ABC):
    """Reads what a program for layers left on disk.

    Attributes:
        name: Key in the registry.
    """

    name: ClassVar[str]

    @abstractmethod
    def read(self, folder: str | os.PathLike[str]) -> VideoLayers:
        """Open one video's layers; frames are decoded when asked for.

        Raises:
            DataNotFound: If something is missing; says what was looked for.
            BadVideo: If a layer differs from the others in length or size.
        """


class GenerativeOmnimatte(LayerReader):
    """Output of Generative Omnimatte's public code: ``<video>/bg/00000.png`` and ``<video>/fg00/00000.png``, ``fg01``, ...

    The objects' numbers are their order from front to back unless ``front_to_back`` says another. The code leaves two
    versions of an object: ``fg00``, and ``dt_fg00`` with the input's own pixels where the object is seen in it.

    Args:
        detailed: Whether ``dt_fg*`` is taken where it is there.
        front_to_back: Numbers of the objects in the order from the camera; None: 0, 1, 2, ...

    Source: Lee et al., Generative Omnimatte, CVPR 2025 (public re-implementation, ``save_omnimatte``).
    """

    name = "generative_omnimatte"

    def __init__(self, detailed: bool = True, front_to_back: Sequence[int] | None = None) -> None:
        self.detailed = detailed
        self.front_to_back = None if front_to_back is None else tuple(front_to_back)

    def read(self, folder: str | os.PathLike[str]) -> VideoLayers:
        """See the base class."""
        path = Path(folder)
        inside = {entry.name: entry for entry in list_folders(path)} if path.is_dir() else {}
        numbers = sorted(int(name[2:]) for name in inside if name.startswith(_LAYER) and name[2:].isdigit())
        if _BACKGROUND not in inside or not numbers:
            raise DataNotFound(
                f"looked for {_BACKGROUND}/ and {_LAYER}00/ in {path}, which holds {name_some(inside) or 'no folder'}; give "
                "the folder of one video that Generative Omnimatte's reconstruct_omnimatte.py has written"
            )
        order = numbers if self.front_to_back is None else list(self.front_to_back)
        if sorted(order) != numbers:
            raise DataNotFound(f"{path} holds objects {numbers}, front_to_back names {order}; name each of them once")
        layers = VideoLayers(
            path.name,
            FrameFolder(inside[_BACKGROUND]),
            tuple(RgbaFolder(self._folder_of(inside, number)) for number in order),
        )
        _check_alike(layers)
        return layers

    def _folder_of(self, inside: dict[str, Path], number: int) -> Path:
        detailed = inside.get(f"{_DETAILED}{number:02d}")
        return detailed if self.detailed and detailed is not None else inside[f"{_LAYER}{number:02d}"]


def _check_alike(layers: VideoLayers) -> None:
    """Refuse layers that differ in length or size."""
    expected = (len(layers.background), layers.background.size)
    for layer in layers.objects:
        if (len(layer), layer.size) != expected:
            raise BadVideo(
                f"{layer.path} has {len(layer)} frames of {layer.size[1]}x{layer.size[0]}, {layers.background.path} "
                f"{expected[0]} of {expected[1][1]}x{expected[1][0]}; export all layers of the video together"
            )
