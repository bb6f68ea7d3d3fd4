"""A stage's item that is a clip: its folder is the clip's, so that the stage's folder is a dataset."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from robustvos.video.native_tree import AMODAL, ANNOTATIONS, FRAMES, MODAL
from robustvos.video.native_writer import write_native_clip


def write_item_clip(
    folder: Path, frames: Iterable[Tensor], modal: Iterable[Tensor], amodal: Iterable[Tensor], **details: Any
) -> None:
    """Write a clip into a stage's work folder; see :func:`~robustvos.video.native_writer.write_native_clip`."""
    inside = folder / "clip"
    write_native_clip(inside, frames, modal, amodal, **details)
    for entry in sorted(inside.iterdir()):
        entry.rename(folder / entry.name)
    inside.rmdir()


def copy_item_clip(clip: Path, folder: Path) -> None:
    """Copy a clip as it is into a stage's work folder."""
    for name in (FRAMES, AMODAL, MODAL):
        if (clip / name).is_dir():
            shutil.copytree(clip / name, folder / name)
    if (clip / ANNOTATIONS).exists():
        shutil.copyfile(clip / ANNOTATIONS, folder / ANNOTATIONS)
