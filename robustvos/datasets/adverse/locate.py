"""Where the sets of real bad weather lie, and how large they are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustvos.datasets.adverse.trees import TREES, AdverseClip, Findings, Layout, find_clips, holds_any
from robustvos.datasets.published_sets import PUBLISHED
from robustvos.datasets.set_size import SetSize, size_of_records, total_size
from robustvos.datasets.vos.source import DATA_VARIABLE
from robustvos.errors import DataNotFound
from robustvos.files.naming import name_some


def locate_clips(name: str, layout: Layout, root: Path | str | None, subset: list[str] | None) -> Findings:
    """Every annotated clip on disk.

    Args:
        name: Of the dataset; its folder in ``$ROBUSTVOS_DATA`` where none is given.
        layout: See :data:`robustvos.datasets.adverse.trees.TREES`.
        root: Folder of the dataset.
        subset: Weathers (ACDC) or sources (MVSeg) to use; None: all.

    Raises:
        DataNotFound: With the dataset's card if there is none of it, or with what is missing of it.
        UnknownName: If the subset is not known.
    """
    folder = os.environ.get(DATA_VARIABLE)
    place = Path(root or f"{folder}/{name}").expanduser() if root or folder else None
    if place is None:
        looked = f"no folder was given and ${DATA_VARIABLE} is not set"
    elif not place.is_dir():
        looked = f"{place} does not exist"
    elif not holds_any(place, layout):
        held = name_some(sorted(entry.name for entry in place.iterdir())) or "nothing"
        looked = f"looked for {TREES[layout]} in {place}, which holds {held}"
    else:
        return find_clips(place, layout, subset)
    card = PUBLISHED.get(name, f"layout {TREES[layout]}")
    raise DataNotFound(
        f"no data: {name} ({card}): {looked}; give the unpacked folder with --data.root FOLDER, or put it (or a link "
        f"to it) at ${DATA_VARIABLE}/{name}"
    )


def describe_missing_clips(arguments: Mapping[str, Any]) -> str | None:
    """One line on what is not there, or not whole, of the set that a datamodule's ``arguments`` ask for; None if all is."""
    try:
        name, layout = arguments.get("name") or "real_adverse", arguments["layout"]
        locate_clips(name, layout, arguments.get("root"), arguments.get("subset"))
    except DataNotFound as error:
        return str(error)
    return None


def sizes_of_clips(clips: Sequence[AdverseClip]) -> list[SetSize]:
    """Of each weather or source, and of all."""
    groups = list(dict.fromkeys(clip.group for clip in clips))
    sizes = [size_of_records(group, [clip.record for clip in clips if clip.group == group]) for group in groups]
    return [*sizes, total_size(sizes)]
