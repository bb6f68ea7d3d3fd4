"""``ytvos/``: the layout of YouTube-VOS: JPEGImages, Annotations (modal masks) and meta.json; beside it AmodalAnnotations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from robustvos.files.atomic import atomic_write_text
from robustvos.publishing.clips import Frame, PublishedClip, native_masks
from robustvos.publishing.linking import link
from robustvos.video.layouts import find_sequences
from robustvos.video.masks import read_indexed_mask, write_indexed_mask
from robustvos.video.native_tree import QUERY_ID

FOLDER, MODAL, AMODAL, META = "ytvos", "Annotations", "AmodalAnnotations", "meta.json"


def write_ytvos(folder: Path, clips: Sequence[PublishedClip]) -> None:
    """Write the tree."""
    base, videos = folder / FOLDER, {}
    for clip in clips:
        seen_in = []
        for file, (whole, seen) in zip(clip.native.frames.files, native_masks(clip.native), strict=True):
            link(file, base / "JPEGImages" / clip.name / file.name)
            for tree, mask in ((AMODAL, whole), (MODAL, seen)):
                path = base / tree / clip.name / f"{file.stem}.png"
                write_indexed_mask(torch.from_numpy(mask)[None], [QUERY_ID], path)
            seen_in += [file.stem] if seen.any() else []
        objects = {str(QUERY_ID): {"category": str(clip.native.category), "frames": seen_in}}
        videos[clip.name] = {"objects": objects}
    atomic_write_text(base / META, json.dumps({"videos": videos}, indent=1, ensure_ascii=False) + "\n")


def read_ytvos(folder: Path) -> Iterator[Frame]:
    """Read the masks back, as any reader of the layout does."""
    base = folder / FOLDER
    for record in find_sequences(base):
        for t, path in enumerate(record.annotation_paths):
            assert path is not None, "every frame is annotated"
            whole = read_indexed_mask(base / AMODAL / record.name / path.name) == QUERY_ID
            yield record.name, t, whole, read_indexed_mask(path) == QUERY_ID
