"""KINS-Video-Car (amazon-science/self-supervised-amodal-video-object-segmentation): cars of KITTI's videos.

``car_data/<split>_data.pkl``: video to object to frame to ``{VM: run-length code}``, visible masks found by a tracker;
``Kitti/raw_video/<date>/<video>/<frame>.png``; ``Kins/instances_train.json`` with ``Kins/training/image_2``. KINS has
annotated single frames of these videos: they are found by the bytes of the picture, and an object is the annotation whose
visible mask it overlaps by more than half, as SaVos scores it. Only those frames have whole masks.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.datasets.amodal.convert.clip import ForeignClip
from robustvos.datasets.amodal.convert.coco import coco_mask
from robustvos.errors import BadMask, DataNotFound
from robustvos.files.names import check_name
from robustvos.files.naming import list_files, natural_key

_SAME = 0.5


def clips(src: Path, split: str = "test") -> Iterator[ForeignClip]:
    """Every object that KINS has annotated in some frame. Raises DataNotFound, BadMask or UnsafePath."""
    file = next(iter(sorted(src.rglob(f"{split}_data.pkl"))), None)
    if file is None:
        raise DataNotFound(
            f"looked for car_data/{split}_data.pkl in {src}, found none; unpack KINS_Video_Car.zip there"
        )
    whole = _KinsMasks(src)
    for video, objects in _plain(file).items():
        frames = _frames(src, check_name(video, f"{file}: name of a video"))
        for number, by_frame in objects.items():
            found = whole.of(frames, by_frame)
            if found:
                yield _clip(str(video), number, frames, by_frame, found, file)


def _clip(
    video: str, number: Any, frames: list[Path], by_frame: Mapping[Any, Any], whole: dict[int, np.ndarray], file: Path
) -> ForeignClip:
    first, last = min(by_frame), max(by_frame)

    def modal(t: int) -> np.ndarray | None:
        entry = by_frame.get(first + t)
        return (
            None
            if entry is None
            else coco_mask(entry["VM"], None, f"{file}: {video}, object {number}, frame {first + t}")
        )

    return ForeignClip(
        f"{video}_{number}",
        frames[first : last + 1],
        modal,
        lambda t: whole.get(first + t),
        details={"source": "KINS-Video-Car", "object": int(number), "visible_masks": "of a tracker"},
    )


class _KinsMasks:
    """Whole masks of KITTI's frames that KINS has annotated."""

    def __init__(self, src: Path) -> None:
        annotations = next(iter(sorted(src.rglob("instances_train.json"))), None)
        pictures = next((path for path in sorted(src.rglob("image_2")) if path.is_dir()), None)
        if annotations is None or pictures is None:
            raise DataNotFound(
                f"looked for Kins/instances_train.json and Kins/training/image_2 in {src}; put KINS there"
            )
        content = json.loads(annotations.read_text(encoding="utf-8"))
        self.file = annotations
        self.numbers = {image["file_name"]: image["id"] for image in content["images"]}
        self.by_image: dict[Any, list[dict[str, Any]]] = {}
        for entry in content["annotations"]:
            self.by_image.setdefault(entry["image_id"], []).append(entry)
        self.by_digest = {_digest(file): file.name for file in list_files(pictures, (".png",))}

    def of(self, frames: list[Path], by_frame: Mapping[Any, Any]) -> dict[int, np.ndarray]:
        """By frame, of one object."""
        found = {}
        for t, entry in by_frame.items():
            picture = self.by_digest.get(_digest(frames[t])) if t < len(frames) else None
            annotations = self.by_image.get(self.numbers.get(picture, object()), []) if picture else []
            if not annotations:
                continue
            seen = coco_mask(entry["VM"], None, f"frame {frames[t]}")
            best = max(annotations, key=lambda one: _iou(seen, self._visible(one)))
            if _iou(seen, self._visible(best)) > _SAME:
                found[int(t)] = coco_mask(best["segmentation"], seen.shape, f"{self.file}: annotation {best.get('id')}")
        return found

    def _visible(self, annotation: Mapping[str, Any]) -> np.ndarray:
        return coco_mask(annotation["inmodal_seg"], None, f"{self.file}: annotation {annotation.get('id')}")


def _frames(src: Path, video: str) -> list[Path]:
    folder = next((path for path in sorted(src.rglob(glob.escape(video))) if path.is_dir()), None)
    files = [] if folder is None else list_files(folder, (".png",))
    if not files:
        raise DataNotFound(
            f"looked for raw_video/<date>/{video}/*.png in {src}, found none; put KITTI's raw videos there"
        )
    return sorted(files, key=lambda file: natural_key(file.name))


_ALLOWED = (
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "dtype"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("builtins", "dict"),
    ("_codecs", "encode"),
)


class _Plain(pickle.Unpickler):
    """Numbers, texts and their containers; a pickle that asks for code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no table of masks needs")
        return super().find_class(module, name)


def _plain(file: Path) -> dict[Any, dict[Any, Any]]:
    try:
        content = _Plain(io.BytesIO(file.read_bytes())).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, IndexError) as error:
        raise BadMask(f"{file} is no table of masks ({error}); unpack the archive again") from error
    if not isinstance(content, dict):
        raise BadMask(f"{file} holds a {type(content).__name__}, expected videos by name; unpack the archive again")
    return content


def _digest(file: Path) -> bytes:
    return hashlib.md5(file.read_bytes()).digest()


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum())) if a.shape == b.shape else 0.0
