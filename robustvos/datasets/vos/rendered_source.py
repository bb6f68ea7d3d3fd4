"""Copies of a dataset that hold corrupted frames: what ``cli.py corrupt`` writes, and what the release distributes.

Each corruption has a folder in DAVIS layout, ``<root>/<corruption>/JPEGImages/<video>/*.jpg``, with ``Annotations`` beside
``JPEGImages`` or, shared by all, in ``<root>``. The release's training set has videos of several datasets in one such
tree, ``mose_<video>``, ``ytvos_<video>`` and ``davis_<video>``; its YouTube-VOS-C lies in ``<root>/valid``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robustvos.conditions import CLEAN
from robustvos.corruptions import CORRUPTIONS, is_corruption
from robustvos.datasets.vos.source import Split, VideoSource, absolute_if_here, describe_missing, list_in, place_of
from robustvos.errors import DataNotFound
from robustvos.files.naming import list_folders, name_some
from robustvos.program import program
from robustvos.video.layouts import SequenceRecord

_NOTE = "corruption.json"  # in each copy that `cli.py corrupt` has written
_LOOKED_FOR = "CORRUPTION/JPEGImages (fog/JPEGImages, ...) nor valid/ or train/ with such folders"


@dataclass(frozen=True)
class RenderedSource:
    """One dataset under several corruptions.

    Attributes:
        name: What it is called.
        root: Folder that holds one folder for each corruption.
        copies: The dataset under each corruption; ``clean`` too, where ``root`` has the original's frames.
    """

    name: str
    root: Path
    copies: Mapping[str, VideoSource]

    @property
    def is_split(self) -> bool:
        """Whether training and validation have different videos."""
        return any(copy.is_split for copy in self.copies.values())

    def sequences(
        self, split: Split, image_set: str | None = None, corruptions: Sequence[str] | None = None
    ) -> tuple[SequenceRecord, ...]:
        """The videos of a split, corruption by corruption; they have the same names under each, so that results pair.

        Args:
            split: See :meth:`VideoSource.sequences`.
            image_set: Likewise.
            corruptions: Which, in this order; None: all but ``clean``.

        Raises:
            DataNotFound: If there is no copy with one of ``corruptions``, a copy lacks videos that another has, or a
                video is not whole.
        """
        chosen = tuple(corruptions) if corruptions is not None else tuple(c for c in self.copies if c != CLEAN)
        absent = [name for name in chosen if name not in self.copies]
        if absent:
            raise DataNotFound(
                f"{self.name}: {self.root} has no copy for {name_some(absent, 9)}, only for {name_some(self.copies, 9)}; "
                f"render it with `{program()} corrupt`, or leave it out of the conditions"
            )
        found = {name: self.copies[name].sequences(split, image_set) for name in chosen}
        self._check_alike({name: [record.name for record in records] for name, records in found.items()})
        return tuple(replace(record, corruption=name) for name, records in found.items() for record in records)

    def names(self) -> tuple[str, ...]:
        """See :meth:`VideoSource.names`; of all copies."""
        return tuple(dict.fromkeys(name for copy in self.copies.values() for name in copy.names()))

    def strength(self, corruptions: Sequence[str]) -> dict[str, str]:
        """How strongly these copies are corrupted, as far as they say it (``corruption.json``)."""
        copies = [self.copies[name].root for name in corruptions if name in self.copies and name != CLEAN]
        strengths = sorted({_describe_strength(copy) for copy in copies})
        return {"copies": " and ".join(strengths)} if strengths else {}

    def describe_missing_split(self) -> str:
        """See :meth:`VideoSource.describe_missing_split`."""
        return next(iter(self.copies.values())).describe_missing_split()

    def _check_alike(self, names: Mapping[str, Sequence[str]]) -> None:
        every = list(dict.fromkeys(name for found in names.values() for name in found))
        for corruption, found in names.items():
            lacking = [name for name in every if name not in set(found)]
            if lacking:
                raise DataNotFound(
                    f"{self.name}: {self.root / corruption} lacks {len(lacking)} of {len(every)} videos that other "
                    f"corruptions have: {name_some(lacking)}; finish `{program()} corrupt`, or copy them again"
                )


def locate_rendered(
    roots: Mapping[str, Path | str | None],
    train_list: str | None = None,
    val_list: str | None = None,
    prefer_2016: bool = False,
) -> tuple[RenderedSource, ...]:
    """Find every dataset, or say in one message all that is missing.

    Args:
        roots: Folder of each dataset by name: the one that holds a folder for each corruption, or ``valid`` or ``train``
            with these. None: ``$ROBUSTVOS_DATA/<name>``.
        train_list: As for :func:`robustvos.datasets.vos.source.locate`; lists are looked for in each copy.
        val_list: Likewise.
        prefer_2016: Likewise.

    Raises:
        DataNotFound: Naming each missing dataset, where it was looked for, and what to set.
    """
    missing = describe_missing_rendered(roots)
    if missing:
        raise DataNotFound(missing)
    sources = []
    for name, given in roots.items():
        base = _base(place_of(name, given))
        assert base is not None  # or describe_missing_rendered would have said so
        folders = {CLEAN: base} if (base / "JPEGImages").is_dir() else {}
        folders |= _copies(base)
        copies = {}
        for corruption, folder in folders.items():
            copies[corruption] = VideoSource(
                name,
                folder,
                train_list=absolute_if_here(train_list) or list_in(folder, "train.txt", prefer_2016),
                val_list=absolute_if_here(val_list) or list_in(folder, "val.txt", prefer_2016),
                annotations=None if (folder / "Annotations").is_dir() else base,
            )
        sources.append(RenderedSource(name, base, copies))
    return tuple(sources)


def describe_missing_rendered(roots: Mapping[str, Path | str | None]) -> str | None:
    """One line on every dataset that is not where it should be; None if all are there."""
    return describe_missing(roots, lambda place: _base(place) is not None, _LOOKED_FOR)


def _describe_strength(copy: Path) -> str:
    try:
        note = json.loads((copy / _NOTE).read_text(encoding="utf-8"))
        file = f"JPEG {note['quality']}" if note["quality"] else "PNG"
        return f"{note['preset']}, severity {note['severity']:g}, seed {note['seed']}, {file}"
    except (OSError, ValueError, KeyError, TypeError):
        return "of unknown strength"


def _base(place: Path | None) -> Path | None:
    """The folder that holds a folder for each corruption."""
    if place is None:
        return None
    return next((folder for folder in (place, place / "valid", place / "train") if _copies(folder)), None)


def _copies(base: Path) -> dict[str, Path]:
    """Folder of each corruption, those of the benchmark first; the release writes one of them ``ISO_noise``."""
    if not base.is_dir():
        return {}
    folders = {folder.name.lower(): folder for folder in list_folders(base) if (folder / "JPEGImages").is_dir()}
    combined = sorted(name for name in folders if is_corruption(name) and name not in CORRUPTIONS)
    return {name: folders[name] for name in (CLEAN, *CORRUPTIONS, *combined) if name in folders}
