"""What is written stays beneath its folder, and no output folder is, or contains, what the same command reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from robustvos.errors import UnsafePath

DATASET_FOLDERS = ("JPEGImages", "Annotations", "ImageSets")
"""What every folder in DAVIS layout keeps its files in; nothing else belongs there."""

_Path = str | os.PathLike[str]
_Inode = tuple[int, int]


def under(root: _Path, *parts: _Path) -> Path:
    """``root/parts``, if that lies beneath ``root`` once links are followed.

    Args:
        root: Folder; need not exist.
        parts: Relative paths beneath it.

    Raises:
        UnsafePath: If it lies elsewhere, or is ``root`` itself: a part is absolute, leads upwards, or is a link that does.

    >>> under("runs/test/masks", "bear", "00000.png").as_posix()
    'runs/test/masks/bear/00000.png'
    """
    path = Path(root, *parts)
    base, place = os.path.realpath(root), os.path.realpath(path)
    if not place.startswith(os.path.join(base, "")):
        by = f", by a link to {place}" if ".." not in path.parts and os.path.abspath(path) != place else ""
        raise UnsafePath(
            f"{path} lies outside of {root}{by}: nothing is written there; choose another folder, or another name"
        )
    return path


def refuse_inputs_as_output(
    out: _Path,
    inputs: Iterable[_Path | None],
    what: str = "--out",
    marker: str | None = None,
    advice: str = "choose another folder",
) -> None:
    """Refuse an output folder, or file, that is an input or contains one, so that nothing that is read is written over.

    Files are compared as the file system knows them, so that links, ``..`` and another spelling change nothing. An output
    folder *inside* an input is left to the command.

    Args:
        out: Folder or file that is written to; need not exist.
        inputs: Files and folders that are read; None and what does not exist are passed over.
        what: The setting that names ``out``, for the message.
        marker: Name of a file that this command leaves in each folder that it makes: an input in such a folder may lie in
            ``out``, for ``out`` is the command's own. ``out`` must not *be* an input all the same.
        advice: What to do.

    Raises:
        UnsafePath: Naming both.
    """
    here = _inode(Path(out))
    if here is None:
        return
    for given in inputs:
        if given is None or _inode(Path(given)) is None:
            continue
        if here == _inode(Path(given)):
            raise UnsafePath(f"{what} {out} is what is read ({given}), and nothing is written there: {advice}")
        around = list(_containing(Path(given)))
        if here in [_inode(folder) for folder in around] and not _is_made([Path(given), *around], here, marker):
            raise UnsafePath(f"{what} {out} contains what is read ({given}), and nothing is written there: {advice}")


def refuse_dataset_folders(out: _Path, what: str = "--out") -> None:
    """Refuse an output folder among the files of a dataset in DAVIS layout, where it would be taken for a video.

    Raises:
        UnsafePath: Naming the dataset's folder.
    """
    for place in (Path(os.path.realpath(out)), Path(os.path.abspath(out))):
        for folder in (place, *place.parents):
            if folder.name in DATASET_FOLDERS:
                raise UnsafePath(f"{what} {out} lies in {folder}, among a dataset's own files; choose another folder")


def lies_in(path: _Path, folder: _Path) -> bool:
    """Whether ``path`` is ``folder`` or lies in it, once links are followed; ``path`` need not exist."""
    wanted = _inode(Path(folder))
    return wanted is not None and any(_inode(place) == wanted for place in _self_and_containing(Path(path)))


def existing_paths(node: object) -> Iterator[Path]:
    """Every text or path within nested settings that names a file or folder which is there."""
    if isinstance(node, dict):
        for value in node.values():
            yield from existing_paths(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from existing_paths(value)
    elif isinstance(node, str | os.PathLike) and str(node) and "\0" not in str(node):
        path = Path(node).expanduser()
        if _inode(path) is not None:
            yield path


def _containing(path: Path) -> Iterator[Path]:
    """Folders that contain ``path``, from the inside out: where it is, and as it was typed, which may be a link."""
    for place in (Path(os.path.realpath(path)), Path(os.path.abspath(path))):
        yield from place.parents


def _self_and_containing(path: Path) -> Iterator[Path]:
    yield Path(os.path.realpath(path))
    yield from _containing(path)


def _is_made(chain: list[Path], out: _Inode, marker: str | None) -> bool:
    """Whether the input, a folder around it in ``out``, or ``out`` itself, bears the marker."""
    if marker is None:
        return False
    for folder in chain:
        if (folder / marker).is_file():
            return True
        if _inode(folder) == out:
            return False
    return False


def _inode(path: Path) -> _Inode | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # not there; or no path at all
        return None
    return found.st_dev, found.st_ino
