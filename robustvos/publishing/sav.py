"""``sa_v/CLIP_amodal.json`` and ``CLIP_modal.json``: the layout of SA-V, a list of objects for each frame."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from robustvos.files.atomic import atomic_write_text
from robustvos.publishing.clips import Frame, PublishedClip, decode
from robustvos.video.native_tree import QUERY_ID

FOLDER = "sa_v"
KINDS = ("amodal", "modal")


def masklets(
    video: str, fps: float, size: tuple[int, int], codes: Sequence[Sequence[str]], object_ids: Sequence[int]
) -> dict[str, Any]:
    """The content of a file.

    Args:
        video: Its name.
        fps: Frames per second.
        size: ``(H, W)``.
        codes: ``T`` frames of ``O`` codes.
        object_ids: ``O`` ids.
    """
    height, width = size
    return {
        "video_id": video,
        "video_duration": len(codes) / fps,
        "video_frame_count": float(len(codes)),
        "video_height": float(height),
        "video_width": float(width),
        "video_resolution": float(height * width),
        "masklet_id": list(object_ids),
        "masklet_num": len(object_ids),
        "masklet_frame_count": [len(codes)] * len(object_ids),
        "masklet": [[{"size": [height, width], "counts": code} for code in frame] for frame in codes],
    }


def write_sav(folder: Path, clips: Sequence[PublishedClip]) -> None:
    """Write two files a clip."""
    for clip in clips:
        for kind, codes in zip(KINDS, (clip.amodal, clip.modal), strict=True):
            said = masklets(clip.name, clip.fps, clip.size, [[code] for code in codes], [QUERY_ID])
            atomic_write_text(folder / FOLDER / f"{clip.name}_{kind}.json", json.dumps(said, ensure_ascii=False) + "\n")


def read_sav(folder: Path) -> Iterator[Frame]:
    """Read the masks back."""
    for path in sorted((folder / FOLDER).glob(f"*_{KINDS[0]}.json")):
        name = path.stem.removesuffix(f"_{KINDS[0]}")
        whole, seen = (
            json.loads((path.parent / f"{name}_{kind}.json").read_text(encoding="utf-8"))["masklet"] for kind in KINDS
        )
        for t, (a, m) in enumerate(zip(whole, seen, strict=True)):
            yield name, t, decode(a[0]["counts"], a[0]["size"]), decode(m[0]["counts"], m[0]["size"])
