"""``videofolder/``: the Hub's VideoFolder: ``train/CLIP.mp4``, and ``train/metadata.jsonl`` with masks as run-length codes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from robustvos.files.atomic import atomic_write_text
from robustvos.publishing.clips import Frame, PublishedClip, decode
from robustvos.video.writer import VideoWriter

FOLDER, METADATA = "videofolder/train", "metadata.jsonl"


def write_videofolder(folder: Path, clips: Sequence[PublishedClip]) -> None:
    """Write one MP4 a clip, which is lossy, and a line of metadata, which is exact."""
    lines = []
    for clip in clips:
        with VideoWriter(folder / FOLDER / f"{clip.name}.mp4", clip.fps) as video:
            for frame in clip.native.frames:
                video.add(frame)
        lines.append(json.dumps(row(clip) | {"file_name": f"{clip.name}.mp4"}, ensure_ascii=False))
    atomic_write_text(folder / FOLDER / METADATA, "\n".join(lines) + "\n")


def row(clip: PublishedClip) -> dict[str, Any]:
    """What is said of a clip, with its masks."""
    occlusion = clip.native.occlusion or ()
    return {
        "clip": clip.name,
        "category": clip.native.category,
        "fps": clip.fps,
        "height": clip.size[0],
        "width": clip.size[1],
        "frames": len(clip.amodal),
        "occlusion": [entry.amount for entry in occlusion],
        "untrusted": [entry["frame"] for entry in clip.native.details.get("untrusted", ())],
        "amodal": list(clip.amodal),
        "modal": list(clip.modal),
    }


def read_videofolder(folder: Path) -> Iterator[Frame]:
    """Read the masks back."""
    for text in (folder / FOLDER / METADATA).read_text(encoding="utf-8").splitlines():
        said = json.loads(text)
        size = (said["height"], said["width"])
        for t, (whole, seen) in enumerate(zip(said["amodal"], said["modal"], strict=True)):
            yield said["clip"], t, decode(whole, size), decode(seen, size)
