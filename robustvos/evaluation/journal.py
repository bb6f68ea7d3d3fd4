"""What a test has finished, video by video, until it is over: so that one that was killed can go on.

A file for each video, written whole or not at all, so that any number of processes may write and any may be killed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustvos.errors import UserError
from robustvos.evaluation.records import VideoResult
from robustvos.files.atomic import atomic_write_text
from robustvos.files.manifest import open_lock, take_lock

FOLDER = "unfinished"
"""In the folder of a run whose test has begun; removed once the results are written."""
_LOCK = ".lock"


@dataclass(frozen=True)
class Finished:
    """A video that is done.

    Attributes:
        result: Its scores.
        states: What else the test gathers of it, by who gathers it; JSON values.
    """

    result: VideoResult
    states: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """The finished videos of one test, in ``RUN/unfinished``.

    Args:
        run: Folder of the run.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.folder = run / FOLDER

    def begin(self) -> None:
        """Forget what an earlier test has left here.

        Raises:
            UserError: If the folder cannot be written.
        """
        self.close()
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"cannot write {self.folder}: {error.strerror}; choose another --run") from error

    def hold(self) -> None:
        """Keep others from going on with this test while this process lives.

        Raises:
            UserError: If another process holds it.
        """
        self._lock = open_lock(self.folder / _LOCK)
        if not take_lock(self._lock, wait=False):
            raise UserError(
                f"{self.run} is being tested by another process; wait until it ends, or choose another --run"
            )

    def add(self, result: VideoResult, states: Mapping[str, Any]) -> None:
        """Note that a video is done."""
        content = {"result": result.to_json(), "states": dict(states)}
        atomic_write_text(self.folder / _file_name(result.sequence), json.dumps(content))

    def read(self) -> dict[str, Finished]:
        """The videos that are done, by :attr:`VideoResult.sequence`, in order of name.

        Raises:
            UserError: If a file is not what :meth:`add` wrote.
        """
        found = {}
        for file in sorted(self.folder.glob("*.json")):
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
                finished = Finished(VideoResult.from_json(content["result"]), content["states"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"{file} cannot be read ({error!r}); remove it, and its video is tested again"
                ) from error
            found[finished.result.sequence] = finished
        return dict(sorted(found.items()))

    def close(self) -> None:
        """The test is over, and its results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def is_unfinished(run: Path) -> bool:
    """Whether a test has begun in a run's folder and left no results."""
    return (run / FOLDER).is_dir() and not (run / "results.json").exists()


def _file_name(sequence: str) -> str:
    """Of any length and depth of names."""
    return hashlib.blake2b(sequence.encode(errors="surrogateescape"), digest_size=16).hexdigest() + ".json"
