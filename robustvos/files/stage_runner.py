"""Run a stage: resume, shards, workers, progress, and the same bytes whoever does it."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from robustvos.errors import DataNotFound, UserError
from robustvos.files.atomic import atomic_write_json
from robustvos.files.atomic_folder import discard_folder, remove_leftovers
from robustvos.files.manifest import Manifest, locked, open_lock, take_lock
from robustvos.files.stage import (
    MANIFEST,
    STAGE,
    Item,
    Stage,
    StageResults,
    describe_stage,
    fingerprint,
    open_results,
)
from robustvos.files.stage_item import LOCKS, begin, do_in_worker, do_item, is_fault, one_thread
from robustvos.progress import progress_bar

_GLANCE_S = 0.2
"""How often progress of the workers, and items that another run is doing, are looked at."""
_RUNNERS, _FAILURE = ".runners", ".failure.txt"


@dataclass(frozen=True)
class Shard:
    """The ``index``-th of ``count`` parts of the items, from 0."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``.

        Raises:
            UserError: Unless 0 <= i < n.

        >>> Shard.parse("1/4")
        Shard(index=1, count=4)
        """
        try:
            index, count = (int(part) for part in text.split("/"))
        except ValueError:
            index, count = -1, 0
        if not 0 <= index < count:
            raise UserError(f"--shard {text} must be i/n with 0 <= i < n, e.g. 0/4")
        return cls(index, count)

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """This part of ``items``."""
        return items[self.index :: self.count]


WHOLE = Shard()


def run_stage(
    stage: Stage,
    root: str | os.PathLike[str],
    inputs: Mapping[str, StageResults] | None = None,
    *,
    shard: Shard = WHOLE,
    workers: int = 1,
    progress: bool = True,
) -> StageResults:
    """Do the items of a stage that are not done yet, or were done with other settings or inputs.

    Several runs may share ``root``: each item is done by one of them. Whatever is killed can be run again. An item that fails
    with an error of the program, or for want of a file, does not stop the others, and is tried again by the next run.

    Args:
        stage: What to do.
        root: Folder of the run; files go to ``<root>/<stage.name>``.
        inputs: Results of earlier stages by name.
        shard: The part of the items to do here.
        workers: Processes; 1 works in this one.
        progress: Show a bar.

    Returns:
        What the stage has left, with what other shards have done so far.

    Raises:
        UserError: If items failed, a worker was killed, nothing can be written, or another run is at work there with other
            settings.
        DataNotFound: If items failed for want of a file alone.
        ValueError: If two items have one key.
    """
    folder = Path(root) / stage.name
    items = sorted(stage.items(inputs or {}), key=lambda item: item.key)
    prints = {item.key: fingerprint(stage, item) for item in items}
    if len(prints) != len(items):
        raise ValueError(f"{stage.name}: two items have one key")
    with _sharing(stage, folder, prints) as lock:
        _Runner(stage, folder, prints, workers, progress).run(shard.of(items))
        _settle(folder, prints)
        if take_lock(lock, wait=False):  # nobody else is at work: what has a temporary name is nobody's
            _clear_away(folder, prints)
    return open_results(root, stage.name, complete=False)


@contextmanager
def _sharing(stage: Stage, folder: Path, prints: Mapping[str, str]) -> Iterator[Any]:
    """Hold the folder's lock together with runs of equal settings; note what is to be done."""
    said = describe_stage(stage)
    with open_lock(folder / _RUNNERS) as lock:
        with locked(folder / f".{STAGE}.lock"):  # looking and changing are one step
            if _described(folder) != said and not take_lock(lock, wait=False):
                raise UserError(
                    f"another run is at work in {folder} with other settings; wait for it, or choose another folder"
                )
            take_lock(lock, shared=True)
            atomic_write_json(folder / STAGE, {**said, "items": sorted(prints.items())})
        yield lock


