"""The clips that are published: which, and their masks as run-length codes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robustvos.errors import DataNotFound, UserError
from robustvos.files.naming import name_some
from robustvos.files.stage import Result, open_results
from robustvos.optional import require
from robustvos.program import program
from robustvos.reviewing.clips import clips_of, needs_review
from robustvos.reviewing.verdicts import is_passed, read_reviews, standing
from robustvos.video.native import NativeClip

EXTRA, CAMERA = "publish", "camera"
Frame = tuple[str, int, np.ndarray, np.ndarray]
"""Clip, number of the frame, amodal and modal mask, ``(H, W)`` bool: what reading any layout yields, in order."""


@dataclass(frozen=True)
class Selection:
    """What is published of a run.

    Attributes:
        clips: Records, by key.
        unreviewed: Left out until somebody passes them.
        refused: Left out because somebody failed or flagged them.
    """

    clips: tuple[Result, ...]
    unreviewed: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class PublishedClip:
    """A clip in the native tree of what is published.

    Attributes:
        native: The clip there.
        figures: Of its record.
        amodal: A code a frame, compressed as pycocotools does it.
        modal: As many.
    """

    native: NativeClip
    figures: Mapping[str, Any]
    amodal: tuple[str, ...]
    modal: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.native.name

    @property
    def size(self) -> tuple[int, int]:
        """``(H, W)``."""
        return self.native.frames.size[0], self.native.frames.size[1]

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self.figures.get("fps") or self.native.frames.fps or 24.0)


def select(root: str | os.PathLike[str], as_recorded: bool = False) -> Selection:
    """Clips that nobody failed or flagged, and of those that need a review the ones that somebody passed.

    Args:
        root: Folder of the run.
        as_recorded: By the camera that stood still, also where the stage ``camera`` moved it.

    Raises:
        DataNotFound: If no clips were made.
        UserError: If a clip was made anew after its camera was moved.
    """
    clips = clips_of(root)
    verdicts = standing(read_reviews(root), {clip.key: clip.fingerprint for clip in clips})
    kept = [clip for clip in clips if is_passed(verdicts[clip.key], needs_review(clip))]
    left = {clip.key for clip in clips} - {clip.key for clip in kept}
    refused = {key for key in left if any(v.decision != "pass" for v in verdicts[key].values())}
    moved = {} if as_recorded else _moved(Path(root))
    stale = [clip.key for clip in kept if clip.key in moved and moved[clip.key].figures.get("made") != clip.fingerprint]
    if stale:
        raise UserError(
            f"{len(stale)} clips were made anew since the camera was moved: {name_some(stale)}; first run: "
            f"{program()} realvas camera --out {root}; or publish them with --as_recorded"
        )
    kept = [_as_moved(clip, moved[clip.key]) if clip.key in moved else clip for clip in kept]
    return Selection(tuple(kept), tuple(sorted(left - refused)), tuple(sorted(refused)))


def _moved(root: Path) -> dict[str, Result]:
    """What the stage ``camera`` made, by the clip's key; nothing if it was not run."""
    try:
        kept = open_results(root, CAMERA, complete=False).kept
    except DataNotFound:
        return {}
    return {clip.key: clip for clip in kept if clip.folder.is_dir()}


def _as_moved(clip: Result, moved: Result) -> Result:
    return replace(clip, folder=moved.folder, figures={**clip.figures, **moved.figures})


def encoded(native: NativeClip, figures: Mapping[str, Any]) -> PublishedClip:
    """Read a clip's masks and encode them.

    Raises:
        MissingExtra: If pycocotools is not installed.
        BadMask: If a mask cannot be read.
    """
    pairs = list(native_masks(native))
    return PublishedClip(native, figures, tuple(encode(a) for a, _ in pairs), tuple(encode(m) for _, m in pairs))


def native_masks(native: NativeClip) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Amodal and modal mask of every frame, ``(H, W)`` bool."""
    assert native.amodal is not None, "clips made here have amodal masks"
    for whole, seen in zip(native.amodal, native.modal, strict=True):
        assert whole is not None and seen is not None, "in every frame"
        yield whole[0].numpy(), seen[0].numpy()


def encode(mask: np.ndarray) -> str:
    """``(H, W)`` bool as COCO's compressed run-length code."""
    codec = require("pycocotools.mask", EXTRA)
    counts: bytes = codec.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts.decode("ascii")


def decode(counts: str, size: Sequence[int]) -> np.ndarray:
    """Back to ``(H, W)`` bool."""
    codec = require("pycocotools.mask", EXTRA)
    mask: np.ndarray = codec.decode({"size": [int(size[0]), int(size[1])], "counts": counts.encode("ascii")})
    return mask.astype(bool)


def area_and_box(mask: np.ndarray) -> tuple[int, list[int]]:
    """Pixels of a mask, and its box as COCO has it: ``[x, y, width, height]``, zeros if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, [0, 0, 0, 0]
    x, y = int(columns[0]), int(rows[0])
    return int(mask.sum()), [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]
