"""Where pictures go: to a PNG file, or to the loggers that take images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
from PIL import Image
from torch import Tensor

from robustvos.files.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_png(image: Tensor, path: Path) -> None:
    """Write ``(3, H, W)`` uint8 RGB as a PNG, in one step; missing folders are made."""
    pixels = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    with atomic_path(path) as temporary:
        pixels.save(temporary, format="PNG")


def takes_images(trainer: L.Trainer) -> bool:
    """Whether this process has a logger that shows images (TensorBoard); no process but the first has."""
    return bool(_image_writers(trainer))


def log_image(trainer: L.Trainer, tag: str, image: Tensor) -> None:
    """Give ``(3, H, W)`` uint8 to every logger that shows images, at the current step."""
    for writer in _image_writers(trainer):
        writer.add_image(tag, image, trainer.global_step)


def log_figure(trainer: L.Trainer, tag: str, figure: Figure) -> None:
    """Give a figure of matplotlib to every logger that shows images, at the current step."""
    for writer in _image_writers(trainer):
        writer.add_figure(tag, figure, trainer.global_step, close=False)


def _image_writers(trainer: L.Trainer) -> list[Any]:
    if not trainer.is_global_zero:
        return []
    writers = [getattr(logger, "experiment", None) for logger in trainer.loggers]
    return [writer for writer in writers if hasattr(writer, "add_image")]
