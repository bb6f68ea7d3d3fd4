"""What ``corrupt`` does: frames of many videos, on several processes; what it will be, before."""

from __future__ import annotations

import ctypes
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from robustvos.corruptions import names_of, needs_layers, parts_of
from robustvos.datasets.vos.corrupted_copy import Settings, Source, SourceVideo, bytes_of_a_frame, write_video
from robustvos.errors import BadVideo, UserError
from robustvos.files.atomic_folder import remove_leftovers
from robustvos.progress import progress_bar
from robustvos.workers import begin_worker

Job = tuple[SourceVideo, Path, Settings]
_GLANCE_S = 0.2
"""How often the frames of all workers are counted."""
_SAMPLES = 3
"""Videos that tell how large a corruption's frames are."""


def corruption_names(chosen: Sequence[str] | None) -> list[str]:
    """Every corruption that was asked for; refuses what a copy cannot have."""
    names = names_of(chosen or ("robustpvos8",))
    for name in names:
        parts_of(name)  # refuses what is not known
        if name == "clean":
            raise UserError("--corruption clean is the original itself; name a corruption, or robustpvos8")
        if needs_layers(name):
            raise UserError(
                f"--corruption {name} needs the layers of each clip, which a copy has not; corrupt in training"
            )
    return list(names)


def clear_away(source: Source, roots: Sequence[Path], jobs: Sequence[Job]) -> None:
    """Remove what killed runs have left, and nothing that another shard may still make use of."""
    for root in roots:
        folder = root / source.inside
        remove_leftovers(folder, of={target.name for _, target, _ in jobs if target.parent == folder})
    for root in roots:
        if all((root / source.inside / video.name).is_dir() for video in source.videos):
            remove_leftovers(root / source.inside)


def estimate(source: Source, names: Sequence[str], jobs: Sequence[Job], waiting: Sequence[Job], shard: str) -> str:
    """What will be done, in one line."""
    videos = [video for video, _, _ in waiting]
    about = "about " if any(video.is_estimate for video in videos) else ""
    frames = f"{about}{sum(video.frames for video in videos):,} frames"
    uncounted = sum(not video.frames for video in videos)
    if uncounted:
        frames += f" and those of {uncounted} video files whose headers do not say"
    mib = _estimated_bytes(waiting) / 2**20
    size = f"{mib:.3g} MiB" if mib < 1000 else f"{mib / 1024:,.1f} GiB"
    part = "" if shard.endswith("/1") else f" (shard {shard})"
    return (
        f"{source.root}: {len(source.videos)} videos, {len(names)} corruption(s){part}: "
        f"{len(waiting)} of {len(jobs)} copies of videos to write, {frames}, about {size} and the annotations"
    )


def _estimated_bytes(jobs: Sequence[Job]) -> float:
    """Of all frames, by the first ones of some videos under each corruption: noise takes ten times what blur takes."""
    total = 0.0
    for name in dict.fromkeys(settings.corruption for _, _, settings in jobs):
        alike = [(video, settings) for video, _, settings in jobs if settings.corruption == name]
        sizes = []
        for video, settings in alike[:: -(-len(alike) // _SAMPLES)]:
            with suppress(BadVideo):  # said when its turn comes
                sizes.append(bytes_of_a_frame(video, settings))
        total += sum(video.frames for video, _ in alike) * (fmean(sizes) if sizes else 0.0)
    return total


def work(jobs: Sequence[Job], workers: int) -> None:
    """Write the copies."""
    if not jobs:
        return
    known = [video.frames for video, _, _ in jobs if video.frames]
    total = (
        round(fmean(known) * len(jobs)) if known else None
    )  # a file whose header is silent is taken to be as the others
    with progress_bar(total=total, unit="frame", desc="corrupt", smoothing=0.05) as bar:
        for done in _alone(jobs) if workers == 1 else _together(jobs, workers):
            bar.update(done)
        bar.total = bar.n  # a header may be off by a frame or two


def _alone(jobs: Sequence[Job]) -> Iterator[int]:
    for job in jobs:
        yield from write_video(*job)


def _together(jobs: Sequence[Job], workers: int) -> Iterator[int]:
    # spawned, not forked: threads of torch do not survive a fork
    context = multiprocessing.get_context("spawn")
    written = context.RawArray("q", len(jobs))  # frames of each job: no lock, which a killed worker would keep
    counted = 0
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(written,)) as pool:
        waiting = {pool.submit(_whole, job, number) for number, job in enumerate(jobs)}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=_GLANCE_S)
                for future in done:
                    future.result()
                now = sum(written)
                yield now - counted
                counted = now
        except BrokenProcessPool as error:
            raise UserError(
                "a worker was killed, for want of memory perhaps; run the command again, with fewer --workers: it goes on "
                "where it was"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_written: ctypes.Array[ctypes.c_longlong]  # the parent's


def _begin(written: ctypes.Array[ctypes.c_longlong]) -> None:
    global _written
    _written = written
    begin_worker()


def _whole(job: Job, number: int) -> None:
    for frames in write_video(*job):
        _written[number] += frames
