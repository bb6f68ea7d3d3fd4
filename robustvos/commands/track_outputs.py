"""What ``track`` leaves: masks in one of three forms, scores, and videos to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from typing_extensions import Self

from robustvos.commands.mask_format import MaskFormat
from robustvos.drawing.draw import side_by_side
from robustvos.drawing.tracked import tracked_overlay
from robustvos.files.atomic import atomic_write_text
from robustvos.optional import require
from robustvos.types import Prompt, TrackedFrame
from robustvos.video.masks import write_indexed_mask
from robustvos.video.track_scores import ScoreWriter, area_and_box, scores_of
from robustvos.video.writer import VideoWriter

SCORES, OVERLAY, COMPARED = "scores.csv", "overlay.mp4", "compare.mp4"
MASKS_OF: dict[str, str] = {"png": "masks", "coco_rle": "masks.json", "ytvos": "Annotations"}
META = "meta.json"


class MaskWriter(Protocol):
    """One form of masks."""

    def add(self, masks: Tensor, object_ids: Sequence[int], frame: int, name: str) -> None:
        """Write ``(O, H, W)`` bool masks of a frame."""

    def finish(self) -> None:
        """Write what is known only at the end."""


class PngMasks:
    """``FOLDER/NAME.png``: indexed, with the DAVIS palette."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, masks: Tensor, object_ids: Sequence[int], frame: int, name: str) -> None:
        """Write one file."""
        write_indexed_mask(masks, object_ids, self.folder / f"{name}.png")

    def finish(self) -> None:
        """Nothing is left to do."""


class YtvosMasks(PngMasks):
    """``Annotations/VIDEO/NAME.png``, and ``meta.json`` that names each object's frames, as YouTube-VOS has them."""

    def __init__(self, out: Path, video: str) -> None:
        super().__init__(out / MASKS_OF["ytvos"] / video)
        self.out, self.video = out, video
        self._frames: dict[int, list[str]] = {}

    def add(self, masks: Tensor, object_ids: Sequence[int], frame: int, name: str) -> None:
        """Write one file, and note who is seen."""
        super().add(masks, object_ids, frame, name)
        for mask, object_id in zip(masks, object_ids, strict=True):
            if bool(mask.any()):
                self._frames.setdefault(object_id, []).append(name)

    def finish(self) -> None:
        """Write ``meta.json``."""
        objects = {str(i): {"category": "object", "frames": names} for i, names in sorted(self._frames.items())}
        meta = {"videos": {self.video: {"objects": objects}}}
        atomic_write_text(self.out / META, json.dumps(meta, indent=1, ensure_ascii=False) + "\n")


class CocoMasks:
    """``masks.json``: one file in COCO's form, masks run-length encoded; an object's ``track_id`` is its id.

    Raises:
        MissingExtra: If pycocotools is not installed.
    """

    def __init__(self, path: Path, video: str) -> None:
        self.path, self.video = path, video
        self._codec = require("pycocotools.mask", "coco")
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, masks: Tensor, object_ids: Sequence[int], frame: int, name: str) -> None:
        """Note the masks that are not empty."""
        height, width = masks.shape[-2:]
        image = {"id": frame, "file_name": name, "height": height, "width": width}
        self._images.append({**image, "video_id": 1, "frame_id": frame})
        for mask, object_id in zip(masks.numpy(), object_ids, strict=True):
            area, box = area_and_box(mask)
            if box is None:
                continue
            code = self._codec.encode(np.asfortranarray(mask.astype(np.uint8)))
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": frame,
                    "category_id": 1,
                    "track_id": object_id,
                    "segmentation": {"size": [height, width], "counts": code["counts"].decode("ascii")},
                    "area": area,
                    "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                    "iscrowd": 0,
                }
            )

    def finish(self) -> None:
        """Write the file."""
        content = {
            "videos": [{"id": 1, "name": self.video}],
            "categories": [{"id": 1, "name": "object"}],
            "images": self._images,
            "annotations": self._annotations,
        }
        atomic_write_text(self.path, json.dumps(content, ensure_ascii=False) + "\n")


def mask_writer(kind: MaskFormat, out: Path, video: str) -> MaskWriter:
    """What writes masks in a form, beneath ``out``; ``video`` is the video's name."""
    if kind == "png":
        return PngMasks(out / MASKS_OF[kind])
    return YtvosMasks(out, video) if kind == "ytvos" else CocoMasks(out / MASKS_OF[kind], video)


class Results:
    """Masks and scores of one system; a context manager.

    Args:
        out: The folder.
        kind: Form of the masks.
        video: Name of the video.
    """

    def __init__(self, out: Path, kind: MaskFormat, video: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._masks, self._scores = mask_writer(kind, out, video), ScoreWriter(out / SCORES)

    def __enter__(self) -> Self:
        return self

    def add(self, found: TrackedFrame, frame: int, name: str) -> None:
        """Write what was found on a frame; masks are on the CPU."""
        self._masks.add(found.masks, found.object_ids, frame, name)
        self._scores.add(scores_of(found, frame))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scores.__exit__(kind, error, trace)
        if kind is None:
            self._masks.finish()


class Pictures:
    """``overlay.mp4``, and ``compare.mp4`` where a second system runs; a context manager.

    Args:
        out: The folder.
        fps: Frames per second.
        pixel_aspect: Width of a pixel by its height.
        names: Of the systems: one, or two that are shown side by side.
    """

    def __init__(self, out: Path, fps: float, pixel_aspect: Fraction, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._stack = ExitStack()
        wanted = [OVERLAY, COMPARED][: len(self.names)]
        self._writers = [VideoWriter(out / name, fps, pixel_aspect=pixel_aspect) for name in wanted]

    def __enter__(self) -> Self:
        for writer in self._writers:
            self._stack.enter_context(writer)
        return self

    def add(self, frame: Tensor, found: Sequence[TrackedFrame], prompts: Sequence[Prompt], number: int) -> None:
        """Append a frame as each system has it."""
        drawn = [tracked_overlay(frame, f.masks, f.object_ids, prompts, f"frame {number}") for f in found]
        self._writers[0].add(drawn[0])
        if len(self._writers) > 1:
            self._writers[1].add(side_by_side(dict(zip(self.names, drawn, strict=True))))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
