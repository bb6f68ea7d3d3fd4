"""What ``annotate`` opens: an annotation that was begun, or a new one, with masks that exist if there are any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from robustvos.errors import DataNotFound, UserError
from robustvos.files.atomic_folder import remove_leftovers, remove_leftovers_below
from robustvos.files.manifest import locked
from robustvos.video.sequence import Frames
from robustvos.web.annotation import Annotation, State
from robustvos.web.annotation_store import MASKS, PAINTED, FolderStore, read_planes
from robustvos.web.identities import objects_of_classes
from robustvos.web.mask_trees import GROUPS


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a folder of annotations, rid of what a kill left half-written, so that two commands do not undo each other's work.

    A folder that was not there, and in which nothing was made, is not there afterwards.

    Raises:
        UserError: If another command holds it.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = folder / ".lock"
    with locked(lock, wait=False) as held:
        if not held:
            raise UserError(f"{folder} is open in another 'annotate'; end that one, or choose another --out")
        _remove_leftovers(folder)
        try:
            yield
        finally:
            if made and list(folder.iterdir()) == [lock]:
                lock.unlink()
                with suppress(OSError):  # somebody else has come
                    for path in made:
                        path.rmdir()


def _remove_leftovers(folder: Path) -> None:
    """Those of annotations alone: a ``track`` may be writing into another folder below, as the last line advises."""
    remove_leftovers(folder)
    for name in (MASKS, PAINTED, *GROUPS):
        remove_leftovers_below(folder / name)


def open_annotation(
    frames: Frames, folder: Path, masks: Path | None = None, classes: bool = False, least_area: int = 64
) -> tuple[Annotation, FolderStore]:
    """What was begun in a folder, or a new annotation, with masks that exist if there are any.

    Raises:
        UserError: If the folder holds an annotation of another video, or one was begun and masks are given too.
        DataNotFound: If the masks' folder holds none.
        BadMask: If a mask is none, or does not fit the video.
    """
    store = FolderStore(folder, frames)
    state = store.load()
    if state is not None and masks is not None:
        raise UserError(f"{folder} holds an annotation already; open it without --masks, or choose another --out")
    if state is None:
        state = State() if masks is None else _of_masks(frames, masks, classes, least_area)
        if masks is not None:
            store.save(None, state)
    return Annotation(len(frames), (frames.size[0], frames.size[1]), store, state), store


def _of_masks(frames: Frames, masks: Path, classes: bool, least_area: int) -> State:
    if not masks.is_dir():
        raise DataNotFound(f"--masks {masks} is no folder; give the one that holds the PNG files")
    planes = read_planes(masks, frames)
    if not planes:
        raise DataNotFound(f"--masks {masks} holds no PNG; give the folder of one video's masks")
    if classes:
        return objects_of_classes(planes, least_area)
    ids = sorted({i for plane in planes.values() for i in plane.ids})
    return State(planes=planes, names={i: f"object {i}" for i in ids})