def _described(folder: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((folder / STAGE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return {key: value for key, value in said.items() if key != "items"}


def _settle(folder: Path, prints: Mapping[str, str]) -> None:
    Manifest(folder / MANIFEST).settle(lambda line: prints.get(line["key"]) == line.get("fingerprint"))


def _clear_away(folder: Path, prints: Mapping[str, str]) -> None:
    """Remove what killed runs have left, and the folders of items that are no more."""
    remove_leftovers(folder)
    shutil.rmtree(folder / LOCKS, ignore_errors=True)
    (folder / _FAILURE).unlink(missing_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in prints:
            discard_folder(entry)


@dataclass
class _Runner:
    """Does items here or in processes, and passes over what other runs do until they have done it."""

    stage: Stage
    folder: Path
    prints: Mapping[str, str]
    workers: int
    progress: bool

    def run(self, items: Sequence[Item]) -> None:
        done = Manifest(self.folder / MANIFEST).read()
        waiting = [item for item in items if done.get(item.key, {}).get("fingerprint") != self.prints[item.key]]
        total, left = (sum(item.weight for item in some) for some in (items, waiting))
        self._failures: list[tuple[str, str]] = []
        with progress_bar(
            total=total,
            initial=total - left,
            unit=self.stage.unit,
            desc=self.stage.name,
            disable=not self.progress or not waiting,
            mininterval=1.0,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} [{elapsed}<{remaining}]",
        ) as bar:
            while waiting:
                busy = self._alone(waiting, bar) if self.workers == 1 else self._together(waiting, bar)
                if len(busy) == len(waiting):
                    time.sleep(_GLANCE_S)
                waiting = busy
        if self._failures:
            (key, trace), *others = sorted(self._failures, key=lambda failed: (not is_fault(failed[1]), failed))
            more = f" and {len(others)} more" if others else ""
            if not is_fault(trace):
                raise DataNotFound(
                    f"{self.stage.name}: {key}{more} failed: {trace}. The rest is done; run it again then"
                )
            raise UserError(
                f"{self.stage.name}: {key}{more} failed ({trace.strip().splitlines()[-1]}); the rest is done. Run it "
                f"again; if it fails again, please report it with {self._report(trace)}"
            )

    def _report(self, trace: str) -> Path:
        path = self.folder / _FAILURE
        path.write_text(trace, encoding="utf-8")
        return path

    def _alone(self, items: Sequence[Item], bar: Any) -> list[Item]:
        busy = []
        with one_thread():
            for item in items:
                before = bar.n
                advance = partial(_advance, bar, item.weight)
                answer = do_item(self.stage, item, self.folder, self.prints[item.key], advance)
                if answer == "busy":
                    busy.append(item)
                    continue
                bar.update(before + item.weight - bar.n)
                self._note(item, answer)
        return busy

    def _together(self, items: Sequence[Item], bar: Any) -> list[Item]:
        # Spawned, not forked: threads of torch and OpenCV do not survive a fork.
        context = multiprocessing.get_context("spawn")
        shares = context.RawArray("d", len(items))  # of each item, done: no lock, which a killed worker would keep
        busy: list[Item] = []
        start = bar.n
        pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=begin, initargs=(shares,))
        with pool:
            futures = {
                pool.submit(do_in_worker, self.stage, item, self.folder, self.prints[item.key], number): (number, item)
                for number, item in enumerate(items)
            }
            waiting: set[Future[str]] = set(futures)
            try:
                while waiting:
                    finished, waiting = wait(waiting, timeout=_GLANCE_S)
                    for future in finished:
                        number, item = futures[future]
                        answer = future.result()
                        shares[number] = 0.0 if answer == "busy" else 1.0
                        busy += [item] if answer == "busy" else []
                        self._note(item, answer)
                    now = sum(share * item.weight for share, item in zip(shares, items, strict=True))
                    bar.update(start + now - bar.n)
            except BrokenProcessPool as error:
                raise UserError(
                    f"{self.stage.name}: a worker was killed, for want of memory perhaps; run the command again, with fewer "
                    "--workers: it goes on where it was"
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return busy

    def _note(self, item: Item, answer: str) -> None:
        if answer not in ("busy", "done"):
            self._failures.append((item.key, answer))


def _advance(bar: Any, weight: float, share: float) -> None:
    bar.update(share * weight)
