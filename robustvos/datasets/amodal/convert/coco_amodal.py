"""JSON in COCO's form with whole and visible masks: COCOA, KINS, D2SA, and videos with tracks.

``images`` and ``annotations``; the whole object is ``a_segm``, ``amodal_mask`` or ``segmentation``, the visible one
``i_segm``, ``visible_mask``, ``inmodal_seg`` or ``visible_segmentation``; where an annotation has no visible mask, nothing is
hidden. COCOA's annotations hold ``regions``. Images with ``video_id`` are frames of a video, in the order of ``frame_id`` (else
as they stand), and annotations of one ``track_id`` (or ``instance_id``) its object; other images are clips of one frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.datasets.amodal.convert.clip import ForeignClip
from robustvos.datasets.amodal.convert.coco import coco_mask
from robustvos.errors import BadMask, DataNotFound
from robustvos.files.names import check_relative

_WHOLE = ("a_segm", "amodal_mask", "segmentation")
_VISIBLE = ("i_segm", "visible_mask", "inmodal_seg", "visible_segmentation")


def clips(src: Path, frames: Path | None = None) -> Iterator[ForeignClip]:
    """Every annotation of every image, or every track of every video.

    Args:
        src: The file.
        frames: Root of the images; None: the file's folder.

    Raises:
        DataNotFound: If it is no such file.
        BadMask: If a mask is broken.
    """
    if not src.is_file():
        raise DataNotFound(
            f"{src} is no JSON file in COCO's form; give the file, and --frames for the folder of its images"
        )
    try:
        content = json.loads(src.read_text(encoding="utf-8"))
        images = {image["id"]: image for image in content["images"]}
        annotations = list(_flat(content["annotations"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataNotFound(f"{src}: no images and annotations as COCO has them ({error!r})") from error
    root = frames or src.parent
    groups: dict[tuple[Any, Any], dict[Any, Mapping[str, Any]]] = {}
    for number, entry in enumerate(annotations):
        image = images.get(entry["image_id"])
        if image is None:
            raise DataNotFound(
                f"{src}: annotation {number} is of image {entry['image_id']}, which is not among the images; copy it again"
            )
        track = entry.get("track_id", entry.get("instance_id"))
        key = (image["video_id"], track) if "video_id" in image and track is not None else ("", number)
        groups.setdefault(key, {})[entry["image_id"]] = entry
    videos: dict[Any, list[dict[str, Any]]] = {}
    for image in images.values():
        if "video_id" in image:
            videos.setdefault(image["video_id"], []).append(image)
    for (video, track), by_image in groups.items():
        shown = [images[next(iter(by_image))]] if video == "" else videos[video]
        yield _clip(src, root, shown, video, track, by_image)


def _flat(annotations: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in annotations:
        if "regions" in entry:
            yield from ({"image_id": entry["image_id"], **region} for region in entry["regions"])
        else:
            yield entry


def _clip(
    src: Path,
    root: Path,
    images: list[dict[str, Any]],
    video: Any,
    track: Any,
    by_image: dict[Any, Mapping[str, Any]],
) -> ForeignClip:
    shown = sorted(images, key=lambda image: image.get("frame_id", 0))

    def mask(t: int, names: tuple[str, ...]) -> np.ndarray:
        image = shown[t]
        size, entry = (int(image["height"]), int(image["width"])), by_image.get(image["id"])
        if entry is None:
            return np.zeros(size, bool)
        segment = next((entry[name] for name in names if entry.get(name)), None)
        if segment is None and any(name in entry for name in names):
            return np.zeros(size, bool)
        found = coco_mask(segment, size, f"{src}: image {image['id']}, {names[0]}")
        if found.shape != size:
            raise BadMask(
                f"{src}: image {image['id']} is {size[1]}x{size[0]}, its mask {found.shape[1]}x{found.shape[0]}; copy it again"
            )
        return found

    def visible(t: int) -> np.ndarray:
        entry = by_image.get(shown[t]["id"])
        told = entry is not None and any(name in entry for name in _VISIBLE)
        return mask(t, _VISIBLE) if told else mask(t, _WHOLE)

    name = str(video)
    if video == "":
        name = Path(str(shown[0].get("file_name", shown[0]["id"]))).with_suffix("").as_posix()
    return ForeignClip(
        f"{name.replace('/', '_')}_{track}",
        [root / check_relative(image["file_name"], f"{src}: file_name") for image in shown],
        visible,
        lambda t: mask(t, _WHOLE),
        details={"source": src.name, "image_ids": [image["id"] for image in shown], "object": str(track)},
    )
