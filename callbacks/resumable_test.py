"""A test that was killed goes on at the video where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L

from callbacks.base import VideoCallback, run_folder
from robustvos.evaluation.journal import Finished, Journal
from robustvos.evaluation.records import UnreadVideo, VideoResult
from robustvos.files.atomic_folder import remove_leftovers_below
from robustvos.types import Video

_NAMED = 6  # videos in the line that says what is passed over


class ResumableTest(L.Callback):
    """Keep each video's scores as soon as they are there, and give them back to a test that goes on.

    Videos that have failed are not kept: they are tried again. What is kept is removed once the results are written.

    Attributes:
        resumes: Name of the run's folder if it holds a test to go on with, else None; set before the trainer is made.
    """

    def __init__(self) -> None:
        self.resumes: str | None = None
        self._journal: Journal | None = None
        self._known: Mapping[str, Finished] = {}
        self._is_over = False

    def on_test_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Find what is done; all processes must ask for the run's folder together."""
        self._journal, self._is_over = Journal(run_folder(trainer)), False
        if trainer.is_global_zero:
            if self.resumes is None:
                self._journal.begin()
            self._journal.hold()
            remove_leftovers_below(run_folder(trainer))  # nobody else writes there now
        trainer.strategy.barrier("the journal is there")
        self._known = {} if self.resumes is None else self._journal.read()
        trainer.strategy.barrier("the journal is read")  # before any process adds to it
        pl_module.known = {name: finished.result for name, finished in self._known.items()}
        if self.resumes is not None:
            pl_module.print(_passed_over(run_folder(trainer), list(self._known)))

    def on_video_known(self, trainer: L.Trainer, module: Any, video: Video, result: VideoResult) -> None:
        """Give the other callbacks what they had gathered of a video that was done before."""
        states = self._known[result.sequence].states
        for callback in _listeners(trainer):
            callback.on_known_video(trainer, module, video, states.get(type(callback).__name__))

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep what was found, now that every callback has seen it."""
        if not isinstance(outputs, VideoResult) or outputs.failure or isinstance(batch, UnreadVideo):
            return
        if outputs.sequence not in self._known and self._journal is not None:
            states = {type(callback).__name__: callback.video_state(batch) for callback in _listeners(trainer)}
            self._journal.add(outputs, {name: state for name, state in states.items() if state is not None})

    def on_test_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """The results are about to be written by the others, all of them before :meth:`teardown`."""
        self._is_over = True

    def teardown(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:
        """Nothing is left to go on with."""
        if self._is_over and self._journal is not None and trainer.is_global_zero:
            self._journal.close()
        self._journal, self._known, self._is_over = None, {}, False


def _listeners(trainer: L.Trainer) -> list[VideoCallback]:
    return [callback for callback in trainer.callbacks if isinstance(callback, VideoCallback)]


def _passed_over(folder: object, names: Sequence[str]) -> str:
    """What a test that goes on says.

    >>> _passed_over("runs/moga/version_0", ["boat", "boat@fog"])
    'going on in runs/moga/version_0: 2 videos were done before and are passed over (boat, boat@fog)'
    """
    if not names:
        return f"going on in {folder}: no video was done before"
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    were = "videos were done before and are" if len(names) > 1 else "video was done before and is"
    return f"going on in {folder}: {len(names)} {were} passed over ({', '.join(names[:_NAMED])}{more})"
