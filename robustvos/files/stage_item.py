"""One item of a stage: done by one process at a time, published in one step, noted in the manifest."""

from __future__ import annotations

import ctypes
import shutil
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robustvos.errors import BadMask, BadVideo, DataNotFound, UserError
from robustvos.files.atomic_folder import discard_folder
from robustvos.files.manifest import Manifest, locked
from robustvos.files.stage import MANIFEST, Item, Outcome, Rejection, Stage, Work

LOCKS = ".locks"


def do_item(
    stage: Stage, item: Item, folder: Path, digest: str, advance: Callable[[float], None] = lambda share: None
) -> str:
    """Do one item, unless it is done or another process is at it.

    What cannot be read is noted for good. What is missing may be there next time, on a disk that is not mounted now or under
    another path, and is not noted.

    Returns:
        ``done``, ``busy``, what is missing, or the traceback of an error of the program (see :func:`is_fault`).

    Raises:
        UserError: If nothing can be written.
    """
    manifest = Manifest(folder / MANIFEST)
    with locked(folder / LOCKS / item.key, wait=False) as mine:
        if not mine:
            return "busy"
        if manifest.read().get(item.key, {}).get("fingerprint") == digest:
            return "done"
        temporary = folder / f".{uuid.uuid4().hex}.tmp"
        temporary.mkdir()
        try:
            outcomes = stage.run(item, Work(temporary, advance))
            listed = [outcomes] if isinstance(outcomes, Outcome) else list(outcomes)
            line = {"key": item.key, "fingerprint": digest, "outcomes": [_described_outcome(o) for o in listed]}
            _publish(temporary, folder / item.key)
        except (BadVideo, BadMask) as error:
            discard_folder(folder / item.key)
            unreadable = Rejection("unreadable", {"message": str(error)})
            line = {"key": item.key, "fingerprint": digest, "outcomes": [_described_outcome(unreadable)]}
        except DataNotFound as error:
            return str(error)
        except UserError:
            raise
        except Exception:
            return traceback.format_exc()
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        manifest.add(line)
    return "done"


def is_fault(answer: str) -> bool:
    """Whether an answer of :func:`do_item` is the traceback of an error of the program."""
    return answer.startswith("Traceback ")


def _publish(temporary: Path, target: Path) -> None:
    discard_folder(target)
    if any(temporary.iterdir()):
        temporary.rename(target)


def _described_outcome(outcome: Outcome) -> dict[str, Any]:
    described: dict[str, Any] = {"figures": dict(outcome.figures)}
    if outcome.key is not None:
        described["key"] = outcome.key
    if isinstance(outcome, Rejection):
        described["reason"] = outcome.reason
    return described


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV with one thread, as in the workers: sums of floats depend on how they are split."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


_shares: ctypes.Array[ctypes.c_double]  # the parent's


def begin(shares: ctypes.Array[ctypes.c_double]) -> None:
    """What a worker process does first; ``shares`` is where it says how far each item is."""
    from robustvos.workers import begin_worker

    global _shares
    _shares = shares
    begin_worker()


def do_in_worker(stage: Stage, item: Item, folder: Path, digest: str, number: int) -> str:
    """:func:`do_item` in a worker; ``number`` is the item's place in the shares."""

    def advance(share: float) -> None:
        _shares[number] = min(1.0, _shares[number] + share)

    return do_item(stage, item, folder, digest, advance)
