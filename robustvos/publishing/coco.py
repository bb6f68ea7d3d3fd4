"""``coco_rle.json``: COCO's layout for videos; ``segmentation`` is the modal mask, ``amodal_segmentation`` the whole one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from robustvos.files.atomic import atomic_write_text
from robustvos.publishing.clips import Frame, PublishedClip, area_and_box, decode
from robustvos.video.native_tree import FRAMES

FILE = "coco_rle.json"


def write_coco(folder: Path, clips: Sequence[PublishedClip]) -> None:
    """Write one file for all clips; an annotation for every frame, with an empty mask where the object is not there."""
    kinds = sorted({str(clip.native.category) for clip in clips})
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for video, clip in enumerate(clips, 1):
        height, width = clip.size
        for t, file in enumerate(clip.native.frames.files):
            number = len(images) + 1
            place = f"native/{clip.name}/{FRAMES}/{file.name}"
            images.append(
                {"id": number, "file_name": place, "height": height, "width": width, "video_id": video, "frame_id": t}
            )
            area, box = area_and_box(decode(clip.modal[t], clip.size))
            whole_area, whole_box = area_and_box(decode(clip.amodal[t], clip.size))
            annotations.append(
                {
                    "id": number,
                    "image_id": number,
                    "video_id": video,
                    "track_id": video,
                    "category_id": kinds.index(str(clip.native.category)) + 1,
                    "segmentation": {"size": [height, width], "counts": clip.modal[t]},
                    "area": area,
                    "bbox": box,
                    "amodal_segmentation": {"size": [height, width], "counts": clip.amodal[t]},
                    "amodal_area": whole_area,
                    "amodal_bbox": whole_box,
                    "iscrowd": 0,
                }
            )
    content = {
        "videos": [
            {"id": k, "name": c.name, "width": c.size[1], "height": c.size[0], "fps": c.fps, "length": len(c.amodal)}
            for k, c in enumerate(clips, 1)
        ],
        "categories": [{"id": k, "name": kind} for k, kind in enumerate(kinds, 1)],
        "images": images,
        "annotations": annotations,
    }
    atomic_write_text(folder / FILE, json.dumps(content, ensure_ascii=False) + "\n")


def read_coco(folder: Path) -> Iterator[Frame]:
    """Read the masks back."""
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    names = {video["id"]: video["name"] for video in content["videos"]}
    frames = {image["id"]: image["frame_id"] for image in content["images"]}
    for said in content["annotations"]:
        whole, seen = said["amodal_segmentation"], said["segmentation"]
        yield (
            names[said["video_id"]],
            frames[said["image_id"]],
            decode(whole["counts"], whole["size"]),
            decode(seen["counts"], seen["size"]),
        )
