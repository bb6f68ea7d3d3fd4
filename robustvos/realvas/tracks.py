"""Tracks on disk: one object's masks at the sampled frames, with what is to be known of each."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustvos.errors import DataNotFound
from robustvos.files.arrays import UNREADABLE_ARRAYS

CORRECTIONS = "corrections"


@dataclass(frozen=True)
class Track:
    """One object over the sampled frames, at the analysis size.

    Attributes:
        frames: ``(K,)`` int64, indices of frames in the shot, ascending.
        objects: ``(K, H, W)`` bool, the object alone.
        regions: ``(K, H, W)`` bool, the object with its shadow and reflection.
        merged: ``(K,)`` bool, its region was cut out of one it shared with another track.
        border: ``(K,)`` bool, the object touches the border of the frame.
    """

    frames: np.ndarray
    objects: np.ndarray
    regions: np.ndarray
    merged: np.ndarray
    border: np.ndarray

    @property
    def clean(self) -> np.ndarray:
        """``(K,)`` bool: frames in which the object is whole and alone."""
        clean: np.ndarray = ~(self.merged | self.border)
        return clean


def write_track(track: Track, path: Path) -> None:
    """Write a track as a compressed ``.npz``; equal tracks give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        frames=track.frames,
        size=np.array(track.objects.shape[1:]),
        objects=np.packbits(track.objects, axis=-1),
        regions=np.packbits(track.regions, axis=-1),
        merged=track.merged,
        border=track.border,
    )


def read_track(root: str | os.PathLike[str], path: Path, key: str) -> Track:
    """Read a track, with what a person has corrected of it in ``<root>/corrections/<key>.npz``.

    Raises:
        DataNotFound: If the file is missing or broken.
    """
    track = _read(path)
    corrected = Path(root) / CORRECTIONS / f"{key}.npz"
    return _with_corrections(track, _read(corrected)) if corrected.exists() else track


def correction_digest(root: str | os.PathLike[str], key: str) -> str | None:
    """Digest of what a person has corrected of a track; None if nothing: part of the inputs of whatever reads it."""
    path = Path(root) / CORRECTIONS / f"{key}.npz"
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest() if path.exists() else None


def _with_corrections(track: Track, corrected: Track) -> Track:
    """Frames of ``corrected`` in place of those of ``track``; frames whose object was deleted (emptied) are left out."""
    merged = {int(t): (track, k) for k, t in enumerate(track.frames)}
    merged |= {int(t): (corrected, k) for k, t in enumerate(corrected.frames)}
    chosen = [(t, source, k) for t, (source, k) in sorted(merged.items()) if source.objects[k].any()]
    if not chosen:
        return Track(
            *(values[:0] for values in (track.frames, track.objects, track.regions, track.merged, track.border))
        )
    return Track(
        np.array([t for t, _, _ in chosen]),
        *(
            np.stack([getattr(source, name)[k] for _, source, k in chosen])
            for name in ("objects", "regions", "merged", "border")
        ),
    )


def _read(path: Path) -> Track:
    try:
        with np.load(path) as held:
            width = int(held["size"][1])
            objects, regions = (
                np.unpackbits(held[name], axis=-1, count=width).astype(bool) for name in ("objects", "regions")
            )
            return Track(held["frames"], objects, regions, held["merged"], held["border"])
    except FileNotFoundError as error:
        raise DataNotFound(f"{path} is missing; run the stage 'discover' again") from error
    except UNREADABLE_ARRAYS as error:
        raise DataNotFound(f"{path} cannot be read ({error}); run the stage 'discover' again") from error


def touches_border(mask: np.ndarray, margin: int = 2) -> bool:
    """Whether ``(H, W)`` bool has a pixel within ``margin`` of the frame's border."""
    inner = mask[margin:-margin, margin:-margin]
    return int(inner.sum()) < int(mask.sum())
