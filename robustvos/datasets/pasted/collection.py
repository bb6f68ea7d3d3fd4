"""Stills and videos with masks of their objects, found in a folder, and read a few frames at a time.

Any folder below the root that holds ``JPEGImages`` and ``Annotations`` is a set: of videos, if these hold a folder for
each (DAVIS layout, :mod:`robustvos.video.layouts`); of stills, if they hold ``ID.jpg`` and ``ID.png``. Masks are indexed
PNGs, 255 is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustvos.datasets.vos.source import DATA_VARIABLE, place_of
from robustvos.errors import BadMask, DataNotFound
from robustvos.files.naming import list_files, list_folders, name_some
from robustvos.video.frames import IMAGE_SUFFIXES, read_frame
from robustvos.video.layouts import find_sequences, resolve_folder
from robustvos.video.masks import VOID, read_indexed_mask

_DEPTH = 3  # levels of folders below the root that are searched for sets
_ADVICE = "give a folder with sets of videos (DAVIS layout) or of stills (JPEGImages/ID.jpg, Annotations/ID.png)"


@dataclass(frozen=True)
class Footage:
    """A still, or a video every frame of which has a mask.

    Attributes:
        name: Set and picture, ``davis2016/bear``.
        frame_paths: One image a frame; a still has one.
        mask_paths: One indexed PNG a frame.
    """

    name: str
    frame_paths: tuple[Path, ...]
    mask_paths: tuple[Path, ...]

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame ``index``: ``(H, W, 3)`` uint8 RGB and ``(H, W)`` uint8 ids, 0 being the background.

        Pixels that are not known to belong to an object or not are painted in the picture's mean colour, so that
        background is the truth about them.

        Raises:
            BadMask: If the mask has another size than the image, or cannot be read.
            BadVideo: If the image cannot be read.
        """
        image = np.ascontiguousarray(read_frame(self.frame_paths[index]).permute(1, 2, 0).numpy())
        ids = read_indexed_mask(self.mask_paths[index])
        if ids.shape != image.shape[:2]:
            raise BadMask(
                f"{self.mask_paths[index]} is {ids.shape[1]}x{ids.shape[0]}, but its image is "
                f"{image.shape[1]}x{image.shape[0]}; export the mask at the size of the image"
            )
        unknown = ids == VOID
        if unknown.any():
            image[unknown] = image.mean((0, 1)).astype(np.uint8)
            ids = np.where(unknown, np.uint8(0), ids)
        return image, ids


@dataclass(frozen=True)
class Collection:
    """Stills and videos; at least one of the two is there."""

    stills: tuple[Footage, ...]
    videos: tuple[Footage, ...]

    def without(self, names: Sequence[str]) -> Collection:
        """The same, less the videos of these names, which need not be there."""
        kept = tuple(video for video in self.videos if video.name.rpartition("/")[2] not in names)
        return Collection(self.stills, kept)

    def split(self, held_back: Sequence[str], every: int) -> tuple[Collection, Collection]:
        """What is trained on, and what is held back: the videos named, and every ``every``-th still (0: none).

        Raises:
            DataNotFound: If a video to be held back is not there, or nothing is left to train on.
        """
        names = {video.name.rpartition("/")[2] for video in self.videos}
        if missing := [name for name in held_back if name not in names]:
            raise DataNotFound(
                f"no video {name_some(missing)} to hold back; there are {name_some(sorted(names), 40) or 'none'}"
            )
        kept = [video.name.rpartition("/")[2] in held_back for video in self.videos]
        still = [bool(every) and number % every == 0 for number in range(len(self.stills))]
        parts = [
            Collection(
                tuple(s for s, back in zip(self.stills, still, strict=True) if back == wanted),
                tuple(v for v, back in zip(self.videos, kept, strict=True) if back == wanted),
            )
            for wanted in (False, True)
        ]
        if not parts[0].stills and not parts[0].videos:
            raise DataNotFound("all footage is held back; leave some to train on")
        return parts[0], parts[1]


def locate_collection(name: str, root: Path | None, sets: Sequence[str] | None = None) -> Collection:
    """The sets of a folder, or of ``$ROBUSTVOS_DATA/name`` where none is given; see :func:`find_collection`.

    Raises:
        DataNotFound: If there is no folder, or none of the sets.
    """
    place = place_of(name, root)
    if place is None:
        raise DataNotFound(
            f"no footage to make clips of: give a folder of sets (videos in DAVIS layout, stills with masks) with "
            f"--data.root FOLDER, or put it at ${DATA_VARIABLE}/{name}"
        )
    return find_collection(place, sets)


def find_collection(root: Path, sets: Sequence[str] | None = None) -> Collection:
    """Every set below ``root``; only paths are read.

    Args:
        root: Folder of sets.
        sets: Names of those wanted; None: all. A set is called by its folder's name; where several have the same, by its
            path from the root, ``ytvos/train``.

    Raises:
        DataNotFound: If there is no set, one wanted is not there, a still has no mask, or a set or video is empty. Frames of
            videos without a mask are passed over, as those of sets that annotate every fifth one.
    """
    folders = _named(root, _sets_below(root, _DEPTH))
    if not folders:
        found = "it does not exist" if not root.is_dir() else "none has JPEGImages and Annotations"
        raise DataNotFound(f"looked for sets below {root}, but {found}; {_ADVICE}")
    if missing := [name for name in sets or () if name not in folders]:
        raise DataNotFound(f"no set {name_some(missing)} below {root}; there are {name_some(folders)}")
    stills: list[Footage] = []
    videos: list[Footage] = []
    for name, folder in folders.items():
        if sets is not None and name not in sets:
            continue
        if list_folders(resolve_folder(folder, "JPEGImages")):
            videos += _videos(name, folder)
        else:
            stills += _stills(name, folder)
    return Collection(tuple(stills), tuple(videos))


def _named(root: Path, folders: Sequence[Path]) -> dict[str, Path]:
    """Sets by name, in order; no two have the same."""
    count = Counter(folder.name for folder in folders)
    return {f.name if count[f.name] == 1 else f.relative_to(root).as_posix(): f for f in folders}


def _sets_below(folder: Path, depth: int) -> list[Path]:
    if (folder / "JPEGImages").is_dir() and (folder / "Annotations").is_dir():
        return [folder]
    inner = list_folders(folder) if depth and folder.is_dir() else []
    return [found for child in inner for found in _sets_below(child, depth - 1)]


def _stills(name: str, folder: Path) -> list[Footage]:
    images = list_files(folder / "JPEGImages", IMAGE_SUFFIXES)
    masks = {path.stem: path for path in list_files(folder / "Annotations", (".png",))}
    if not images:
        raise DataNotFound(f"set '{name}': {folder / 'JPEGImages'} holds no image; {_ADVICE}")
    if bare := [image.name for image in images if image.stem not in masks]:
        raise DataNotFound(
            f"set '{name}': {len(bare)} of {len(images)} stills have no mask in {folder / 'Annotations'}: "
            f"{name_some(bare)}; add ID.png for each, or remove them"
        )
    return [Footage(f"{name}/{image.stem}", (image,), (masks[image.stem],)) for image in images]


def _videos(name: str, folder: Path) -> list[Footage]:
    found: list[Footage] = []
    for record in find_sequences(folder):
        pairs = [(f, m) for f, m in zip(record.frame_paths, record.annotation_paths, strict=True) if m is not None]
        found.append(Footage(f"{name}/{record.name}", tuple(f for f, _ in pairs), tuple(m for _, m in pairs)))
    return found
