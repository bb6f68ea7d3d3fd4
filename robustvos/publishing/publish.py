"""Publish: write every layout, read each back, compare, and only then put the folder in its place."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustvos.errors import UserError
from robustvos.files.atomic_folder import atomic_folder, discard_folder
from robustvos.optional import require
from robustvos.program import program
from robustvos.publishing import coco, croissant, sav, videofolder, ytvos
from robustvos.publishing.card import UNKNOWN, read_licences, used_sources, write_card
from robustvos.publishing.clips import EXTRA, Frame, PublishedClip, encoded, native_masks, select
from robustvos.video.native import find_native_clips
from robustvos.video.native_tree import AMODAL, ANNOTATIONS, FRAMES, MODAL

NATIVE = "native"
READERS: dict[str, Callable[[Path], Iterator[Frame]]] = {
    "coco_rle": coco.read_coco,
    "sa_v": sav.read_sav,
    "ytvos": ytvos.read_ytvos,
    "videofolder": videofolder.read_videofolder,
    "croissant": croissant.read_croissant,
}
"""What reads each layout back."""


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        folder: Where.
        clips: Names.
        unreviewed: Clips left out until somebody passes them.
        refused: Clips that somebody failed or flagged.
        unlicensed: Sources without a licence.
    """

    folder: Path
    clips: tuple[str, ...]
    unreviewed: tuple[str, ...]
    refused: tuple[str, ...]
    unlicensed: tuple[str, ...]


def publish(root: str | os.PathLike[str], out: Path, about: croissant.About, as_recorded: bool = False) -> Published:
    """Write the clips of a run as a dataset; what was published in ``out`` before is replaced.

    Args:
        root: Folder of the run.
        out: Where.
        about: Name, licence, address.
        as_recorded: As in :func:`robustvos.publishing.clips.select`.

    Raises:
        DataNotFound: If no clips were made.
        UserError: If none may be published, ``out`` holds something else, or a layout does not give the masks back.
        MissingExtra: If pycocotools or mlcroissant is not installed.
    """
    for module in ("pycocotools", "mlcroissant"):
        require(module, EXTRA)
    run, chosen = Path(root), select(root, as_recorded)
    if not chosen.clips:
        raise UserError(
            f"no clip of {root} may be published: {len(chosen.unreviewed)} wait for a review, {len(chosen.refused)} were "
            f"failed or flagged; judge them: {program()} review {root}"
        )
    if out.exists() and not (out / croissant.FILE).exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} holds something else; give another --out")
    licences = read_licences(run, used_sources(run, chosen.clips))
    replaced = out.with_name(f".{out.name}.new")
    discard_folder(replaced)
    with atomic_folder(replaced) as folder:
        for clip in chosen.clips:
            _copy(clip.folder, folder / NATIVE / clip.key)
        figures = {clip.key: clip.figures for clip in chosen.clips}
        clips = [
            encoded(native, figures[native.name]) for native in find_native_clips(folder / NATIVE, sorted(figures))
        ]
        for write in (coco.write_coco, sav.write_sav, ytvos.write_ytvos, videofolder.write_videofolder):
            write(folder, clips)
        croissant.write_croissant(folder, clips, about)
        check(folder, clips)
        write_card(folder, run, about, chosen.clips, (len(chosen.unreviewed), len(chosen.refused)))
    discard_folder(out)
    replaced.rename(out)
    unlicensed = tuple(licence.key for licence in licences if licence.licence == UNKNOWN)
    return Published(out, tuple(sorted(figures)), chosen.unreviewed, chosen.refused, unlicensed)


def check(folder: Path, clips: Sequence[PublishedClip]) -> None:
    """Read every layout back and compare each mask with the native tree's.

    Raises:
        UserError: If one differs, is missing or is too many.
    """
    truth = {(c.name, t): pair for c in clips for t, pair in enumerate(_packed(c))}
    for layout, read in READERS.items():
        seen = set()
        for name, t, whole, modal in read(folder):
            if truth.get((name, t)) != (_pack(whole), _pack(modal)):
                raise UserError(
                    f"{layout}: the masks of {name}, frame {t}, differ from the native ones; nothing was published; please "
                    "report it"
                )
            seen.add((name, t))
        if seen != truth.keys():
            raise UserError(
                f"{layout}: {len(truth.keys() - seen)} of {len(truth)} frames are missing; nothing was published; please "
                "report it"
            )


def _packed(clip: PublishedClip) -> Iterator[tuple[bytes, bytes]]:
    return ((_pack(whole), _pack(seen)) for whole, seen in native_masks(clip.native))


def _pack(mask: np.ndarray) -> bytes:
    """Equal for equal masks of equal shape alone."""
    return hashlib.blake2b(repr(mask.shape).encode() + np.packbits(mask).tobytes(), digest_size=16).digest()


def _copy(source: Path, target: Path) -> None:
    for name in (FRAMES, AMODAL, MODAL):
        shutil.copytree(source / name, target / name)
    shutil.copyfile(source / ANNOTATIONS, target / ANNOTATIONS)
