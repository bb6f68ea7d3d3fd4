"""Where a dataset in DAVIS layout is, and which of its videos are for what."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robustvos.datasets.published_sets import OWN, PUBLISHED
from robustvos.errors import DataNotFound
from robustvos.files.naming import list_folders
from robustvos.video.layouts import SequenceRecord, find_sequences, resolve_folder

DATA_VARIABLE = "ROBUSTVOS_DATA"
"""Environment variable: a folder with one folder for each dataset, named as in ``configs/data``."""

Split = Literal["train", "val", "predict"]

_YEARS = ("2017", "2016", "480p", "")  # of DAVIS's lists; one's own may lie in ImageSets itself


@dataclass(frozen=True)
class VideoSource:
    """One dataset on disk.

    Attributes:
        name: What it is called.
        root: Folder that holds ``JPEGImages`` and ``Annotations``.
        unlabelled: The same for videos of which only the first frame is annotated (``valid`` of MOSE and YouTube-VOS);
            None where there are none. They are for ``predict``.
        train_list: Text file with one video a line, or one frame as in DAVIS 2016, absolute or relative to
            ``root/ImageSets`` or ``root``; None: none.
        val_list: The same for validation and test.
        annotations: Folder that holds ``Annotations``, if that is not ``root``.
    """

    name: str
    root: Path
    unlabelled: Path | None = None
    train_list: str | None = None
    val_list: str | None = None
    annotations: Path | None = None

    @property
    def is_split(self) -> bool:
        """Whether training and validation have different videos."""
        return self.train_list is not None or self.val_list is not None

    def sequences(self, split: Split, image_set: str | None = None) -> tuple[SequenceRecord, ...]:
        """The videos of a split; one list alone leaves the rest for the other, none gives every video to both.

        Args:
            split: ``predict`` prefers the unlabelled videos, and has those of ``val`` where there are none.
            image_set: A list to use instead.

        Raises:
            DataNotFound: If a list is missing; or videos, their frames or their annotations: all of them in one message.
        """
        every = self._every(split, image_set)
        return tuple(every)

    def names(self) -> tuple[str, ...]:
        """Of the folders of all videos, wanted or not."""
        roots = (self.root, self.unlabelled) if self.unlabelled is not None else (self.root,)
        folders = (folder for root in roots for folder in list_folders(resolve_folder(root, "JPEGImages")))
        return tuple(dict.fromkeys(folder.name for folder in folders))

    def _every(self, split: Split, image_set: str | None) -> tuple[SequenceRecord, ...]:
        if image_set is not None:
            return self._find(absolute_if_here(image_set))
        if split == "predict" and self.unlabelled is not None:
            return find_sequences(self.unlabelled)
        own, other = (self.train_list, self.val_list) if split == "train" else (self.val_list, self.train_list)
        if own is not None:
            return self._find(own)
        every = self._find()
        if other is None:
            return every
        taken = {record.name for record in self._find(other)}
        return tuple(record for record in every if record.name not in taken)

    def _find(self, image_set: str | None = None) -> tuple[SequenceRecord, ...]:
        return find_sequences(self.root, image_set=image_set, annotations=self.annotations)

    def describe_missing_split(self) -> str:
        """One line for who should know that training and validation have the same videos."""
        count = len(list_folders(resolve_folder(self.root, "JPEGImages")))
        return (
            f"{self.name}: no train.txt or val.txt in {self.root / 'ImageSets'}[/2017]: "
            f"{'the one video is' if count == 1 else f'all {count} videos are'} used for training, "
            "validation and test alike; --data.val_list FILE (one name a line) keeps some apart"
        )


def locate(
    roots: Mapping[str, Path | str | None],
    train_list: str | None = None,
    val_list: str | None = None,
    prefer_2016: bool = False,
) -> tuple[VideoSource, ...]:
    """Find every dataset, or say in one message all that is missing.

    Args:
        roots: Folder of each dataset by name. It holds ``JPEGImages``, or ``train/JPEGImages`` (MOSE, YouTube-VOS).
            None: ``$ROBUSTVOS_DATA/<name>``.
        train_list: Names of training videos; None: ``ImageSets/2017/train.txt`` (or ``2016/``, ``480p/``, or
            ``ImageSets`` itself) where it exists.
        val_list: The same for ``val.txt``.
        prefer_2016: Look for the lists of DAVIS 2016 first, in ``2016`` and ``480p``.

    Raises:
        DataNotFound: Naming each missing dataset, its size, where to get it, and what to set.
    """
    missing = describe_missing(roots)
    if missing:
        raise DataNotFound(missing)
    sources = []
    for name, given in roots.items():
        root, unlabelled = _folders(place_of(name, given))
        sources.append(
            VideoSource(
                name,
                root,
                unlabelled,
                absolute_if_here(train_list) or list_in(root, "train.txt", prefer_2016),
                absolute_if_here(val_list) or list_in(root, "val.txt", prefer_2016),
            )
        )
    return tuple(sources)


def describe_missing(
    roots: Mapping[str, Path | str | None],
    is_there: Callable[[Path | None], bool] | None = None,
    looked_for: str = "JPEGImages nor train/JPEGImages",
) -> str | None:
    """One line on every dataset that is not where it should be; None if all are there.

    Args:
        roots: Folder of each dataset by name, as for :func:`locate`.
        is_there: Whether a folder holds what is wanted; None: ``JPEGImages`` or ``train/JPEGImages``.
        looked_for: What a folder that exists was searched for.
    """
    check = is_there or _is_there
    absent = [(name, given) for name, given in roots.items() if not check(place_of(name, given))]
    if not absent:
        return None
    lines = [f"{name} ({PUBLISHED.get(name, OWN)}): {_where_looked(name, given, looked_for)}" for name, given in absent]
    settings = [f"--data.roots.{name} FOLDER" for name, _ in absent] if len(roots) > 1 else ["--data.root FOLDER"]
    places = [f"${DATA_VARIABLE}/{name}" for name, _ in absent]
    what = "the unpacked folder" if len(absent) == 1 else "the unpacked folders"
    put = "it (or a link to it)" if len(absent) == 1 else "them (or links to them)"
    return f"no data: {' | '.join(lines)}; give {what} with {' '.join(settings)}, or put {put} at {', '.join(places)}"


def place_of(name: str, given: Path | str | None) -> Path | None:
    """The folder of a dataset: the one given, else ``$ROBUSTVOS_DATA/<name>``, else None."""
    if given is not None:
        return Path(given).expanduser()
    folder = os.environ.get(DATA_VARIABLE)
    return Path(folder).expanduser() / name if folder else None


def _folders(root: Path | None) -> tuple[Path, Path | None]:
    assert root is not None  # or describe_missing would have said so
    if (root / "JPEGImages").is_dir():
        return root, None
    valid = root / "valid"
    return root / "train", valid if (valid / "JPEGImages").is_dir() else None


def _is_there(root: Path | None) -> bool:
    return root is not None and any((folder / "JPEGImages").is_dir() for folder in (root, root / "train"))


def _where_looked(name: str, given: Path | str | None, looked_for: str) -> str:
    root = place_of(name, given)
    if root is None:
        return f"no folder was given and ${DATA_VARIABLE} is not set"
    if not root.is_dir():
        return f"{root} does not exist"
    return f"{root} holds neither {looked_for}"


def list_in(root: Path, name: str, prefer_2016: bool) -> str | None:
    """The dataset's own list of that name, absolute, as lists are looked for inside the dataset; None if it has none."""
    years = sorted(_YEARS, key=lambda year: year not in ("2016", "480p")) if prefer_2016 else _YEARS
    found = (root / "ImageSets" / year / name for year in years)
    return next((str(path.absolute()) for path in found if path.is_file()), None)


def absolute_if_here(image_set: str | None) -> str | None:
    """A list that exists as typed is that file; otherwise it is looked for inside the dataset."""
    if image_set is None:
        return None
    path = Path(image_set).expanduser()
    return str(path.absolute()) if path.is_file() else str(path)
